/** What the operations begin with when they write down an address for the first time. */
import type { Address } from "../../lib/addr/address.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Transaction, Unversioned } from "../state/transaction.ts";

/** A record for an address that nobody ever had. */
export function blank(tx: Transaction, network: NetworkState, address: Address): Unversioned<LeaseRecord> {
  return {
    addressSpace: network.record.addressSpace,
    address,
    networkId: network.record.id,
    pool: network.subnetOf(address)?.pool ?? 0,
    state: "cooling",
    sequence: 0,
    containerId: "",
    ifname: "",
    node: "",
    bootId: "",
    mac: "",
    names: [],
    stickyName: "",
    acquiredAtMs: null,
    sinceMs: tx.nowMs,
    untilMs: null,
    reservation: null,
    quarantine: null,
  };
}

/** Keeps an address that there is no record of out of use, until an administrator says otherwise. */
export function quarantineUnknown(
  tx: Transaction,
  network: NetworkState,
  { address, reason }: { readonly address: Address; readonly reason: string },
): void {
  const after = { ...blank(tx, network, address), state: "quarantined" as const, quarantine: reason };
  tx.changeLease(network, { before: null, after }, { kind: "lease-quarantined", reason });
}
