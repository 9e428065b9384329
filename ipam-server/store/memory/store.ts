/** The store that keeps nothing: for tests, and for a service that may forget. */
import { randomBytes } from "node:crypto";
import { compareAddresses, formatAddress } from "../../../lib/addr/address.ts";
import type { FairleadError } from "../../../lib/errors.ts";
import {
  type Batch,
  type Change,
  type EventQuery,
  type EventRecord,
  type LeasePage,
  type LeaseRecord,
  type LeaseStore,
  type NetworkRecord,
  type StoreSnapshot,
  storeError,
} from "../../../lib/ipam/store.ts";
import { checkPlace, matchesQuery } from "../queries.ts";

const newLogId = (): string => randomBytes(16).toString("hex");

/** What survives the closing of a {@link MemoryStore}: hand it to the next one to reopen. */
export class MemoryDisk {
  epoch = 0;
  logId = newLogId();
  trimmedRevision = 0;
  events: EventRecord[] = [];
  networks = new Map<string, NetworkRecord>();
  leases = new Map<string, LeaseRecord>();
  /** Key of the bound lease of each owner: what a unique index is to a database. */
  owners = new Map<string, string>();
}

/** A copy to change; what is left unchanged is shared. */
interface Draft {
  readonly networks: Map<string, NetworkRecord>;
  /** Changed leases only; null where one was removed. */
  readonly leases: Map<string, LeaseRecord | null>;
  readonly removedNetworks: Set<string>;
}

/**
 * Keeps everything in the process: for tests, and for what may be lost with it. Nothing is durable, all the
 * rest is as with any other store.
 */
export class MemoryStore implements LeaseStore {
  readonly description = "memory";
  readonly epoch: number;
  readonly #disk: MemoryDisk;
  #isClosed = false;

  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
    disk.epoch += 1;
    this.epoch = disk.epoch;
  }

  get logId(): string {
    return this.#disk.logId;
  }

  get trimmedRevision(): number {
    return this.#disk.trimmedRevision;
  }

  renewLogId(): void {
    this.#checkOpen("renew log id");
    this.#disk.logId = newLogId();
  }

  load(): StoreSnapshot {
    this.#checkOpen("load state");
    const last = this.#disk.events.at(-1);
    return {
      revision: last?.revision ?? this.#disk.trimmedRevision,
      trimmedRevision: this.#disk.trimmedRevision,
      lastEventAtMs: last?.atMs ?? 0,
      networks: this.readNetworks(),
      leases: [...this.#disk.leases.values()],
    };
  }

  commit({ changes, events }: Batch): void {
    this.#checkOpen("commit");
    if (this.#disk.epoch !== this.epoch) throw this.#error("fenced", "another server has taken it over");
    this.#checkEvents(events);
    const draft: Draft = {
      networks: new Map(this.#disk.networks),
      leases: new Map(),
      removedNetworks: new Set(),
    };
    for (const change of changes) this.#apply(draft, change);
    this.#checkOwners(draft);
    this.#keep(draft, events);
  }

  readEvents(query: EventQuery): readonly EventRecord[] {
    this.#checkOpen("read events");
    const { events, trimmedRevision } = this.#disk;
    checkPlace(query.since, { trimmed: trimmedRevision, newest: trimmedRevision + events.length });
    const found: EventRecord[] = [];
    for (let at = query.since - trimmedRevision; at < events.length && found.length < query.limit; at++) {
      const event = events[at];
      if (event !== undefined && matchesQuery(event, query)) found.push(event);
    }
    return found;
  }

  eventsAt(revisions: readonly number[]): readonly EventRecord[] {
    this.#checkOpen("read events");
    const { events, trimmedRevision } = this.#disk;
    return revisions.flatMap((revision) => events[revision - trimmedRevision - 1] ?? []);
  }

  readLeases({ after, limit }: LeasePage): readonly LeaseRecord[] {
    this.#checkOpen("read leases");
    const sorted = [...this.#disk.leases.values()].sort(byKey);
    const rest = after === undefined ? sorted : sorted.filter((lease) => byKey(lease, after) > 0);
    return rest.slice(0, limit);
  }

  readNetworks(): readonly NetworkRecord[] {
    this.#checkOpen("read networks");
    return [...this.#disk.networks.values()];
  }

  trimEvents(revision: number): void {
    this.#checkOpen("trim events");
    const newest = this.#disk.trimmedRevision + this.#disk.events.length;
    const through = Math.min(revision, newest);
    if (through <= this.#disk.trimmedRevision) return;
    this.#disk.events = this.#disk.events.slice(through - this.#disk.trimmedRevision);
    this.#disk.trimmedRevision = through;
  }

  close(): void {
    this.#isClosed = true;
  }

  #checkEvents(events: readonly EventRecord[]): void {
    const { trimmedRevision, events: kept } = this.#disk;
    let expected = trimmedRevision + kept.length + 1;
    for (const { revision } of events) {
      if (revision !== expected)
        throw this.#error("conflict", `event ${revision} comes where ${expected} belongs`);
      expected += 1;
    }
  }

  #apply(draft: Draft, change: Change): void {
    if (change.kind === "network") this.#applyNetwork(draft, change.before, change.after);
    else this.#applyLease(draft, change.before, change.after);
  }

  #applyNetwork(
    { networks, removedNetworks }: Draft,
    before: NetworkRecord | null,
    after: NetworkRecord | null,
  ): void {
    const id = (after ?? before)?.id ?? "";
    if ((networks.get(id)?.version ?? null) !== (before?.version ?? null)) {
      throw this.#error("conflict", `network ${id} is not what memory holds`);
    }
    if (after === null) {
      networks.delete(id);
      removedNetworks.add(id);
      return;
    }
    const twin = [...networks.values()].find(({ name }) => name === after.name);
    if (twin !== undefined && twin.id !== id)
      throw this.#error("conflict", `there are two networks ${after.name}`);
    networks.set(id, after);
  }

  #applyLease(draft: Draft, before: LeaseRecord | null, after: LeaseRecord | null): void {
    const { networks, leases, removedNetworks } = draft;
    const record = after ?? before;
    if (record === null) return;
    const key = keyOf(record);
    const known = leases.has(key) ? leases.get(key) : this.#disk.leases.get(key);
    const stored = known && removedNetworks.has(known.networkId) ? null : known;
    if ((stored?.version ?? null) !== (before?.version ?? null)) {
      throw this.#error("conflict", `lease ${formatAddress(record.address)} is not what memory holds`);
    }
    if (after !== null && !networks.has(after.networkId)) {
      throw this.#error("conflict", `lease ${formatAddress(record.address)} is of no network`);
    }
    leases.set(key, after);
  }

  /** No two bound leases of one attachment and pool. */
  #checkOwners({ leases }: Draft): void {
    const owners = new Set<string>();
    for (const lease of leases.values()) {
      if (lease?.state !== "bound") continue;
      const owner = ownerOf(lease);
      const other = this.#disk.owners.get(owner);
      if (owners.has(owner) || (other !== undefined && !leases.has(other))) {
        throw this.#error("conflict", `attachment ${owner} would hold two addresses of a pool`);
      }
      owners.add(owner);
    }
  }

  #keep({ networks, leases, removedNetworks }: Draft, events: readonly EventRecord[]): void {
    this.#disk.networks = networks;
    for (const key of leases.keys()) this.#remove(key);
    for (const [key, lease] of leases) {
      if (lease === null) continue;
      this.#disk.leases.set(key, lease);
      if (lease.state === "bound") this.#disk.owners.set(ownerOf(lease), key);
    }
    if (removedNetworks.size > 0) {
      for (const [key, lease] of this.#disk.leases)
        if (removedNetworks.has(lease.networkId)) this.#remove(key);
    }
    this.#disk.events.push(...events);
  }

  #remove(key: string): void {
    const lease = this.#disk.leases.get(key);
    if (lease === undefined) return;
    this.#disk.leases.delete(key);
    if (lease.state === "bound") this.#disk.owners.delete(ownerOf(lease));
  }

  #checkOpen(operation: string): void {
    if (this.#isClosed) {
      throw storeError({ failure: "closed", operation, object: "memory", reason: "the store is closed" });
    }
  }

  #error(failure: "conflict" | "fenced", reason: string): FairleadError {
    return storeError({ failure, operation: "commit", object: "memory", reason });
  }
}

function keyOf({ addressSpace, address }: LeaseRecord): string {
  return `${addressSpace}/${formatAddress(address)}`;
}

function ownerOf({ networkId, containerId, ifname, pool }: LeaseRecord): string {
  return `${networkId}/${containerId}/${ifname}/${pool}`;
}

type LeaseKey = Pick<LeaseRecord, "addressSpace" | "address">;

function byKey(a: LeaseKey, b: LeaseKey): number {
  if (a.addressSpace !== b.addressSpace) return a.addressSpace < b.addressSpace ? -1 : 1;
  return compareAddresses(a.address, b.address);
}
