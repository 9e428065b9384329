/**
 * The decision which address of a pool an attachment gets. Pure: it reads and answers, it changes nothing.
 *
 * Wishes go before the pool's own order (see pool.ts): first the address asked for, which is granted or
 * refused, never replaced; then an address reserved for the sticky name; then the one that this attachment had
 * last, or this sticky name, if nobody else took it; then the pool's next.
 *
 * Cooling is a preference of the pool's own order. Who asks for an address by its text, or by the key or the name
 * that had it last, means this very address and gets it although it cools (docs/adr/0028-cooling-prefers.md).
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
  /** Slots that nobody holds, and whose last holder or reservation has this sticky name. */
  stickySlots(stickyName: string): Iterable<Slot>;
  /** Slots that nobody holds, and that this container held last. */
  slotsLeftBy(containerId: string): Iterable<Slot>;
}

/**
 * Chooses an address of `pool`, which must be settled.
 *
 * @throws address-in-use for a requested address, pool-exhausted otherwise.
 */
export function chooseAddress(pool: Pool, book: AddressBook, wish: Wish): Address {
  if (wish.requested !== null) return grantRequested(book, wish, wish.requested);
  if (wish.previous !== null && refusalOf(book, wish, wish.previous) === null) return wish.previous;
  const known = knownAddress(pool, book, wish);
  if (known !== null) return known;
  const value = pool.next();
  if (value === null) throw poolExhausted(book.networkName, pool);
  return { family: pool.family, value };
}

function grantRequested(book: AddressBook, wish: Wish, address: Address): Address {
  const refusal = refusalOf(book, wish, address);
  if (refusal !== null) throw refusal;
  return address;
}

function refusalOf(book: AddressBook, wish: Wish, address: Address): FairleadError | null {
  const record = book.slotAt(address)?.record;
  if (record === undefined || mayHave(record, wish)) return null;
  return addressInUse("acquire address", record);
}

/**
 * True when whoever wishes may be granted `record`'s address, having asked for it.
 *
 * Also true of what is taken over after a reboot: what is bound cannot be reserved, so its holder has asked for it.
 */
function mayHave(record: LeaseRecord, wish: Wish): boolean {
  if (record.state === "bound" || record.quarantine !== null) return false;
  const owner = record.reservation?.stickyName ?? "";
  return owner === "" || owner === wish.stickyName;
}

/** The best of those that the wish's name or key had last, or that are reserved for the name. */
function knownAddress(pool: Pool, book: AddressBook, wish: Wish): Address | null {
  let best: LeaseRecord | null = null;
  for (const { pool: home, record } of candidates(book, wish)) {
    if (home !== pool || !mayHave(record, wish) || !isFree(record)) continue;
    if (best === null || isBetter(record, best, wish)) best = record;
  }
  return best?.address ?? null;
}

function* candidates(book: AddressBook, { stickyName, containerId }: Wish): Generator<Slot> {
  if (stickyName !== "") yield* book.stickySlots(stickyName);
  yield* book.slotsLeftBy(containerId);
}

/** A nameless reservation is for those who ask for the address, which a name does not. */
function isFree({ reservation }: LeaseRecord): boolean {
  return reservation === null || reservation.stickyName !== "";
}

function isBetter(a: LeaseRecord, b: LeaseRecord, wish: Wish): boolean {
  return rank(a, wish) - rank(b, wish) > 0 || (rank(a, wish) === rank(b, wish) && a.sequence > b.sequence);
}

/**
 * A reservation first. Then the attachment's own: of two containers of one name each gets its own back when it is
 * restarted. Then what the name had, on the same interface where it had several; the latest where that is equal.
 */
function rank(record: LeaseRecord, { stickyName, containerId, ifname }: Wish): number {
  if (stickyName !== "" && record.reservation?.stickyName === stickyName) return 4;
  const isSameInterface = record.ifname === ifname;
  if (record.containerId === containerId) return isSameInterface ? 3 : 0;
  return isSameInterface ? 2 : 1;
}
