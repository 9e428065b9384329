import { formatPrefix, prefixesOverlap } from "../lib/addr/prefix.ts";
import { FairleadError } from "../lib/errors.ts";
import type { PoolRecord } from "../lib/ipam/store.ts";
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
  const wanted = pools.flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet));
  for (const other of state.networksOf(owner.addressSpace)) {
    if (other.networkName === owner.networkName) continue;
    for (const { subnet: taken } of other.record.pools.flatMap(({ subnets }) => subnets)) {
      const clash = wanted.find((subnet) => prefixesOverlap(subnet, taken));
      if (clash !== undefined)
        throw overlap(owner, formatPrefix(clash), other.networkName, formatPrefix(taken));
    }
  }
}

function overlap(
  { networkName, addressSpace }: { networkName: string; addressSpace: string },
  subnet: string,
  otherNetwork: string,
  otherSubnet: string,
): FairleadError {
  return new FairleadError({
    code: "subnet-overlap",
    operation: "add subnet",
    object: `${subnet} to network ${networkName}`,
    reason: `network ${otherNetwork} has ${otherSubnet} in address space ${addressSpace} already`,
    hint: `choose another subnet, remove network ${otherNetwork}, or, if the two can never meet, set addressSpace`,
    details: { networkName, subnet, otherNetwork, otherSubnet, addressSpace },
  });
}
