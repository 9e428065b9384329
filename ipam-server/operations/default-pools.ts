/** The default pools: how they are read, and which block of them a network without a subnet gets. */
import { addressBits } from "../../lib/addr/address.ts";
import { formatPrefix, type Prefix, parsePrefix, prefixOf } from "../../lib/addr/prefix.ts";
import {
  type AddressRange,
  formatRange,
  rangeOfPrefix,
  rangesOverlap,
  subtractRanges,
} from "../../lib/addr/range.ts";
import { FairleadError } from "../../lib/errors.ts";
import { checkInteger } from "../../lib/ipam/validate.ts";

/** Prefixes of the host that a refusal names. */
const MOST_NAMED = 20;

/** A prefix that networks without a subnet of their own get theirs from, cut into blocks of length `size`. */
export interface DefaultPool {
  readonly base: string;
  readonly size: number;
}

export interface BlockPool {
  readonly base: Prefix;
  readonly size: number;
}

/** @throws invalid-config */
export function parseDefaultPool({ base: text, size }: DefaultPool): BlockPool {
  const base = parsePrefix(text);
  const most = addressBits(base.address.family) - 2;
  checkInteger("read default pool", `size of ${text}`, { value: size, least: base.length, most });
  return { base, size };
}

export interface Obstacles {
  /** Subnets of networks. */
  readonly taken: readonly AddressRange[];
  /** What the host reaches by other ways. */
  readonly avoided: readonly AddressRange[];
  /** Subnets of networks that were removed a moment ago: used again only when nothing else is left. */
  readonly resting: readonly AddressRange[];
}

/**
 * The lowest block of the default pools of `family`, in their order, that touches nothing taken or avoided. Where the host has
 * other uses for all of them, as with a VPN that routes every private address, one of its least specific uses is overlapped: the
 * most specific are hosts that it talks to.
 *
 * Lowest first, so that the same commands give the same subnets on every machine; but a block whose network has
 * just gone rests as long as an address would, because whoever still talks to its old containers must not meet
 * new ones.
 *
 * @throws pool-exhausted when there is none.
 */
export function freeBlock(pools: readonly BlockPool[], family: 4 | 6, obstacles: Obstacles): Prefix {
  const { taken, avoided, resting } = obstacles;
  const candidates = pools.filter(({ base }) => base.address.family === family);
  const attempts = [[...avoided, ...resting], ...withoutTheWidest(avoided)];
  for (const unwanted of attempts) {
    const used = [...taken, ...unwanted];
    for (const { base, size } of candidates) {
      const block = lowestBlockIn(base, size, used);
      if (block !== null) return block;
    }
  }
  throw noBlock(candidates, family, obstacles);
}

/** All ranges, then all but the widest, then all but the two widest sizes, … and none. */
function withoutTheWidest(ranges: readonly AddressRange[]): AddressRange[][] {
  const sizeOf = ({ first, last }: AddressRange) => last.value - first.value;
  const sizes = [...new Set(ranges.map(sizeOf))].sort((a, b) => (a < b ? 1 : -1));
  const narrower = sizes.map((size) => ranges.filter((range) => sizeOf(range) < size));
  return [[...ranges], ...narrower];
}

/** Blocks of a pool up to which they are counted one by one; beyond, the gaps between used ranges are measured. */
const MOST_COUNTED = 65_536;

function lowestBlockIn(base: Prefix, size: number, taken: readonly AddressRange[]): Prefix | null {
  return 2 ** (size - base.length) <= MOST_COUNTED
    ? lowestByCount(base, size, taken)
    : lowestByGap(base, size, taken);
}

/** O(used ranges + blocks): thousands of networks are made one after the other. */
function lowestByCount(base: Prefix, size: number, taken: readonly AddressRange[]): Prefix | null {
  const { family, value: start } = base.address;
  const shift = BigInt(addressBits(family) - size);
  const whole = rangeOfPrefix(base);
  const isUsed = new Uint8Array(2 ** (size - base.length));
  const blockOf = (value: bigint): number => Number((value - start) >> shift);
  for (const range of taken) {
    if (!rangesOverlap(whole, range)) continue;
    // An end beyond the array is its end; a beginning before it would be counted from there.
    isUsed.fill(1, Math.max(0, blockOf(range.first.value)), blockOf(range.last.value) + 1);
  }
  const free = isUsed.indexOf(0);
  return free < 0 ? null : prefixOf({ family, value: start + (BigInt(free) << shift) }, size);
}

function lowestByGap(base: Prefix, size: number, taken: readonly AddressRange[]): Prefix | null {
  const { family } = base.address;
  const blockSize = 1n << BigInt(addressBits(family) - size);
  for (const gap of subtractRanges(rangeOfPrefix(base), taken)) {
    const value = ((gap.first.value + blockSize - 1n) / blockSize) * blockSize;
    if (value + blockSize - 1n <= gap.last.value) return prefixOf({ family, value }, size);
  }
  return null;
}

function noBlock(pools: readonly BlockPool[], family: 4 | 6, { taken, avoided }: Obstacles): FairleadError {
  const described = pools.map(({ base, size }) => `${formatPrefix(base)} in blocks of /${size}`);
  const touching = (ranges: readonly AddressRange[]): AddressRange[] =>
    ranges.filter((range) => pools.some(({ base }) => rangesOverlap(rangeOfPrefix(base), range)));
  const networks = touching(taken).length;
  const host = touching(avoided).map(formatRange);
  const why =
    host.length === 0 ? "" : `, beside what the host uses otherwise (${host.slice(0, 5).join(", ")})`;
  return new FairleadError({
    code: "pool-exhausted",
    operation: "lease subnet",
    object: `IPv${family}`,
    reason:
      pools.length === 0
        ? "no default pool is configured"
        : `no block is free in ${described.join(", ")}: networks have ${networks} subnets there${why}`,
    hint: "name a subnet, remove networks that are not needed, or add a default pool to the server's configuration",
    details: {
      rule: "default-pools-exhausted",
      family,
      defaultPools: described,
      subnets: networks,
      avoided: host.slice(0, MOST_NAMED),
    },
  });
}
