import { addressBits } from "../lib/addr/address.ts";
import { formatPrefix, type Prefix, parsePrefix, prefixOf } from "../lib/addr/prefix.ts";
import { type AddressRange, rangeOfPrefix, subtractRanges } from "../lib/addr/range.ts";
import { FairleadError } from "../lib/errors.ts";
import { checkInteger } from "../lib/ipam/validate.ts";

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

/**
 * The lowest block of the default pools of `family`, in their order, that touches nothing `taken`.
 *
 * @throws pool-exhausted when there is none.
 */
export function lowestFreeBlock(
  pools: readonly BlockPool[],
  family: 4 | 6,
  taken: readonly AddressRange[],
): Prefix {
  const candidates = pools.filter(({ base }) => base.address.family === family);
  for (const { base, size } of candidates) {
    const block = lowestBlockIn(base, size, taken);
    if (block !== null) return block;
  }
  throw noBlock(candidates, family);
}

function lowestBlockIn(base: Prefix, size: number, taken: readonly AddressRange[]): Prefix | null {
  const { family } = base.address;
  const blockSize = 1n << BigInt(addressBits(family) - size);
  for (const gap of subtractRanges(rangeOfPrefix(base), taken)) {
    const value = ((gap.first.value + blockSize - 1n) / blockSize) * blockSize;
    if (value + blockSize - 1n <= gap.last.value) return prefixOf({ family, value }, size);
  }
  return null;
}

function noBlock(pools: readonly BlockPool[], family: 4 | 6): FairleadError {
  const described = pools.map(({ base, size }) => `${formatPrefix(base)} in blocks of /${size}`);
  return new FairleadError({
    code: "pool-exhausted",
    operation: "lease subnet",
    object: `IPv${family}`,
    reason:
      pools.length === 0 ? "no default pool is configured" : `no block is free in ${described.join(", ")}`,
    hint: "name a subnet, remove networks that are not needed, or add a default pool to the server's configuration",
    details: { family, defaultPools: described },
  });
}
