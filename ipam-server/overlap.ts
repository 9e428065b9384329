import { type Address, formatAddress } from "../lib/addr/address.ts";
import { formatPrefix, type Prefix } from "../lib/addr/prefix.ts";
import { rangesOverlap } from "../lib/addr/range.ts";
import { FairleadError } from "../lib/errors.ts";
import type { LeaseRecord, PoolRecord } from "../lib/ipam/store.ts";
import { subnetRanges } from "../lib/ipam/subnet.ts";
import type { NetworkState } from "./network-state.ts";
import type { Transaction } from "./transaction.ts";
import { stateAt } from "./views.ts";

/** True while somebody holds, or is to have, the address of this record. What cools down is free to go. */
export function isHeld(record: LeaseRecord, nowMs: number): boolean {
  const state = stateAt(record, nowMs);
  return state !== null && state !== "cooling";
}

/**
 * Sees to it that no other network of the address space has these subnets, whole or in part. One that a conflist declared and
 * that holds nothing gives way: its conflist was renamed, corrected or removed, and if not, it is declared again by its next ADD.
 *
 * @throws subnet-overlap, naming the other network.
 */
export function makeRoom(
  tx: Transaction,
  owner: { readonly networkName: string; readonly addressSpace: string },
  pools: readonly PoolRecord[],
): void {
  const wanted = pools.flatMap(({ subnets }) => subnets);
  const ranges = subnetRanges(pools);
  for (const other of tx.state.networksOf(owner.addressSpace)) {
    if (other.networkName === owner.networkName) continue;
    for (const taken of other.subnets) {
      const clash = wanted[ranges.findIndex((range) => rangesOverlap(range, taken))];
      if (clash === undefined) continue;
      if (!givesWay(other, tx.nowMs)) throw overlap(owner, clash.subnet, other, taken.first);
      tx.removeNetwork(other);
      break;
    }
  }
}

function givesWay(network: NetworkState, nowMs: number): boolean {
  if (network.record.origin !== "conflist") return false;
  for (const { record } of network.slots()) if (isHeld(record, nowMs)) return false;
  return true;
}

function overlap(
  { networkName, addressSpace }: { networkName: string; addressSpace: string },
  wanted: Prefix,
  other: NetworkState,
  taken: Address,
): FairleadError {
  const subnet = formatPrefix(wanted);
  const otherNetwork = other.networkName;
  const held = other.subnetOf(taken)?.subnet.subnet;
  const otherSubnet = held === undefined ? formatAddress(taken) : formatPrefix(held);
  return new FairleadError({
    code: "subnet-overlap",
    operation: "add subnet",
    object: `${subnet} to network ${networkName}`,
    reason: `network ${otherNetwork} has ${otherSubnet} in address space ${addressSpace} already`,
    hint: `choose another subnet, remove network ${otherNetwork}, or, if the two can never meet, set addressSpace`,
    details: { rule: "subnet-overlap", networkName, subnet, otherNetwork, otherSubnet, addressSpace },
  });
}
