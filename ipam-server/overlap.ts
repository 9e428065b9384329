import { type Address, formatAddress } from "../lib/addr/address.ts";
import { formatPrefix, type Prefix } from "../lib/addr/prefix.ts";
import { rangesOverlap } from "../lib/addr/range.ts";
import { FairleadError } from "../lib/errors.ts";
import type { PoolRecord } from "../lib/ipam/store.ts";
import { subnetRanges } from "../lib/ipam/subnet.ts";
import type { NetworkState } from "./network-state.ts";
import type { State } from "./state.ts";

/**
 * Refuses subnets that another network of the same address space has, whole or in part.
 *
 * @throws subnet-overlap, naming the other network.
 */
export function refuseOverlap(
  state: State,
  owner: { readonly networkName: string; readonly addressSpace: string },
  pools: readonly PoolRecord[],
): void {
  const wanted = pools.flatMap(({ subnets }) => subnets);
  const ranges = subnetRanges(pools);
  for (const other of state.networksOf(owner.addressSpace)) {
    if (other.networkName === owner.networkName) continue;
    for (const taken of other.subnets) {
      const clash = wanted[ranges.findIndex((range) => rangesOverlap(range, taken))];
      if (clash !== undefined) throw overlap(owner, clash.subnet, other, taken.first);
    }
  }
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
