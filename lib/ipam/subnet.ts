/**
 * Ranges that conflists declare, made into {@link SubnetRecord}s and {@link PoolRecord}s, and what both these and
 * the subnets of the API (subnet-spec.ts) come down to.
 *
 * The rules are those of the reference plugin `host-local`, so that its configurations mean the same here: a
 * subnet needs at least four addresses and no host bits; `rangeStart`, `rangeEnd` and `gateway` have its
 * defaults; ranges must not overlap, neither inside a set nor across sets, but may share a subnet.
 * Beyond it, the network and broadcast addresses are never handed out, even where a range spans them.
 *
 * Source: containernetworking/plugins plugins/ipam/host-local/backend/allocator/{range,range_set,config}.go.
 */

import { type Address, addressBits, addressEquals, formatAddress, parseAddress } from "../addr/address.ts";
import {
  firstAddress,
  firstHost,
  formatPrefix,
  lastAddress,
  lastHost,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixEquals,
} from "../addr/prefix.ts";
import {
  type AddressRange,
  formatRange,
  parseRange,
  rangeOfPrefix,
  rangesOverlap,
  subtractRanges,
} from "../addr/range.ts";
import { asFairleadError, FairleadError } from "../errors.ts";
import type { RangeDeclaration, SubnetSpec } from "./api.ts";
import type { PoolRecord, SubnetRecord } from "./store.ts";
import { quote } from "./validate.ts";

const OPERATION = "read subnet";

/**
 * A fault at one place of what was declared. The place is the object of the message and stands in `details.field`, so that
 * whoever wrote it in words of their own (a conflist) can be told in those.
 */
function invalid(field: string, reason: string, hint: string): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: field,
    reason,
    hint,
    details: { field },
  });
}

/** What `parse` makes of the text of one key, or the parser's reason and advice with the place of the key. */
function parsed<T>(field: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (thrown) {
    const { reason, hint } = asFairleadError(thrown, OPERATION);
    throw invalid(field, `${quote(text)} is refused: ${reason}`, hint);
  }
}

/** Gives faults inside of `place` their whole place. */
function at<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const { reason, hint, details } = asFairleadError(thrown, OPERATION);
    const field = details["field"];
    throw typeof field === "string" ? invalid(`${place}.${field}`, reason, hint) : thrown;
  }
}

/** A subnet that addresses can be handed out of: at most /30 (IPv4) or /126 (IPv6), no host bits. */
function parseSubnet(text: string): Prefix {
  const subnet = parsed("subnet", text, parsePrefix);
  const longest = addressBits(subnet.address.family) - 2;
  if (subnet.length > longest) {
    const reason = `${quote(text)} is too small to hand out addresses of`;
    throw invalid("subnet", reason, `use a prefix of at most /${longest}`);
  }
  return subnet;
}

function parseInside(within: Prefix, field: string, text: string): Address {
  const address = parsed(field, text, parseAddress);
  if (prefixContains(within, address)) return address;
  throw invalid(field, `${text} is not in ${formatPrefix(within)}`, "give an address of that");
}

/** First to last, both in `within`, with the hosts of `within` as the default of either end. */
export function parseBounds(
  subnet: Prefix,
  within: Prefix,
  spec: SubnetSpec | RangeDeclaration,
): AddressRange {
  const first =
    spec.rangeStart === undefined
      ? hostAbove(subnet, within)
      : parseInside(within, "rangeStart", spec.rangeStart);
  const last =
    spec.rangeEnd === undefined ? hostBelow(subnet, within) : parseInside(within, "rangeEnd", spec.rangeEnd);
  if (first.value > last.value) throw endsBeforeItStarts({ first, last }, spec);
  return { first, last };
}

function endsBeforeItStarts(
  { first, last }: AddressRange,
  spec: SubnetSpec | RangeDeclaration,
): FairleadError {
  const [start, end] = [formatAddress(first), formatAddress(last)];
  const reason = `the range ${start} to ${end} ends before it starts`;
  return spec.rangeEnd === undefined
    ? invalid("rangeStart", reason, `give an address up to ${end}`)
    : invalid("rangeEnd", reason, `give an address from ${start} on`);
}

/** The first address of `within` that is a host of `subnet`. */
function hostAbove(subnet: Prefix, within: Prefix): Address {
  const [host, start] = [firstHost(subnet), firstAddress(within)];
  return start.value < host.value ? host : start;
}

function hostBelow(subnet: Prefix, within: Prefix): Address {
  const [host, end] = [lastHost(subnet), lastAddress(within)];
  return end.value > host.value ? host : end;
}

function parseExcluded(subnet: Prefix, text: string, index: number): AddressRange {
  const field = `exclude[${index}]`;
  const range = parsed(field, text, parseRange);
  if (prefixContains(subnet, range.first) && prefixContains(subnet, range.last)) return range;
  throw invalid(field, `${text} is not in ${formatPrefix(subnet)}`, "give a part of that");
}

/** One range of a conflist. A gateway outside the subnet is allowed, as the reference allows it. */
export function subnetOfDeclaration(declaration: RangeDeclaration): SubnetRecord {
  const subnet = parseSubnet(declaration.subnet);
  const range = parseBounds(subnet, subnet, declaration);
  return {
    subnet,
    gateway: parseGateway(subnet, declaration.gateway),
    gatewayGiven: declaration.gateway !== undefined,
    ipRange: null,
    ranges: [range],
    askable: [range],
    exclusions: (declaration.exclude ?? []).map((text, index) => parseExcluded(subnet, text, index)),
    auxAddresses: {},
    fromDefaultPool: false,
  };
}

function parseGateway(subnet: Prefix, text: string | undefined): Address {
  if (text === undefined) return firstHost(subnet);
  const gateway = parsed("gateway", text, parseAddress);
  if (gateway.family === subnet.address.family) return gateway;
  const reason = `${text} is of the other address family than the subnet ${formatPrefix(subnet)}`;
  throw invalid("gateway", reason, "give an address of the subnet's family, or leave it out");
}

/**
 * Network address, and in IPv4 the broadcast address. In IPv6 the first one is the subnet-router anycast. The two
 * smallest sizes have neither.
 */
export function unusableOf(subnet: Prefix): AddressRange[] {
  if (addressBits(subnet.address.family) - subnet.length < 2) return [];
  const [first, last] = [firstAddress(subnet), lastAddress(subnet)];
  const network = { first, last: first };
  return first.family === 4 ? [network, { first: last, last }] : [network];
}

/** What is never handed out of a network, wherever in its ranges it lies. */
export function withheldOf(pools: readonly PoolRecord[]): AddressRange[] {
  return pools.flatMap((pool) =>
    pool.subnets.flatMap(({ subnet, gateway, exclusions, auxAddresses }) => [
      ...unusableOf(subnet),
      ...(gateway === null ? [] : [{ first: gateway, last: gateway }]),
      ...exclusions,
      ...Object.values(auxAddresses).map((address) => ({ first: address, last: address })),
    ]),
  );
}

/** `ranges` without what is withheld, each run in ascending order. */
export function usableRuns(
  ranges: readonly AddressRange[],
  withheld: readonly AddressRange[],
): AddressRange[] {
  return ranges.flatMap((range) => subtractRanges(range, withheld));
}

/** One range of a declaration, and where it stands there. */
interface PlacedRange {
  readonly place: string;
  readonly record: SubnetRecord;
}

/**
 * Makes the pools of a declaration, one of each range set.
 *
 * @throws FairleadError invalid-config with the place in `details.field`: `rangeSets[0][1].rangeEnd` of a key,
 * `rangeSets[0][1]` of a range, `rangeSets[0]` of a set.
 */
export function poolsOfRangeSets(rangeSets: readonly (readonly RangeDeclaration[])[]): PoolRecord[] {
  const sets = rangeSets.map((set, index) => readRangeSet(set, `rangeSets[${index}]`));
  refuseSharedAddresses(sets.flat());
  return sets.map((set) => poolOf(set.map(({ record }) => record)));
}

function readRangeSet(set: readonly RangeDeclaration[], place: string): PlacedRange[] {
  if (set.length === 0) throw invalid(place, "the range set is empty", "give it a range, or leave it out");
  const ranges = set.map((declaration, index) => {
    const own = `${place}[${index}]`;
    return { place: own, record: at(own, () => subnetOfDeclaration(declaration)) };
  });
  refuseMixedFamilies(ranges);
  return ranges;
}

function refuseMixedFamilies([first, ...others]: readonly PlacedRange[]): void {
  const familyOf = (range: PlacedRange | undefined) => range?.record.subnet.address.family;
  const stranger = others.find((other) => familyOf(other) !== familyOf(first));
  if (first === undefined || stranger === undefined) return;
  const [own, before] = [formatPrefix(stranger.record.subnet), formatPrefix(first.record.subnet)];
  throw invalid(
    `${stranger.place}.subnet`,
    `one range set mixes address families: ${before} and ${own}`,
    "put each family into a range set of its own",
  );
}

function refuseSharedAddresses(ranges: readonly PlacedRange[]): void {
  const flat = ranges.flatMap(({ place, record }) => record.ranges.map((range) => ({ place, range })));
  for (const [index, { place, range }] of flat.entries()) {
    const other = flat.slice(0, index).find((earlier) => rangesOverlap(earlier.range, range));
    if (other === undefined) continue;
    throw invalid(
      place,
      `its addresses ${formatRange(range)} overlap ${formatRange(other.range)} of ${other.place}`,
      "set them apart by rangeStart and rangeEnd, or name them once",
    );
  }
}

/** A pool of subnets of one family, whose ranges are disjoint. Equal subnets are merged. */
export function poolOf(subnets: readonly SubnetRecord[]): PoolRecord {
  const [first] = subnets;
  if (first === undefined) throw invalid("subnets", "a pool has no subnet", "give it one");
  return { family: first.subnet.address.family, subnets: mergeEqual(subnets) };
}

function mergeEqual(subnets: readonly SubnetRecord[]): SubnetRecord[] {
  const merged: SubnetRecord[] = [];
  for (const subnet of subnets) {
    const at = merged.findIndex((other) => isSameSubnet(other, subnet));
    const twin = merged[at];
    if (twin === undefined) merged.push(subnet);
    else {
      const ranges = [...twin.ranges, ...subnet.ranges];
      const exclusions = [...twin.exclusions, ...subnet.exclusions];
      merged[at] = { ...twin, ranges, askable: [...twin.askable, ...subnet.askable], exclusions };
    }
  }
  return merged;
}

function isSameSubnet(a: SubnetRecord, b: SubnetRecord): boolean {
  const sameGateway =
    a.gateway === null || b.gateway === null ? a.gateway === b.gateway : addressEquals(a.gateway, b.gateway);
  return sameGateway && prefixEquals(a.subnet, b.subnet);
}

/** @throws invalid-config when two pools of one network would hand out the same address. */
export function checkDisjointPools(pools: readonly PoolRecord[]): void {
  const ranges = pools.flatMap((pool) => pool.subnets.flatMap((subnet) => subnet.ranges));
  for (const [index, range] of ranges.entries()) {
    const other = ranges.slice(0, index).find((earlier) => rangesOverlap(earlier, range));
    if (other !== undefined) throw overlapping(other, range);
  }
}

function overlapping(one: AddressRange, other: AddressRange): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: `ranges ${formatRange(one)} and ${formatRange(other)}`,
    reason: "they overlap",
    hint: "give each address to one pool of the network",
  });
}

/** Ranges of a pool as text, for messages and for telling definitions apart. */
export function describePool(pool: PoolRecord): string {
  return pool.subnets
    .map(({ subnet, ranges }) => `${formatPrefix(subnet)} (${ranges.map(formatRange).join(", ")})`)
    .join(", ");
}

/** Every address of the subnets of `pools`, as ranges. */
export function subnetRanges(pools: readonly PoolRecord[]): AddressRange[] {
  return pools.flatMap((pool) => pool.subnets.map(({ subnet }) => rangeOfPrefix(subnet)));
}

/** Whether one of the pools has this very subnet. */
export function hasSubnet(pools: readonly PoolRecord[], wanted: Prefix): boolean {
  return pools.some(({ subnets }) => subnets.some(({ subnet }) => prefixEquals(subnet, wanted)));
}
