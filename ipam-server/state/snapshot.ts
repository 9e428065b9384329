/**
 * The leases as they were at one revision, read a piece at a time while the service goes on.
 *
 * Design: records are never changed, only replaced. So a snapshot copies nothing when it begins. It is told of each record
 * before it is replaced, keeps those of its own revision, and finds all others where they are. What it keeps grows with what
 * changes while it is read, not with what there is.
 *
 * To be begun where nothing is staged that may be taken back (`Engine.read`), and to be closed.
 */

import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { AddressMap } from "./address-map.ts";
import type { Attachment } from "./attachment-index.ts";
import { attachmentKey, type LeaseWatcher, type NetworkState } from "./network-state.ts";
import type { State } from "./state.ts";

export class Snapshot {
  /** When it was begun; addresses that have cooled down by then are free. */
  readonly nowMs: number;
  /** By name. */
  readonly networks: readonly NetworkSnapshot[];

  /** @param networkName of the one network that is wanted; absent: all. */
  constructor(state: State, nowMs: number, networkName?: string) {
    this.nowMs = nowMs;
    this.networks = state.networksByName(networkName).map((network) => new NetworkSnapshot(network));
  }

  /** Lets go of what was kept. Idempotent. */
  close(): void {
    for (const network of this.networks) network.close();
  }
}

export class NetworkSnapshot implements LeaseWatcher {
  readonly network: NetworkState;
  /** What changed addresses were; null: nothing. */
  readonly #before = { 4: new AddressMap<LeaseRecord | null>(), 6: new AddressMap<LeaseRecord | null>() };
  /** What changed attachments held, by {@link attachmentKey}. */
  readonly #held = new Map<string, readonly LeaseRecord[]>();
  readonly #stop: () => void;

  constructor(network: NetworkState) {
    this.network = network;
    this.#stop = network.watchLeases(this);
  }

  beforeChange(before: LeaseRecord | null, after: LeaseRecord | null): void {
    const address = (before ?? after)?.address;
    if (address === undefined) return;
    const known = this.#before[address.family];
    if (!known.has(address.value)) known.set(address.value, before);
    for (const lease of [before, after]) if (lease?.state === "bound") this.#keepAttachment(lease);
  }

  #keepAttachment({ containerId, ifname }: LeaseRecord): void {
    const key = attachmentKey(containerId, ifname);
    if (!this.#held.has(key)) this.#held.set(key, this.network.attachment(containerId, ifname));
  }

  /** Every record, by address, IPv4 first. May be read with pauses. */
  *records(): Generator<LeaseRecord> {
    yield* this.#recordsOf(4);
    yield* this.#recordsOf(6);
  }

  *#recordsOf(family: 4 | 6): Generator<LeaseRecord> {
    const [now, before] = [this.network.slotsOf(family), this.#before[family]];
    // A block that comes later has nothing of this revision; one that goes is among those that changed.
    const numbers = [...new Set([...now.blockNumbers(), ...before.blockNumbers()])].sort(ascending);
    for (const number of numbers) yield* this.#block(family, number);
  }

  /** Collected in one go: the maps change while others have their turn. */
  #block(family: 4 | 6, number: bigint): readonly LeaseRecord[] {
    const now = this.network.slotsOf(family).block(number);
    const before = this.#before[family].block(number);
    const values = [...new Set([...now.keys(), ...before.keys()])].sort(ascending);
    return values.flatMap((value) => {
      const kept = before.get(value);
      return (kept === undefined ? now.get(value)?.record : kept) ?? [];
    });
  }

  /** What an attachment held; empty: there was none. */
  attachment(containerId: string, ifname: string): readonly LeaseRecord[] {
    return this.#held.get(attachmentKey(containerId, ifname)) ?? this.network.attachment(containerId, ifname);
  }

  /** How many leases the index of attachments had, counted a piece at a time: each yield is a place to pause. */
  *countIndexed(): Generator<undefined, number> {
    let count = 0;
    for (const chunk of this.network.attachmentChunks()) {
      for (const one of chunk) if (!this.#isChanged(one)) count += one.leases.length;
      yield;
    }
    for (const leases of this.#held.values()) count += leases.length;
    return count;
  }

  #isChanged({ containerId, ifname }: Attachment<NetworkState>): boolean {
    return this.#held.has(attachmentKey(containerId, ifname));
  }

  close(): void {
    this.#stop();
  }
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
