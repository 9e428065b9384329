/**
 * Whether two networks of one address space can be there beside each other. Pure.
 *
 * Two networks have no address in common, with one exception: networks that conflists declare may have the very same subnet, with
 * the same gateway, if no address of it is for both. So two names stand for two parts of one LAN. What one of them never hands out
 * (a gateway, an exclusion) is not the other's to hand out either (docs/adr/0049-one-subnet-of-several-networks.md).
 */
import { formatAddress } from "../../lib/addr/address.ts";
import { formatPrefix, prefixEquals, prefixesOverlap } from "../../lib/addr/prefix.ts";
import { type AddressRange, formatRange, rangesOverlap } from "../../lib/addr/range.ts";
import type { NetworkRecord, PoolRecord, SubnetRecord } from "../../lib/ipam/store.ts";
import { usableRuns, withheldOf } from "../../lib/ipam/subnet.ts";

/** As much of a network as counts here; of one that is yet to be made, too. */
export type Claim = Pick<NetworkRecord, "name" | "addressSpace" | "origin" | "pools">;

/** Why not, of a pair of their subnets. */
export interface Clash {
  readonly own: SubnetRecord;
  readonly other: SubnetRecord;
  readonly reason: string;
  readonly hint: string;
  /** What the reason is about, for programs. */
  readonly facts: Readonly<Record<string, string>>;
}

/** The first clash between `own` and `other`, which are of one address space; null when there is none. */
export function clashBetween(own: Claim, other: Claim): Clash | null {
  const pairs = pairsOf(own.pools, other.pools).filter(([a, b]) => prefixesOverlap(a.subnet, b.subnet));
  if (pairs.length === 0) return null;
  for (const [mine, theirs] of pairs) {
    const clash = clashOfPair(mine, theirs, { own, other });
    if (clash !== null) return clash;
  }
  return clashOfWithheld(own, other) ?? clashOfWithheld(other, own);
}

/** Subnets that both have, as those of `own`. */
export function sharedSubnets(own: readonly PoolRecord[], other: readonly PoolRecord[]): SubnetRecord[] {
  const same = pairsOf(own, other).filter(([a, b]) => prefixEquals(a.subnet, b.subnet));
  return [...new Set(same.map(([mine]) => mine))];
}

function pairsOf(own: readonly PoolRecord[], other: readonly PoolRecord[]): [SubnetRecord, SubnetRecord][] {
  const theirs = other.flatMap(({ subnets }) => subnets);
  return own
    .flatMap(({ subnets }) => subnets)
    .flatMap((mine) => theirs.map((each): [SubnetRecord, SubnetRecord] => [mine, each]));
}

interface Pair {
  readonly own: Claim;
  readonly other: Claim;
}

function clashOfPair(mine: SubnetRecord, theirs: SubnetRecord, { own, other }: Pair): Clash | null {
  const areShareable = own.origin === "conflist" && other.origin === "conflist";
  const both = { own: mine, other: theirs };
  if (!areShareable || !prefixEquals(mine.subnet, theirs.subnet)) return { ...both, ...taken(theirs, other) };
  const [range, otherRange] = firstOverlap(mine.askable, theirs.askable);
  if (range !== undefined && otherRange !== undefined)
    return { ...both, ...overlapping(range, otherRange, other) };
  if (gatewayText(mine) !== gatewayText(theirs)) return { ...both, ...apart(both, other) };
  return null;
}

type Why = Omit<Clash, "own" | "other">;

function taken({ subnet }: SubnetRecord, { name, addressSpace }: Claim): Why {
  return {
    reason: `network ${name} has ${formatPrefix(subnet)} in address space ${addressSpace} already`,
    hint: `choose another subnet, remove network ${name}, or, if the two can never meet, set addressSpace`,
    facts: {},
  };
}

function overlapping(range: AddressRange, otherRange: AddressRange, { name }: Claim): Why {
  const [own, other] = [formatRange(range), formatRange(otherRange)];
  return {
    reason: `network ${name} has the same subnet, and its range ${other} overlaps ${own}`,
    hint: `set the ranges apart by rangeStart and rangeEnd, choose another subnet, or remove network ${name}`,
    facts: { range: own, otherRange: other },
  };
}

function apart({ own, other }: { own: SubnetRecord; other: SubnetRecord }, { name }: Claim): Why {
  const [gateway, otherGateway] = [gatewayText(own), gatewayText(other)];
  return {
    reason: `network ${name} has the same subnet with gateway ${otherGateway}, and this one has ${gateway}`,
    hint: `give both the same gateway, choose another subnet, or remove network ${name}`,
    facts: { gateway, otherGateway },
  };
}

function gatewayText({ gateway }: SubnetRecord): string {
  return gateway === null ? "none" : formatAddress(gateway);
}

/** What `keeper` never hands out, and `giver` would. */
function clashOfWithheld(keeper: Claim, giver: Claim): Clash | null {
  const own = keeper.pools.flatMap(({ subnets }) => subnets);
  const withheld = withheldOf(keeper.pools);
  const runsWithheld = withheldOf(giver.pools);
  for (const other of sharedSubnets(giver.pools, keeper.pools)) {
    const [kept, given] = firstOverlap(withheld, usableRuns(other.askable, runsWithheld));
    const mine = own.find(({ subnet }) => prefixEquals(subnet, other.subnet));
    if (kept === undefined || given === undefined || mine === undefined) continue;
    return { own: mine, other, ...keptBack(kept, { keeper, giver }) };
  }
  return null;
}

function keptBack(kept: AddressRange, { keeper, giver }: { keeper: Claim; giver: Claim }): Why {
  const address = formatRange(kept);
  return {
    reason: `both have the same subnet, and network ${keeper.name} never hands out ${address}, which is in a range of network ${giver.name}`,
    hint: "exclude it from both, or set the ranges apart by rangeStart and rangeEnd",
    facts: { address },
  };
}

function firstOverlap(
  ranges: readonly AddressRange[],
  others: readonly AddressRange[],
): readonly [AddressRange?, AddressRange?] {
  for (const range of ranges) {
    const other = others.find((each) => rangesOverlap(range, each));
    if (other !== undefined) return [range, other];
  }
  return [];
}
