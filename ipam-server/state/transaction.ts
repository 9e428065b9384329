/** How what is in memory is changed: by transactions, whose changes can be committed together or taken back. */
import type { AttachmentKey, EventKind } from "../../lib/ipam/api.ts";
import type { Change, EventRecord, LeaseRecord, NetworkRecord } from "../../lib/ipam/store.ts";
import type { Attempt } from "./attempts.ts";
import { NetworkState } from "./network-state.ts";
import { restReason } from "./resting.ts";
import type { State } from "./state.ts";

/** A record without its version, which the transaction gives it. */
export type Unversioned<T> = Omit<T, "version">;

/** Where a group of transactions stands, to come back to. */
export interface Savepoint {
  readonly undo: number;
  readonly changes: number;
  readonly events: number;
  readonly revision: number;
}

/**
 * Changes of a group of requests: applied to memory at once, so that each request sees those before it, and
 * written down twice, for the store (what to commit) and as inverses (how to take them back).
 */
export class Staging {
  readonly state: State;
  readonly changes: Change[] = [];
  readonly events: EventRecord[] = [];
  readonly #undo: (() => void)[] = [];

  constructor(state: State) {
    this.state = state;
  }

  savepoint(): Savepoint {
    const { undo, changes, events } = { undo: this.#undo, changes: this.changes, events: this.events };
    return {
      undo: undo.length,
      changes: changes.length,
      events: events.length,
      revision: this.state.revision,
    };
  }

  /** Takes back everything since `savepoint`, newest first. */
  rollBack(savepoint: Savepoint): void {
    while (this.#undo.length > savepoint.undo) this.#undo.pop()?.();
    this.changes.length = savepoint.changes;
    this.events.length = savepoint.events;
    this.state.revision = savepoint.revision;
  }

  stage(change: Change, event: EventRecord, undo: () => void): void {
    this.changes.push(change);
    this.#undo.push(undo);
    this.note(event);
  }

  /** What is known in memory only. */
  alter(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** An event that goes with no change. */
  note(event: EventRecord): void {
    this.events.push(event);
    this.state.revision = event.revision;
  }
}

/** What an event says beside what follows from its subject. */
export interface EventFacts {
  readonly kind: EventKind;
  readonly reason?: string;
}

/** What a record was and what it becomes: one of both may be null. */
interface LeaseChange {
  readonly before: LeaseRecord | null;
  readonly after: Unversioned<LeaseRecord> | null;
}

/** One request's view of the state: what it may read, and the only ways to change it. */
export class Transaction {
  readonly state: State;
  /** One instant for the whole request. */
  readonly nowMs: number;
  readonly #staging: Staging;
  readonly #actor: string;

  constructor(staging: Staging, { actor, nowMs }: { actor: string; nowMs: number }) {
    this.state = staging.state;
    this.nowMs = nowMs;
    this.#staging = staging;
    this.#actor = actor;
  }

  /** Revision that the next change gets; the sequence of a grant is the revision of its event. */
  get nextRevision(): number {
    return this.state.revision + 1;
  }

  /** Replaces the record of one address of `network`. */
  changeLease(network: NetworkState, { before, after }: LeaseChange, facts: EventFacts): LeaseRecord | null {
    const record = after === null ? null : { ...after, version: this.nextRevision };
    const event = this.#event(facts, network.record, record ?? before);
    network.replaceLease(before, record);
    this.#staging.stage({ kind: "lease", before, after: record }, event, () =>
      network.replaceLease(record, before),
    );
    return record;
  }

  createNetwork(after: Unversioned<NetworkRecord>): NetworkState {
    const record = { ...after, version: this.nextRevision };
    const network = new NetworkState(record, this.state.attachments);
    const event = this.#event({ kind: "network-created" }, record);
    this.state.insertNetwork(network);
    const undo = () => this.state.deleteNetwork(network);
    this.#staging.stage({ kind: "network", before: null, after: record }, event, undo);
    return network;
  }

  changeNetwork(network: NetworkState, after: Unversioned<NetworkRecord>, reason: string): void {
    const before = network.record;
    const record = { ...after, version: this.nextRevision };
    const event = this.#event({ kind: "network-changed", reason }, record);
    network.replaceRecord(record);
    this.#staging.stage({ kind: "network", before, after: record }, event, () =>
      network.replaceRecord(before),
    );
  }

  /** Removes a network with every record of its addresses. */
  removeNetwork(network: NetworkState): void {
    const before = network.record;
    const reason = restReason(network.subnets, before.coolingSeconds);
    const event = this.#event({ kind: "network-removed", reason }, before);
    this.state.deleteNetwork(network);
    const wakeUp = this.state.rest(network, this.nowMs);
    const undo = () => {
      wakeUp();
      this.state.insertNetwork(network);
    };
    this.#staging.stage({ kind: "network", before, after: null }, event, undo);
  }

  /** Remembers a request by the name that its client gave it, unless the transaction fails. */
  rememberAttempt(key: AttachmentKey, name: string, attempt: Attempt): void {
    this.#staging.alter(this.state.attempts.remember(key, name, attempt));
  }

  /** Records something that concerns the server itself. */
  note(facts: EventFacts): void {
    this.#staging.note(this.#event(facts));
  }

  #event(
    { kind, reason = "" }: EventFacts,
    network?: NetworkRecord,
    lease?: LeaseRecord | null,
  ): EventRecord {
    return {
      revision: this.nextRevision,
      atMs: this.nowMs,
      actor: this.#actor,
      kind,
      networkName: network?.name ?? "",
      networkId: lease === undefined ? (network?.id ?? "") : "",
      addressSpace: network?.addressSpace ?? "",
      address: lease?.address ?? null,
      containerId: lease?.containerId ?? "",
      ifname: lease?.ifname ?? "",
      node: lease?.node ?? "",
      mac: lease?.mac ?? "",
      sequence: lease?.sequence ?? 0,
      reason,
    };
  }
}
