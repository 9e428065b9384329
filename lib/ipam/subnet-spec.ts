/**
 * Subnets of networks made through the API, checked as Docker checks them and where Docker does not.
 *
 * Every refusal is `invalid-config`, says in words what is wrong and what would be right, and names its rule and
 * the values in `details`, so that a program can put it into words of its own (docs/networks-service.md lists
 * them).
 *
 * Beyond what a conflist may declare (subnet.ts), the smallest subnets are taken: every address of a /31, /32,
 * /127 or /128 is a host.
 *
 * Source: moby `api/types/network/ipam.go` ValidateIPAM; RFC 3021 (/31), RFC 6164 (/127).
 */

import { type Address, addressEquals, parseAddress } from "../addr/address.ts";
import {
  firstHost,
  formatPrefix,
  type InterfaceAddress,
  lastHost,
  type Prefix,
  parseLoosePrefix,
  parsePrefix,
  prefixContains,
  prefixContainsPrefix,
  prefixEquals,
  prefixesOverlap,
  prefixOf,
} from "../addr/prefix.ts";
import { type AddressRange, parseRange, rangeContains } from "../addr/range.ts";
import { asFairleadError, FairleadError } from "../errors.ts";
import type { SubnetSpec } from "./api.ts";
import type { PoolRecord, SubnetRecord } from "./store.ts";
import { parseBounds, poolOf, unusableOf, usableRuns, withheldOf } from "./subnet.ts";

interface Refusal {
  readonly rule: string;
  readonly object: string;
  readonly reason: string;
  readonly hint?: string;
  /** Values that the rule is about; they go into `details`. */
  readonly facts: Readonly<Record<string, string>>;
}

function invalid({ rule, object, reason, hint, facts }: Refusal): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "read subnet",
    object,
    reason,
    ...(hint !== undefined && { hint }),
    details: { rule, ...facts },
  });
}

/** What `parse` makes of a text, or a refusal by `rule` with the parser's reason. */
function parsed<T>({ rule, object, facts }: Pick<Refusal, "rule" | "object" | "facts">, parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    const { reason, hint } = asFairleadError(thrown, "read subnet");
    throw invalid({ rule, object, reason, ...(hint !== "" && { hint }), facts });
  }
}

/** One subnet of a network made through the API. @throws invalid-config */
export function subnetOfSpec(spec: SubnetSpec): SubnetRecord {
  const subnet = parseSubnet(spec.subnet);
  const ipRange = spec.ipRange === undefined ? null : parseIpRange(subnet, spec.ipRange);
  const range = parseBounds(subnet, ipRange ?? subnet, spec);
  const gateway = parseGateway(subnet, spec.gateway);
  const record: SubnetRecord = {
    subnet,
    gateway,
    gatewayGiven: typeof spec.gateway === "string",
    ipRange,
    ranges: [range],
    askable: ipRange === null ? [range] : [{ first: firstHost(subnet), last: lastHost(subnet) }],
    exclusions: (spec.exclusions ?? []).map((text) => parseExclusion(subnet, text)),
    auxAddresses: parseAuxAddresses(subnet, spec.auxAddresses ?? {}, gateway),
    fromDefaultPool: false,
  };
  refuseUnusable(record);
  return record;
}

/** A block of a default pool: every host of it, with the first one as the gateway unless `more` says that there is none. */
export function subnetOfBlock(subnet: Prefix, more: Pick<SubnetSpec, "gateway"> = {}): SubnetRecord {
  return { ...subnetOfSpec({ subnet: formatPrefix(subnet), ...more }), fromDefaultPool: true };
}

/** Prefixes that no interface of a container can have an address of. */
const RESERVED: readonly (readonly [prefix: Prefix, use: string])[] = (
  [
    ["0.0.0.0/8", "this network (RFC 1122 §3.2.1.3)"],
    ["127.0.0.0/8", "loopback"],
    ["224.0.0.0/4", "multicast"],
    ["240.0.0.0/4", "reserved (RFC 1112 §4)"],
    ["::/127", "the unspecified address and loopback"],
    ["fe80::/10", "link-local: every link has it already"],
    ["ff00::/8", "multicast"],
  ] as const
).map(([text, use]) => [parsePrefix(text), use]);

function parseSubnet(text: string): Prefix {
  const facts = { subnet: text };
  const given = parsed({ rule: "subnet-invalid", object: text, facts }, () => parseLoosePrefix(text));
  const subnet = withoutHostBits("subnet", given, facts);
  const reserved = RESERVED.find(([prefix]) => prefixesOverlap(prefix, subnet));
  if (reserved === undefined) return subnet;
  const [prefix, use] = reserved;
  throw invalid({
    rule: "subnet-reserved",
    object: text,
    reason: `it overlaps ${formatPrefix(prefix)}, which is for other use: ${use}`,
    hint: "use a private subnet, as 10.1.2.0/24 or fd12:3456:789a::/64",
    facts: { ...facts, reserved: formatPrefix(prefix) },
  });
}

/** Whoever wrote bits beyond the length meant another prefix, and is told which. */
function withoutHostBits(
  what: "subnet" | "ip-range",
  { address, length }: InterfaceAddress,
  facts: Refusal["facts"],
): Prefix {
  const prefix = prefixOf(address, length);
  if (addressEquals(prefix.address, address)) return prefix;
  const correct = formatPrefix(prefix);
  throw invalid({
    rule: `${what}-host-bits`,
    object: formatPrefix({ address, length }),
    reason: `invalid ${what}: it should be ${correct}`,
    hint: `write ${correct}`,
    facts: { ...facts, correct },
  });
}

function parseIpRange(subnet: Prefix, text: string): Prefix {
  const facts = { ipRange: text, subnet: formatPrefix(subnet) };
  const given = parsed({ rule: "ip-range-invalid", object: text, facts }, () => parseLoosePrefix(text));
  const range = withoutHostBits("ip-range", given, facts);
  if (prefixContainsPrefix(subnet, range)) return range;
  const reason =
    range.address.family !== subnet.address.family
      ? `ipRange ${text} is of the other address family`
      : prefixContainsPrefix(range, subnet)
        ? `ipRange ${text} is bigger than the subnet`
        : `ipRange ${text} is not in it`;
  throw invalid({ rule: "ip-range-outside", object: formatPrefix(subnet), reason, facts });
}

/** Absent: the first host. Null: none. */
function parseGateway(subnet: Prefix, text: string | null | undefined): Address | null {
  if (text === null) return null;
  if (text === undefined) return firstHost(subnet);
  return parseHost(subnet, text, { what: "gateway", field: `gateway ${text}`, facts: { gateway: text } });
}

/** An address of `subnet` that an interface can have. Its rules are `what-invalid`, `what-outside`, `what-reserved`. */
function parseHost(
  subnet: Prefix,
  text: string,
  { what, field, facts: own }: { what: string; field: string; facts: Refusal["facts"] },
): Address {
  const object = formatPrefix(subnet);
  const facts = { ...own, subnet: object };
  const address = parsed({ rule: `${what}-invalid`, object: field, facts }, () => parseAddress(text));
  if (!prefixContains(subnet, address)) {
    throw invalid({ rule: `${what}-outside`, object, reason: `${field} is not in it`, facts });
  }
  if (unusableOf(subnet).some((range) => rangeContains(range, address))) {
    const reason = `${field} is its network or broadcast address`;
    throw invalid({ rule: `${what}-reserved`, object, reason, facts });
  }
  return address;
}

function parseExclusion(subnet: Prefix, text: string): AddressRange {
  const object = formatPrefix(subnet);
  const facts = { exclusion: text, subnet: object };
  const range = parsed({ rule: "exclusion-invalid", object: `exclusion ${text}`, facts }, () =>
    parseRange(text),
  );
  if (prefixContains(subnet, range.first) && prefixContains(subnet, range.last)) return range;
  throw invalid({ rule: "exclusion-outside", object, reason: `exclusion ${text} is not in it`, facts });
}

/** Each an address of its own: neither the gateway's, nor another one's. */
function parseAuxAddresses(
  subnet: Prefix,
  aux: Readonly<Record<string, string>>,
  gateway: Address | null,
): Record<string, Address> {
  const taken = new Map<bigint, string>(gateway === null ? [] : [[gateway.value, "the gateway"]]);
  const entries = Object.entries(aux).map(([name, text]): [string, Address] => {
    const facts = { name, address: text };
    const address = parseHost(subnet, text, {
      what: "aux-address",
      field: `aux address ${name} ${text}`,
      facts,
    });
    const holder = taken.get(address.value);
    if (holder !== undefined) throw auxTaken(subnet, facts, holder);
    taken.set(address.value, `aux address ${name}`);
    return [name, address];
  });
  return Object.fromEntries(entries);
}

function auxTaken(subnet: Prefix, facts: { name: string; address: string }, holder: string): FairleadError {
  return invalid({
    rule: "aux-address-conflict",
    object: formatPrefix(subnet),
    reason: `aux address ${facts.name} ${facts.address} is ${holder}'s already`,
    hint: "give each its own address; without one of its own the gateway has the first host of the subnet",
    facts: { ...facts, holder, subnet: formatPrefix(subnet) },
  });
}

function refuseUnusable(record: SubnetRecord): void {
  const { family } = record.subnet.address;
  if (usableRuns(record.ranges, withheldOf([{ family, subnets: [record] }])).length > 0) return;
  const subnet = formatPrefix(record.subnet);
  throw invalid({
    rule: "subnet-used-up",
    object: subnet,
    reason: "no address is left to hand out beside gateway, exclusions and auxiliary addresses",
    hint: "use a larger subnet or range, or none of these",
    facts: { subnet },
  });
}

/**
 * Groups the subnets of an API network into pools: one per family, in the order in which families appear,
 * because an attachment gets one address of each family whatever the number of subnets.
 *
 * @throws invalid-config when two of them overlap.
 */
export function poolsOfSubnets(subnets: readonly SubnetRecord[]): PoolRecord[] {
  for (const [at, { subnet }] of subnets.entries()) {
    const other = subnets.slice(0, at).find((earlier) => prefixesOverlap(earlier.subnet, subnet));
    if (other !== undefined) throw overlapping(subnet, other.subnet);
  }
  const families = [...new Set(subnets.map(({ subnet }) => subnet.address.family))];
  return families.map((family) => poolOf(subnets.filter(({ subnet }) => subnet.address.family === family)));
}

function overlapping(subnet: Prefix, other: Prefix): FairleadError {
  const facts = { subnet: formatPrefix(subnet), otherSubnet: formatPrefix(other) };
  const object = `subnets ${facts.otherSubnet} and ${facts.subnet}`;
  const reason = prefixEquals(subnet, other) ? "they are the same" : "they overlap";
  return invalid({ rule: "subnets-overlap", object, reason, hint: "name each part once", facts });
}
