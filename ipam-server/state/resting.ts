/**
 * What rests after its network was removed, as the network's last event tells it: so it rests over a restart, too.
 *
 * Pure, but for the reading of events.
 */
import { type AddressRange, formatRange, parseRange } from "../../lib/addr/range.ts";
import type { EventRecord, LeaseStore, StoreSnapshot } from "../../lib/ipam/store.ts";

/** Subnets of a removed network. */
export interface RestingSubnets {
  readonly addressSpace: string;
  readonly ranges: readonly AddressRange[];
  readonly untilMs: number;
}

const REASON = /^rests for (\d+) s: (.+)$/;
const PAGE = 1_000;

/** The reason of a `network-removed` event; empty where nothing rests. */
export function restReason(ranges: readonly AddressRange[], seconds: number): string {
  return ranges.length === 0 || seconds === 0
    ? ""
    : `rests for ${seconds} s: ${ranges.map(formatRange).join(", ")}`;
}

/** What such an event says; null for one of a network without subnets or cooling, and of programs before 0.2. */
export function restOf({ reason, atMs, addressSpace }: EventRecord): RestingSubnets | null {
  const [, seconds = "", ranges = ""] = REASON.exec(reason) ?? [];
  if (ranges === "") return null;
  return { addressSpace, ranges: ranges.split(", ").map(parseRange), untilMs: atMs + Number(seconds) * 1000 };
}

/** What was removed at `fromMs` or later. Some twenty look-ups, and the events since. */
export async function readResting(
  store: LeaseStore,
  { trimmedRevision, revision }: StoreSnapshot,
  fromMs: number,
): Promise<RestingSubnets[]> {
  const found: RestingSubnets[] = [];
  let since = await lastBefore(store, { low: trimmedRevision, high: revision }, fromMs);
  for (;;) {
    const events = await store.readEvents({ since, kind: "network-removed", limit: PAGE });
    found.push(...events.flatMap((event) => restOf(event) ?? []));
    const last = events.at(-1);
    if (last === undefined || events.length < PAGE) return found;
    since = last.revision;
  }
}

/** Revision of the newest event before `fromMs`, by bisection: instants of events never go back. */
async function lastBefore(
  store: LeaseStore,
  { low, high }: { readonly low: number; readonly high: number },
  fromMs: number,
): Promise<number> {
  if (low >= high) return low;
  const middle = Math.floor((low + high) / 2);
  const [next] = await store.readEvents({ since: middle, limit: 1 });
  const isBefore = next !== undefined && next.atMs < fromMs;
  return lastBefore(store, isBefore ? { low: middle + 1, high } : { low, high: middle }, fromMs);
}
