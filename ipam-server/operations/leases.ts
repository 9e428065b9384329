/** Lists of leases. */

import { parseAddress } from "../../lib/addr/address.ts";
import type { Lease, LeaseFilter, LeaseState } from "../../lib/ipam/api.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Snapshot } from "../state/snapshot.ts";
import type { State } from "../state/state.ts";
import { stateAt, viewLease } from "../state/views.ts";

/** True when indexes find what the filter lets through, whatever the number of leases. */
export function isNarrow({ address, containerId }: LeaseFilter): boolean {
  return address !== undefined || containerId !== undefined;
}

/** What a narrow filter lets through, by network name and address: O(networks). */
export function findLeases(state: State, filter: LeaseFilter, nowMs: number): Lease[] {
  return state
    .networksByName(filter.networkName)
    .flatMap((network) =>
      recordsOf(network, filter).flatMap((record) => leaseOf(network, record, { filter, nowMs }) ?? []),
    );
}

/** Every lease of a snapshot that the filter lets through, by network name and address; undefined for one that it does not. */
export function* leasesOf(snapshot: Snapshot, filter: LeaseFilter): Generator<Lease | undefined> {
  const asked = { filter, nowMs: snapshot.nowMs };
  for (const each of snapshot.networks) {
    for (const record of each.records()) yield leaseOf(each.network, record, asked);
  }
}

interface Asked {
  readonly filter: LeaseFilter;
  readonly nowMs: number;
}

function leaseOf(network: NetworkState, record: LeaseRecord, { filter, nowMs }: Asked): Lease | undefined {
  const state = stateAt(record, nowMs);
  return state !== null && matches(record, state, filter) ? viewLease(network, record, state) : undefined;
}

/** By address. */
function recordsOf(network: NetworkState, { address, containerId = "" }: LeaseFilter): LeaseRecord[] {
  if (address === undefined) return network.recordsOfContainer(containerId);
  const record = network.slotAt(parseAddress(address))?.record;
  return record === undefined ? [] : [record];
}

/** A reserved address has no holder, also where its record remembers the last one. */
function matches(record: LeaseRecord, state: LeaseState, filter: LeaseFilter): boolean {
  const isHolders = state !== "reserved";
  return (
    (filter.state === undefined || filter.state === state) &&
    (filter.containerId === undefined || (isHolders && record.containerId === filter.containerId)) &&
    (filter.node === undefined || (isHolders && record.node === filter.node))
  );
}

/** How many addresses are in each state: O(networks), and those that are in no pool one by one. */
export function countStates(state: State, nowMs: number): Record<LeaseState, number> {
  const counts = { bound: 0, cooling: 0, quarantined: 0, reserved: 0 };
  for (const network of state.networks()) countNetwork(network, nowMs, counts);
  return counts;
}

function countNetwork(network: NetworkState, nowMs: number, counts: Record<LeaseState, number>): void {
  for (const pool of network.pools) {
    pool.settle(nowMs);
    for (const [state, count] of Object.entries(pool.counts) as [LeaseState, number][])
      counts[state] += count;
  }
  for (const { record } of network.strays) {
    const state = stateAt(record, nowMs);
    if (state !== null) counts[state] += 1;
  }
}
