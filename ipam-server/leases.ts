/** Lists of leases. */

import { compareAddresses, parseAddress } from "../lib/addr/address.ts";
import type { Lease, LeaseFilter, LeaseState } from "../lib/ipam/api.ts";
import type { LeaseRecord } from "../lib/ipam/store.ts";
import type { NetworkState } from "./network-state.ts";
import type { State } from "./state.ts";
import { stateAt, viewLease } from "./views.ts";

interface Entry {
  readonly network: NetworkState;
  readonly record: LeaseRecord;
  readonly state: LeaseState;
}

/** Every address that is not free and that the filter lets through, by network name and address. */
export function listLeases(state: State, filter: LeaseFilter, nowMs: number): Lease[] {
  return [...entries(state, filter, nowMs)]
    .sort(byPlace)
    .map(({ network, record, state }) => viewLease(network, record, state));
}

function* entries(state: State, filter: LeaseFilter, nowMs: number): Generator<Entry> {
  for (const network of networksOf(state, filter)) {
    for (const record of recordsOf(network, filter)) {
      const leaseState = stateAt(record, nowMs);
      if (leaseState !== null && matches(record, leaseState, filter))
        yield { network, record, state: leaseState };
    }
  }
}

function networksOf(state: State, { networkName }: LeaseFilter): Iterable<NetworkState> {
  if (networkName === undefined) return state.networks();
  const network = state.network(networkName);
  return network === undefined ? [] : [network];
}

function* recordsOf(network: NetworkState, { address }: LeaseFilter): Generator<LeaseRecord> {
  if (address === undefined) {
    for (const { record } of network.slots()) yield record;
    return;
  }
  const record = network.slotAt(parseAddress(address))?.record;
  if (record !== undefined) yield record;
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

function byPlace(a: Entry, b: Entry): number {
  if (a.network !== b.network) return a.network.networkName < b.network.networkName ? -1 : 1;
  return compareAddresses(a.record.address, b.record.address);
}

/** How many addresses are in each state. One pass over all records. */
export function countStates(state: State, nowMs: number): Record<LeaseState, number> {
  const counts = { bound: 0, cooling: 0, quarantined: 0, reserved: 0 };
  for (const network of state.networks()) {
    for (const { record } of network.slots()) {
      const leaseState = stateAt(record, nowMs);
      if (leaseState !== null) counts[leaseState] += 1;
    }
  }
  return counts;
}
