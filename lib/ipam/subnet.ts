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
import { FairleadError } from "../errors.ts";
import type { RangeDeclaration, SubnetSpec } from "./api.ts";
import type { PoolRecord, SubnetRecord } from "./store.ts";

const OPERATION = "read subnet";

function invalid(object: string, reason: string, hint?: string): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object,
    reason,
    ...(hint !== undefined && { hint }),
  });
}

/** A subnet that addresses can be handed out of: at most /30 (IPv4) or /126 (IPv6), no host bits. */
function parseSubnet(text: string): Prefix {
  const subnet = parsePrefix(text);
  const longest = addressBits(subnet.address.family) - 2;
  if (subnet.length > longest) {
    throw invalid(text, "it is too small to hand out addresses of", `use a prefix of at most /${longest}`);
  }
  return subnet;
}

function parseInside(subnet: Prefix, field: string, text: string): Address {
  const address = parseAddress(text);
  if (!prefixContains(subnet, address)) {
    throw invalid(formatPrefix(subnet), `${field} ${text} is not in it`);
  }
  return address;
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
  if (first.value > last.value) {
    const reason = `the range ${formatAddress(first)} to ${formatAddress(last)} ends before it starts`;
    throw invalid(formatPrefix(subnet), reason);
  }
  return { first, last };
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

function parseExcluded(subnet: Prefix, text: string): AddressRange {
  const range = parseRange(text);
  if (prefixContains(subnet, range.first) && prefixContains(subnet, range.last)) return range;
  throw invalid(formatPrefix(subnet), `exclude ${text} is not in it`);
}

/** One range of a conflist. A gateway outside the subnet is allowed, as the reference allows it. */
export function subnetOfDeclaration(declaration: RangeDeclaration): SubnetRecord {
  const subnet = parseSubnet(declaration.subnet);
  const range = parseBounds(subnet, subnet, declaration);
  const gateway = declaration.gateway === undefined ? firstHost(subnet) : parseAddress(declaration.gateway);
  if (gateway.family !== subnet.address.family) {
    throw invalid(declaration.subnet, `gateway ${declaration.gateway} is of the other address family`);
  }
  return {
    subnet,
    gateway,
    gatewayGiven: declaration.gateway !== undefined,
    ipRange: null,
    ranges: [range],
    askable: [range],
    exclusions: (declaration.exclude ?? []).map((text) => parseExcluded(subnet, text)),
    auxAddresses: {},
    fromDefaultPool: false,
  };
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

/** Makes the pool of one range set: ranges of the same subnet and gateway become one subnet record. */
export function poolOfRangeSet(declarations: readonly RangeDeclaration[]): PoolRecord {
  if (declarations.length === 0)
    throw invalid("range set", "it is empty", "give it a range, or leave it out");
  return poolOf(declarations.map(subnetOfDeclaration));
}

/** A pool of subnets of one family. Equal subnets are merged; ranges must be disjoint. */
export function poolOf(subnets: readonly SubnetRecord[]): PoolRecord {
  const [first] = subnets;
  if (first === undefined) throw invalid("pool", "it has no subnet");
  const { family } = first.subnet.address;
  const stranger = subnets.find((other) => other.subnet.address.family !== family);
  if (stranger !== undefined) {
    const object = `${formatPrefix(first.subnet)}, ${formatPrefix(stranger.subnet)}`;
    throw invalid(
      object,
      "one range set mixes address families",
      "put each family into a range set of its own",
    );
  }
  refuseOverlap(subnets.flatMap((subnet) => subnet.ranges));
  return { family, subnets: mergeEqual(subnets) };
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

function refuseOverlap(ranges: readonly AddressRange[]): void {
  for (const [at, range] of ranges.entries()) {
    const other = ranges.slice(0, at).find((earlier) => rangesOverlap(earlier, range));
    if (other !== undefined) {
      throw invalid(`ranges ${formatRange(other)} and ${formatRange(range)}`, "they overlap");
    }
  }
}

/** @throws invalid-config when two pools of one network would hand out the same address. */
export function checkDisjointPools(pools: readonly PoolRecord[]): void {
  refuseOverlap(pools.flatMap((pool) => pool.subnets.flatMap((subnet) => subnet.ranges)));
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
