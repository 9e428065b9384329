/** Network status: what CNI STATUS asks, whether an ADD would get its addresses. */
import { FairleadError } from "../../lib/errors.ts";
import type { NetworkStatus, NetworkStatusRequest } from "../../lib/ipam/api.ts";
import type { Pool } from "../../lib/ipam/pool.ts";
import { describeUsage, quotaExceeded, withoutAddresses } from "../../lib/ipam/refusal.ts";
import { checkName } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Transaction } from "../state/transaction.ts";
import { declareNetwork } from "./declare.ts";
import { networkNamed, type Settings } from "./networks.ts";

/**
 * Whether an acquire with no wishes would be served, and how the pools are used. To be run as a preview: it
 * declares what the request declares, to see whether that would be accepted.
 */
export function networkStatus(
  tx: Transaction,
  request: NetworkStatusRequest,
  { settings, impediment }: { settings: Settings; impediment: FairleadError | null },
): NetworkStatus {
  const networkName = checkName("network status", "networkName", request.networkName);
  try {
    const { network, pools } = resolve(tx, request, settings);
    for (const pool of pools) pool.settle(tx.nowMs);
    const reason = impediment?.message ?? shortage(network, pools);
    return { networkName, ready: reason === "", reason, pools: pools.map((pool) => pool.usage()) };
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return { networkName, ready: false, reason: error.message, pools: [] };
  }
}

function resolve(
  tx: Transaction,
  { networkName, declaration }: NetworkStatusRequest,
  settings: Settings,
): { network: NetworkState; pools: readonly Pool[] } {
  if (declaration === undefined) {
    const network = networkNamed(tx, "network status", networkName);
    return { network, pools: network.pools };
  }
  const { network, pools } = declareNetwork(tx, { networkName, declaration }, settings);
  return { network, pools: pools.map((at) => network.pools[at]).filter((pool) => pool !== undefined) };
}

/** Why the network cannot take one more attachment; empty when it can. */
function shortage(network: NetworkState, pools: readonly Pool[]): string {
  if (pools.length === 0) return withoutAddresses(network.record).reason;
  const { maxAttachments } = network.record;
  if (maxAttachments !== null && network.attachmentCount >= maxAttachments) {
    return quotaExceeded(network.networkName, network.attachmentCount, maxAttachments).reason;
  }
  const empty = pools.find((pool) => pool.next() === null);
  return empty === undefined ? "" : `no address is free in ${describeUsage(empty)}`;
}
