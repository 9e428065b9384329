/**
 * The decision which address of a pool an attachment gets. Pure: it reads and answers, it changes nothing.
 *
 * Wishes go before the pool's own order (see pool.ts): first the address asked for, which is granted or
 * refused, never replaced; then an address reserved for the sticky name; then the one that this name (or, for
 * a take-over after a reboot, this attachment) had last, if nobody else took it; then the pool's next.
 *
 * A cooling address is granted before its time only to whom it was released by: the same sticky name, or the
 * same container ID and interface name. Nobody else's traffic can reach the wrong holder then, and a container
 * with a fixed address can be restarted without waiting.
 */

import type { Address } from "../addr/address.ts";
import type { FairleadError } from "../errors.ts";
import type { Pool, Slot } from "./pool.ts";
import { addressInUse, poolExhausted } from "./refusal.ts";
import type { LeaseRecord } from "./store.ts";

/** Who asks, and for what. */
export interface Wish {
  readonly containerId: string;
  readonly ifname: string;
  /** Empty: none. */
  readonly stickyName: string;
  readonly requested: Address | null;
  /** Held by this attachment until now; taken again when it can be. */
  readonly previous: Address | null;
}

/** What the allocator may look at beside the pool. */
export interface AddressBook {
  readonly networkName: string;
  slotAt(address: Address): Slot | undefined;
  /** Slots whose last holder or reservation has this sticky name. */
  stickySlots(stickyName: string): Iterable<Slot>;
}

/**
 * Chooses an address of `pool`, which must be settled at `nowMs`.
 *
 * @throws address-in-use for a requested address, pool-exhausted otherwise.
 */
export function chooseAddress(pool: Pool, book: AddressBook, wish: Wish, nowMs: number): Address {
  if (wish.requested !== null) return grantRequested(book, wish, wish.requested, nowMs);
  if (wish.previous !== null && refusalOf(book, wish, wish.previous, nowMs) === null) return wish.previous;
  const sticky = stickyAddress(pool, book, wish, nowMs);
  if (sticky !== null) return sticky;
  const value = pool.next();
  if (value === null) throw poolExhausted(book.networkName, pool);
  return { family: pool.family, value };
}

function grantRequested(book: AddressBook, wish: Wish, address: Address, nowMs: number): Address {
  const refusal = refusalOf(book, wish, address, nowMs);
  if (refusal !== null) throw refusal;
  return address;
}

function refusalOf(book: AddressBook, wish: Wish, address: Address, nowMs: number): FairleadError | null {
  const record = book.slotAt(address)?.record;
  if (record === undefined || mayHave(record, wish, nowMs)) return null;
  return addressInUse("acquire address", record, nowMs);
}

/**
 * True when whoever wishes may be granted `record`'s address at `nowMs`, having asked for it.
 *
 * Also true of what is taken over after a reboot: what is bound cannot be reserved, so its holder has asked for it.
 */
function mayHave(record: LeaseRecord, wish: Wish, nowMs: number): boolean {
  if (record.state === "bound" || record.quarantine !== null) return false;
  const isCooling = record.untilMs !== null && record.untilMs > nowMs;
  if (isCooling && !wasReleasedBy(record, wish)) return false;
  const owner = record.reservation?.stickyName ?? "";
  return owner === "" || owner === wish.stickyName;
}

function wasReleasedBy(record: LeaseRecord, wish: Wish): boolean {
  if (wish.stickyName !== "" && record.stickyName === wish.stickyName) return true;
  return record.containerId === wish.containerId && record.ifname === wish.ifname;
}

/** Reserved for the name, else the one that it was granted last. */
function stickyAddress(pool: Pool, book: AddressBook, wish: Wish, nowMs: number): Address | null {
  if (wish.stickyName === "") return null;
  let best: LeaseRecord | null = null;
  for (const { pool: home, record } of book.stickySlots(wish.stickyName)) {
    if (home !== pool || !mayHave(record, wish, nowMs)) continue;
    if (isFree(record) && (best === null || rank(record, wish) > rank(best, wish))) best = record;
  }
  return best?.address ?? null;
}

/** A nameless reservation is for those who ask for the address, which a sticky name does not. */
function isFree({ reservation }: LeaseRecord): boolean {
  return reservation === null || reservation.stickyName !== "";
}

function rank(record: LeaseRecord, wish: Wish): number {
  return record.reservation?.stickyName === wish.stickyName ? Number.MAX_SAFE_INTEGER : record.sequence;
}
