/**
 * Elements of sets of intervals.
 *
 * Where the key is one field, an interval is two elements: its first key, and the first one after it with
 * NFT_SET_ELEM_INTERVAL_END. Where the key has several fields, it is one element with NFTA_SET_ELEM_KEY_END, which
 * is included, and holds what lies between in every field.
 *
 * Source: net/netfilter/nft_set_rbtree.c, nft_set_pipapo.c.
 */
import { type Element, type ElementSpec, element, NFT_SET_ELEM_INTERVAL_END } from "./element.ts";
import type { SetSpec } from "./set.ts";

/** An interval of keys, both ends included. */
export interface IntervalSpec extends ElementSpec {
  readonly keyEnd: Uint8Array;
}

/** The elements that make up an interval in `set`. */
export function intervalElements(set: Pick<SetSpec, "key">, interval: IntervalSpec): Element[] {
  if (set.key.length > 1) return [element(interval)];
  const { keyEnd, ...start } = interval;
  const next = offset(keyEnd, 1);
  return [element(start), ...(next ? [element({ key: next, flags: NFT_SET_ELEM_INTERVAL_END })] : [])];
}

/** An interval as the kernel holds it. */
export interface Interval {
  readonly key: Uint8Array;
  readonly keyEnd: Uint8Array;
  /** The element with the data and the comment. */
  readonly element: Element;
}

/** The intervals that a listing of elements makes up, whichever way the set writes them. */
export function intervalsOf(elements: readonly Element[]): Interval[] {
  const sorted = [...elements].sort(compareElements);
  return sorted.flatMap((start, at) => {
    const key = start.key?.value;
    if (key === undefined || isEnd(start)) return [];
    const keyEnd = start.keyEnd?.value ?? lastKey(key, sorted[at + 1]);
    return [{ key, keyEnd, element: start }];
  });
}

/** Ends come before what begins at the same key. */
function compareElements(a: Element, b: Element): number {
  const none = new Uint8Array(0);
  return compareBytes(a.key?.value ?? none, b.key?.value ?? none) || Number(isEnd(b)) - Number(isEnd(a));
}

function isEnd({ flags = 0 }: Element): boolean {
  return (flags & NFT_SET_ELEM_INTERVAL_END) !== 0;
}

/** Intervals do not overlap, so the element that follows ends this one; without one it goes on to the last key. */
function lastKey(key: Uint8Array, following: Element | undefined): Uint8Array {
  const after = following?.key?.value;
  return (after && offset(after, -1)) ?? new Uint8Array(key.length).fill(0xff);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}

/** The key one higher or lower; null beyond the last or before the first. */
function offset(key: Uint8Array, by: 1 | -1): Uint8Array | null {
  const result = key.slice();
  for (let at = result.length - 1; at >= 0; at--) {
    const byte = (result[at] ?? 0) + by;
    result[at] = byte & 0xff;
    if (byte >= 0 && byte <= 0xff) return result;
  }
  return null;
}
