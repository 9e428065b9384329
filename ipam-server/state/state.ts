/** What the service knows, in memory: networks by name and by ID, attachments, attempts. */
import type { AddressRange } from "../../lib/addr/range.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { LeaseRecord, NetworkRecord, StoreSnapshot } from "../../lib/ipam/store.ts";
import { AttachmentIndex } from "./attachment-index.ts";
import { Attempts } from "./attempts.ts";
import { NetworkState } from "./network-state.ts";
import type { RestingSubnets } from "./resting.ts";

/** Everything the service knows. Changed only through transactions (transaction.ts). */
export class State {
  /** Revision of the newest event, staged ones included. */
  revision = 0;
  /** Of every network; each network keeps its own part of it. */
  readonly attachments = new AttachmentIndex<NetworkState>();
  readonly attempts = new Attempts();
  /** After a restart: what the events tell (resting.ts). */
  #resting: readonly RestingSubnets[] = [];
  readonly #byName = new Map<string, NetworkState>();
  readonly #byId = new Map<string, NetworkState>();

  network(name: string): NetworkState | undefined {
    return this.#byName.get(name);
  }

  networkById(id: string): NetworkState | undefined {
    return this.#byId.get(id);
  }

  networks(): Iterable<NetworkState> {
    return this.#byName.values();
  }

  /** By name: all, or the one of this name where there is one. */
  networksByName(only?: string): NetworkState[] {
    if (only === undefined)
      return [...this.#byName.values()].sort((a, b) => (a.networkName < b.networkName ? -1 : 1));
    const network = this.#byName.get(only);
    return network === undefined ? [] : [network];
  }

  get networkCount(): number {
    return this.#byName.size;
  }

  /** Networks of one address space. */
  networksOf(addressSpace: string): NetworkState[] {
    return [...this.#byName.values()].filter(({ record }) => record.addressSpace === addressSpace);
  }

  /** The network by full ID, name, or an ID prefix that fits only one. @throws not-found */
  findNetwork(operation: string, wanted: string): NetworkState {
    const exact = this.#byId.get(wanted) ?? this.#byName.get(wanted);
    if (exact !== undefined) return exact;
    const isPrefix = /^[0-9a-f]+$/.test(wanted);
    const matches = isPrefix
      ? [...this.#byId.values()].filter(({ record }) => record.id.startsWith(wanted))
      : [];
    const [only] = matches;
    if (only !== undefined && matches.length === 1) return only;
    if (matches.length === 0) throw networkNotFound(operation, wanted);
    const names = matches.slice(0, 5).map(({ record }) => record.name);
    const reason = `${matches.length} IDs begin with it: ${names.join(", ")}`;
    throw new FairleadError({
      code: "not-found",
      operation,
      object: `network ${wanted}`,
      reason,
      hint: "write more of the ID",
      details: { rule: "network-ambiguous", network: wanted, matches: matches.length },
    });
  }

  insertNetwork(network: NetworkState): void {
    this.#byName.set(network.record.name, network);
    this.#byId.set(network.record.id, network);
  }

  deleteNetwork({ record }: NetworkState): void {
    this.#byName.delete(record.name);
    this.#byId.delete(record.id);
  }

  /** Lets the subnets of a network that goes rest as long as its addresses would; answers how to take that back. */
  rest({ record, subnets: ranges }: NetworkState, nowMs: number): () => void {
    const before = this.#resting;
    const { addressSpace, coolingSeconds } = record;
    const entry = { addressSpace, ranges, untilMs: nowMs + coolingSeconds * 1000 };
    this.#resting = [...before.filter(({ untilMs }) => untilMs > nowMs), entry];
    return () => {
      this.#resting = before;
    };
  }

  /** What rests since before a restart. */
  restAgain(resting: readonly RestingSubnets[]): void {
    this.#resting = [...this.#resting, ...resting];
  }

  restingRanges(addressSpace: string, nowMs: number): AddressRange[] {
    return this.#resting.flatMap((entry) =>
      entry.addressSpace === addressSpace && entry.untilMs > nowMs ? entry.ranges : [],
    );
  }
}

export function networkNotFound(operation: string, wanted: string): FairleadError {
  const network = wanted.slice(0, 255);
  return new FairleadError({
    code: "not-found",
    operation,
    object: `network ${network.slice(0, 80)}`,
    reason: "there is no such network",
    hint: "`fairlead ipam networks` lists those that exist; declare ranges for it, or make it: fairlead network create",
    details: { rule: "network-not-found", network },
  });
}

/**
 * Rebuilds the state out of what a store holds, and refuses what cannot have been written by a service.
 *
 * @throws io-failure when the snapshot contradicts itself.
 */
export function stateOf(snapshot: StoreSnapshot): State {
  const state = new State();
  state.revision = snapshot.revision;
  for (const record of snapshot.networks) insertLoaded(state, record);
  for (const lease of snapshot.leases) loadLease(state, lease);
  return state;
}

function insertLoaded(state: State, record: NetworkRecord): void {
  if (state.network(record.name) !== undefined)
    throw contradiction(`network ${record.name}`, "it is there twice");
  state.insertNetwork(new NetworkState(record, state.attachments));
}

function loadLease(state: State, lease: LeaseRecord): void {
  const network = state.networkById(lease.networkId);
  const object = `lease ${lease.containerId}/${lease.ifname}`;
  if (network === undefined) throw contradiction(object, `network ${lease.networkId} does not exist`);
  if (network.slotAt(lease.address) !== undefined) throw contradiction(object, "its address is there twice");
  network.replaceLease(null, lease);
}

function contradiction(object: string, reason: string): FairleadError {
  return new FairleadError({
    code: "io-failure",
    operation: "load state",
    object,
    reason,
    hint: "the store is damaged: restore a backup",
    details: { storeFailure: "corrupt" },
  });
}
