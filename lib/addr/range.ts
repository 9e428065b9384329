/** Runs of addresses, both ends inclusive. */
import { type Address, compareAddresses, formatAddress, parseAddress } from "./address.ts";
import { parseError } from "./parse-error.ts";
import { lastAddress, type Prefix, parsePrefix } from "./prefix.ts";

/** `first` and `last` are of one family, and `first` is not after `last`. */
export interface AddressRange {
  readonly first: Address;
  readonly last: Address;
}

/**
 * Parses `10.1.0.10-10.1.0.19`, a prefix (all its addresses) or a single address. Spaces around the
 * hyphen are allowed.
 *
 * @throws invalid-config
 */
export function parseRange(text: string): AddressRange {
  const [left = "", right, ...more] = text.split("-");
  if (more.length > 0) throw parseError("range", text, { reason: `it has more than one "-"` });
  if (right === undefined) return text.includes("/") ? rangeOfPrefix(parsePrefix(text)) : single(text);
  const first = parseAddress(left.trim());
  const last = parseAddress(right.trim());
  if (first.family !== last.family)
    throw parseError("range", text, { reason: "its ends are of different families" });
  if (first.value > last.value) {
    throw parseError("range", text, {
      reason: "it ends before it starts",
      hint: `write ${formatRange({ first: last, last: first })}`,
    });
  }
  return { first, last };
}

function single(text: string): AddressRange {
  const address = parseAddress(text);
  return { first: address, last: address };
}

/** Every address of the prefix, network and broadcast address included. */
export function rangeOfPrefix(prefix: Prefix): AddressRange {
  return { first: prefix.address, last: lastAddress(prefix) };
}

/** `first-last`, or the address alone where they are one. */
export function formatRange({ first, last }: AddressRange): string {
  const text = formatAddress(first);
  return first.value === last.value ? text : `${text}-${formatAddress(last)}`;
}

export function rangeSize({ first, last }: AddressRange): bigint {
  return last.value - first.value + 1n;
}

export function rangeContains({ first, last }: AddressRange, address: Address): boolean {
  return first.family === address.family && first.value <= address.value && address.value <= last.value;
}

export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.first.family === b.first.family && a.first.value <= b.last.value && b.first.value <= a.last.value;
}

/** Order by first address, then by last. */
function compareRanges(a: AddressRange, b: AddressRange): number {
  return compareAddresses(a.first, b.first) || compareAddresses(a.last, b.last);
}

/**
 * What is left of `range` without the addresses of `holes`: runs in ascending order that neither overlap
 * nor touch each other. Holes may overlap, lie outside and be of the other family.
 */
export function subtractRanges(range: AddressRange, holes: readonly AddressRange[]): AddressRange[] {
  const { family } = range.first;
  const left: AddressRange[] = [];
  let next = range.first.value;
  const relevant = holes.filter((hole) => rangesOverlap(range, hole)).sort(compareRanges);
  for (const hole of relevant) {
    if (hole.first.value > next) {
      left.push({ first: { family, value: next }, last: { family, value: hole.first.value - 1n } });
    }
    if (hole.last.value >= next) next = hole.last.value + 1n;
  }
  if (next <= range.last.value) left.push({ first: { family, value: next }, last: range.last });
  return left;
}
