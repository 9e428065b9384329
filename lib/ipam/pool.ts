/**
 * The addresses of one pool in memory: who holds them, and which one is handed out next.
 *
 * Strategy: an address that was never used comes first, in ascending order; when there is none left, the one
 * that was released longest ago and has cooled down; when nothing else is free, the one that has cooled longest.
 * All serve the same end, that an address rests as long as
 * possible between two holders: connection tracking entries, ARP caches and clients that remember an address
 * must not meet its next holder. (Lowest-free-first, the usual choice, hands an address out again at once.)
 *
 * Never-used addresses are not listed anywhere, so an IPv6 /64 costs nothing: each run of usable addresses has
 * a cursor below which every address has a slot, and the next fresh one is found from there. Released ones
 * wait in a heap by the end of their cooling (those that are reserved in one of their own) and then in a heap by the
 * time of their release. All steps are
 * O(log n), or O(1) on average where the cursor passes used addresses, each of which it passes once.
 *
 * Bound: in a huge range never-used addresses would last for ever and every address ever used would keep its
 * slot. So above {@link RELEASED_LIMIT} cooled addresses the oldest of them is preferred to a fresh one, and
 * above twice that number {@link Pool.forgettable} names one whose slot may go. A pool therefore holds at most
 * (bound + cooling + quarantined + reserved + 2 × limit) slots.
 */

import type { Address } from "../addr/address.ts";
import { formatPrefix } from "../addr/prefix.ts";
import { type AddressRange, rangeSize } from "../addr/range.ts";
import type { LeaseState, PoolUsage } from "./api.ts";
import { type HeapItem, IndexedHeap } from "./indexed-heap.ts";
import type { LeaseRecord, PoolRecord } from "./store.ts";

/** Cooled addresses of one pool above which they are used again before fresh ones. */
export const RELEASED_LIMIT = 65_536;

/** How a slot counts. "released": cooled down and free; "reserved" also for a cooled one that is reserved. */
type Bucket = "bound" | "quarantined" | "reserved" | "cooling" | "released";

/** One address in memory. `pool` is the pool whose usable ranges hold it; null when none does (any more). */
export interface Slot extends HeapItem {
  record: LeaseRecord;
  pool: Pool | null;
  bucket: Bucket | null;
}

interface Run {
  readonly first: bigint;
  readonly last: bigint;
  /** Every address of the run below it has a slot. */
  cursor: bigint;
}

export interface PoolOptions {
  readonly index: number;
  readonly record: PoolRecord;
  /** Addresses handed out unasked, without what is withheld, in the order in which they are used. */
  readonly runs: readonly AddressRange[];
  readonly hasSlot: (value: bigint) => boolean;
  readonly releasedLimit?: number;
}

export class Pool {
  readonly index: number;
  readonly record: PoolRecord;
  /** Addresses that the ranges span. */
  readonly size: bigint;
  readonly #usable: bigint;
  readonly #runs: Run[];
  readonly #hasSlot: (value: bigint) => boolean;
  readonly #releasedLimit: number;
  readonly #count: Record<Bucket, number> = {
    bound: 0,
    quarantined: 0,
    reserved: 0,
    cooling: 0,
    released: 0,
  };
  readonly #cooling = new IndexedHeap<Slot>(coolsBefore);
  /** Cooling ones that are reserved: nobody gets them unasked. */
  readonly #coolingReserved = new IndexedHeap<Slot>(coolsBefore);
  readonly #released = new IndexedHeap<Slot>(wasReleasedBefore);
  /** No run before this one has an address without a slot. */
  #openRun = 0;

  constructor({ index, record, runs, hasSlot, releasedLimit = RELEASED_LIMIT }: PoolOptions) {
    this.index = index;
    this.record = record;
    this.size = sum(record.subnets.flatMap((subnet) => subnet.ranges));
    this.#usable = sum(runs);
    this.#runs = runs.map(({ first, last }) => ({
      first: first.value,
      last: last.value,
      cursor: first.value,
    }));
    this.#hasSlot = hasSlot;
    this.#releasedLimit = releasedLimit;
  }

  get family(): 4 | 6 {
    return this.record.family;
  }

  /** True when `address` is one that this pool hands out unasked. */
  contains({ family, value }: Address): boolean {
    return family === this.record.family && this.#runs.some((run) => run.first <= value && value <= run.last);
  }

  /** Counts a slot whose record this pool contains. */
  add(slot: Slot): void {
    slot.pool = this;
    this.#enter(slot, slot.record.state);
  }

  /** Takes back what {@link add} did, before the record changes or the slot goes. */
  remove(slot: Slot): void {
    if (slot.bucket !== null) this.#leave(slot, slot.bucket);
    slot.pool = null;
  }

  /** To be called when an address of this pool lost its slot: it is fresh again. */
  retreat(value: bigint): void {
    const at = this.#runs.findIndex((run) => run.first <= value && value <= run.last);
    const run = this.#runs[at];
    if (run === undefined) return;
    if (value < run.cursor) run.cursor = value;
    if (at < this.#openRun) this.#openRun = at;
  }

  /** Moves on what has cooled down by `nowMs`. To be called before {@link next} and {@link usage}. */
  settle(nowMs: number): void {
    this.#settleHeap(this.#cooling, "released", nowMs);
    this.#settleHeap(this.#coolingReserved, "reserved", nowMs);
  }

  /** The address to hand out next to a caller without wishes, or null. Changes nothing that counts. */
  next(): bigint | null {
    const oldest = this.#released.peek();
    if (oldest !== undefined && this.#released.size > this.#releasedLimit) return oldest.record.address.value;
    return this.#nextFresh() ?? (oldest ?? this.#cooling.peek())?.record.address.value ?? null;
  }

  /** The cooled slot to drop next, or null while there are not too many. */
  forgettable(): Slot | null {
    return this.#released.size > 2 * this.#releasedLimit ? (this.#released.peek() ?? null) : null;
  }

  /** Addresses by state, as of the last {@link settle}: free ones are in none. */
  get counts(): Readonly<Record<LeaseState, number>> {
    const { bound, cooling, quarantined, reserved } = this.#count;
    return { bound, cooling, quarantined, reserved };
  }

  usage(): PoolUsage {
    const { bound, cooling, quarantined, reserved } = this.#count;
    return {
      pool: this.index,
      family: this.family,
      subnets: this.record.subnets.map(({ subnet }) => formatPrefix(subnet)),
      size: this.size.toString(),
      bound,
      cooling,
      quarantined,
      withheld: (this.size - this.#usable + BigInt(reserved)).toString(),
      free: (this.#usable - BigInt(bound + cooling + quarantined + reserved)).toString(),
    };
  }

  #nextFresh(): bigint | null {
    for (; this.#openRun < this.#runs.length; this.#openRun++) {
      const run = this.#runs[this.#openRun];
      if (run === undefined) break;
      while (run.cursor <= run.last && this.#hasSlot(run.cursor)) run.cursor += 1n;
      if (run.cursor <= run.last) return run.cursor;
    }
    return null;
  }

  #settleHeap(cooling: IndexedHeap<Slot>, then: Bucket, nowMs: number): void {
    for (;;) {
      const slot = cooling.peek();
      if (slot === undefined || (slot.record.untilMs ?? 0) > nowMs) return;
      this.#leave(slot, "cooling");
      this.#enter(slot, then);
    }
  }

  #enter(slot: Slot, bucket: Bucket): void {
    slot.bucket = bucket;
    this.#count[bucket] += 1;
    this.#heapOf(slot, bucket)?.push(slot);
  }

  #leave(slot: Slot, bucket: Bucket): void {
    slot.bucket = null;
    this.#count[bucket] -= 1;
    this.#heapOf(slot, bucket)?.remove(slot);
  }

  #heapOf({ record }: Slot, bucket: Bucket): IndexedHeap<Slot> | null {
    if (bucket === "released") return this.#released;
    if (bucket !== "cooling") return null;
    return record.reservation === null ? this.#cooling : this.#coolingReserved;
  }
}

function coolsBefore({ record: a }: Slot, { record: b }: Slot): boolean {
  return (a.untilMs ?? 0) < (b.untilMs ?? 0);
}

/** Longest released first; equal instants in the order of their revisions. */
function wasReleasedBefore({ record: a }: Slot, { record: b }: Slot): boolean {
  return a.sinceMs < b.sinceMs || (a.sinceMs === b.sinceMs && a.version < b.version);
}

function sum(ranges: readonly AddressRange[]): bigint {
  return ranges.reduce((total, range) => total + rangeSize(range), 0n);
}
