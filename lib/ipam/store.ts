/**
 * What the IPAM service keeps on durable storage, and the one small interface behind which it keeps it.
 *
 * The service holds everything in memory and is the only writer. A store never decides anything: it loads the
 * whole state once, makes one batch of changes durable at a time, and serves the event log. Every change names
 * the version that it replaces, so that a store refuses what memory should never have decided: a second grant
 * of one address, or a write by a server that has been superseded.
 *
 * An implementation is right when it passes `leaseStoreContract` (test/contract/lease-store.ts).
 */

import type { Address } from "../addr/address.ts";
import type { Prefix } from "../addr/prefix.ts";
import type { AddressRange } from "../addr/range.ts";
import { FairleadError } from "../errors.ts";
import type { EventKind, LeaseState, Network } from "./api.ts";

/** One subnet of a pool, with what may be handed out of it. All bounds are inclusive. */
export interface SubnetRecord {
  readonly subnet: Prefix;
  readonly gateway: Address | null;
  /** True when the gateway was named by whoever made the network. */
  readonly gatewayGiven: boolean;
  /** The part that addresses are handed out of unasked, as it was given; null: the whole subnet. */
  readonly ipRange: Prefix | null;
  /** Addresses handed out unasked. */
  readonly ranges: readonly AddressRange[];
  /** Addresses that a caller may ask for: `ranges`, or every host where only a part is handed out unasked. */
  readonly askable: readonly AddressRange[];
  readonly exclusions: readonly AddressRange[];
  readonly auxAddresses: Readonly<Record<string, Address>>;
  readonly fromDefaultPool: boolean;
}

/** A pool: an attachment gets one address out of each. Its place in the network's list is its number. */
export interface PoolRecord {
  readonly family: 4 | 6;
  readonly subnets: readonly SubnetRecord[];
}

export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly origin: Network["origin"];
  readonly addressSpace: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly coolingSeconds: number;
  readonly maxAttachments: number | null;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly pools: readonly PoolRecord[];
  readonly createdAtMs: number;
  /** Revision of the event that last changed this record. */
  readonly version: number;
}

/** An address set aside. With a sticky name only that name may have it, else whoever asks for it by address. */
export interface Reservation {
  readonly reason: string;
  readonly stickyName: string;
}

/**
 * Everything known about one address that has ever been used, reserved or quarantined.
 *
 * The record of a released address stays, in state "cooling", also after `untilMs` has passed: then the
 * address is free (or reserved, when it has a reservation), and the record says when it was released. Nothing
 * is written when cooling ends, and no event tells of it.
 */
export interface LeaseRecord {
  readonly addressSpace: string;
  readonly address: Address;
  readonly networkId: string;
  /** Number of the pool that the holder got it from. */
  readonly pool: number;
  readonly state: LeaseState;
  /** Revision of the event that granted it; 0 while it was never granted. Grows with every grant. */
  readonly sequence: number;
  /** Revision of the event that last changed this record. */
  readonly version: number;
  /** Of the holder; of the last holder in every state but "bound". Empty when there never was one. */
  readonly containerId: string;
  readonly ifname: string;
  readonly node: string;
  readonly bootId: string;
  readonly mac: string;
  readonly names: readonly string[];
  readonly stickyName: string;
  /** Of the last acquire call that was answered with this address; null before the first. */
  readonly acquiredAtMs: number | null;
  /** When the present state was entered. */
  readonly sinceMs: number;
  /** Not granted before this instant; null when it was never released. */
  readonly untilMs: number | null;
  readonly reservation: Reservation | null;
  /** Why it is quarantined, or will be as soon as its holder gives it back; null when it is not. */
  readonly quarantine: string | null;
}

/** An event as it is stored: instants as numbers, the address as a value. */
export interface EventRecord {
  readonly revision: number;
  readonly atMs: number;
  readonly actor: string;
  readonly kind: EventKind;
  readonly networkName: string;
  /** Of the events about networks themselves; empty in others. */
  readonly networkId: string;
  readonly addressSpace: string;
  readonly address: Address | null;
  readonly containerId: string;
  readonly ifname: string;
  readonly node: string;
  readonly mac: string;
  readonly sequence: number;
  readonly reason: string;
}

/** Replaces `before` by `after`; null stands for "no record". Both name the same key. */
export type Change =
  | { readonly kind: "network"; readonly before: NetworkRecord | null; readonly after: NetworkRecord | null }
  | { readonly kind: "lease"; readonly before: LeaseRecord | null; readonly after: LeaseRecord | null };

/** What becomes durable together, or not at all. */
export interface Batch {
  /** In the order in which they were decided; one key may change several times. */
  readonly changes: readonly Change[];
  /** Without gaps, beginning with the revision after the last one that the store holds. */
  readonly events: readonly EventRecord[];
}

/** All that a service needs to begin. */
export interface StoreSnapshot {
  /** Revision of the newest event, 0 when there is none. */
  readonly revision: number;
  /** Events up to and including this revision have been removed; 0 when all are there. */
  readonly trimmedRevision: number;
  /** Instant of the newest event; 0 when there is none. */
  readonly lastEventAtMs: number;
  readonly networks: readonly NetworkRecord[];
  readonly leases: Iterable<LeaseRecord>;
}

export interface EventQuery {
  /** Only events with a higher revision. */
  readonly since: number;
  readonly limit: number;
  readonly networkName?: string;
  readonly addressSpace?: string;
  readonly address?: Address;
  readonly containerId?: string;
  readonly kind?: EventKind;
  /** Inclusive. */
  readonly fromMs?: number;
  /** Inclusive. */
  readonly toMs?: number;
}

/** One page of leases, ordered by address space and address. */
export interface LeasePage {
  /** The page begins behind this key; absent: at the beginning. */
  readonly after?: { readonly addressSpace: string; readonly address: Address };
  readonly limit: number;
}

/**
 * Durable storage of one service. Not for concurrent use: the service awaits each commit before the next.
 *
 * Opening a store takes it over: the epoch grows by one, and from then on no store object opened earlier can
 * commit. Implementations either refuse to open what another live server has open, or fence the other one.
 *
 * Failures are `FairleadError`s made by {@link storeError}; {@link storeFailureOf} tells them apart.
 */
export interface LeaseStore {
  /** Kind and place, for people: "sqlite /var/lib/fairlead/ipam.db". */
  readonly description: string;
  /** Grows by one with each opening. */
  readonly epoch: number;
  /** Names the event log; random, made with the store. 32 hexadecimal digits. */
  readonly logId: string;
  /** Events up to and including this revision have been removed; 0 when all are there. */
  readonly trimmedRevision: number;

  /** Gives the log another name: what followed the former one is not to go on here. Durable on return. */
  renewLogId(): void | Promise<void>;

  /** Reads the whole state. Called once, before the first commit. */
  load(): StoreSnapshot | Promise<StoreSnapshot>;

  /**
   * Makes `batch` durable, all of it or nothing. After an answer it survives a power cut.
   * @throws conflict when a `before` is not what the store holds, two bound records have one owner and pool,
   *   or the events leave a gap; fenced; full; io; sync. After any of them nothing of the batch is visible,
   *   except after `sync`, where it is unknown.
   */
  commit(batch: Batch): void | Promise<void>;

  /** Oldest first. @throws compacted when `since` is older than the oldest event kept, or newer than the newest. */
  readEvents(query: EventQuery): readonly EventRecord[] | Promise<readonly EventRecord[]>;

  /** The events with these revisions, in no order; those that are not there are left out. */
  eventsAt(revisions: readonly number[]): readonly EventRecord[] | Promise<readonly EventRecord[]>;

  readLeases(page: LeasePage): readonly LeaseRecord[] | Promise<readonly LeaseRecord[]>;

  readNetworks(): readonly NetworkRecord[] | Promise<readonly NetworkRecord[]>;

  /** Removes the events up to and including `revision`. A later `readEvents` before it throws `compacted`. */
  trimEvents(revision: number): void | Promise<void>;

  /** Gives the storage free. Idempotent. */
  close(): void | Promise<void>;
}

/**
 * What a store failed with.
 *
 * - `conflict`: storage and memory disagree. Nothing was written; memory cannot be trusted any more.
 * - `fenced`: another server has taken the storage over, or the storage was replaced.
 * - `full`: no space. Nothing was written; the same batch may succeed when there is space again.
 * - `io`: reading or writing failed. Nothing was written.
 * - `sync`: a flush failed, so what is durable is unknown. Never repeat it: only a new process that reads
 *   the storage afresh knows. (The kernel reports a failed write-back once and then forgets the pages.)
 * - `corrupt`: what was read is not what was written.
 * - `locked`: another live server has the storage open.
 * - `closed`: the store was closed before.
 */
export type StoreFailure = "conflict" | "fenced" | "full" | "io" | "sync" | "corrupt" | "locked" | "closed";

/** After these the process must end: its memory or its hold on the storage cannot be trusted. */
const FATAL: ReadonlySet<StoreFailure> = new Set<StoreFailure>(["conflict", "fenced", "sync", "corrupt"]);

export interface StoreErrorParts {
  readonly failure: StoreFailure;
  readonly operation: string;
  readonly object: string;
  readonly reason: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The error that a store throws; its class travels in `details.storeFailure`. */
export function storeError({ failure, ...parts }: StoreErrorParts): FairleadError {
  const code = failure === "corrupt" ? "io-failure" : failure === "conflict" ? "internal" : "unavailable";
  return new FairleadError({ ...parts, code, details: { storeFailure: failure } });
}

/** Class of a store's error, or null for an error that is none. */
export function storeFailureOf(error: unknown): StoreFailure | null {
  if (!(error instanceof FairleadError)) return null;
  const failure = error.details["storeFailure"];
  return typeof failure === "string" ? (failure as StoreFailure) : null;
}

/** True when the process must end rather than go on with this store. */
export function isFatal(failure: StoreFailure): boolean {
  return FATAL.has(failure);
}
