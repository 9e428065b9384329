/** Release and GC: what was held goes into cooling. */

import { formatAddress } from "../lib/addr/address.ts";
import type { AttachmentKey, Caller, GcRequest, ReleaseRequest, ReleaseResponse } from "../lib/ipam/api.ts";
import type { LeaseRecord } from "../lib/ipam/store.ts";
import { checkKey, checkName, parseInstant } from "../lib/ipam/validate.ts";
import { attachmentKey, type NetworkState } from "./network-state.ts";
import type { State } from "./state.ts";
import type { Transaction } from "./transaction.ts";

const OPERATION = "release address";

/** Ends the stay of one bound lease: it cools down, or stays in quarantine if it was put there meanwhile. */
export function releaseLease(
  tx: Transaction,
  network: NetworkState,
  lease: LeaseRecord,
  reason: string,
): void {
  const after = {
    ...lease,
    state: lease.quarantine === null ? ("cooling" as const) : ("quarantined" as const),
    sinceMs: tx.nowMs,
    untilMs: tx.nowMs + network.record.coolingSeconds * 1000,
  };
  tx.changeLease(network, lease, after, { kind: "lease-released", reason });
}

/**
 * Releases what `key` holds on the caller's node, except what was acquired at or after `acquiredBefore`.
 * A caller without a node (an administrator) releases on any node.
 *
 * What another node holds is left alone: a failed ADD there is followed by a DEL there, and must not take the
 * address away from the container that has it here.
 */
export function release(tx: Transaction, request: ReleaseRequest, caller: Caller): ReleaseResponse {
  const { networkName, containerId, ifname } = checkKey(OPERATION, request.key);
  const network = tx.state.network(networkName);
  if (network === undefined) return { released: [] };
  const limitMs =
    request.acquiredBefore === undefined
      ? Number.POSITIVE_INFINITY
      : parseInstant(OPERATION, "acquiredBefore", request.acquiredBefore);
  const released = network
    .attachment(containerId, ifname)
    .filter((lease) => isOnNode(lease, caller) && (lease.acquiredAtMs ?? 0) < limitMs);
  for (const lease of released) releaseLease(tx, network, lease, "");
  return { released: released.map(({ address }) => formatAddress(address)) };
}

function isOnNode(lease: LeaseRecord, { node }: Caller): boolean {
  return node === "" || lease.node === node;
}

/** An attachment that a GC found without a living counterpart, as it was at `revision`. */
export interface Stale {
  readonly containerId: string;
  readonly ifname: string;
  readonly revision: number;
}

/** Attachments of the caller's node that are not among the valid ones. */
export function findStale(state: State, request: GcRequest, caller: Caller): Stale[] {
  const network = state.network(checkName("collect garbage", "networkName", request.networkName));
  if (network === undefined) return [];
  const valid = new Set(
    request.validAttachments.map(({ containerId, ifname }) => attachmentKey(containerId, ifname)),
  );
  const stale: Stale[] = [];
  for (const { containerId, ifname, leases } of network.attachments()) {
    if (leases[0]?.node !== caller.node) continue;
    if (!valid.has(attachmentKey(containerId, ifname)))
      stale.push({ containerId, ifname, revision: state.revision });
  }
  return stale;
}

/** Releases the stale attachments that nobody acquired again since they were found. */
export function collect(
  tx: Transaction,
  networkName: string,
  { stale, caller }: { stale: readonly Stale[]; caller: Caller },
): AttachmentKey[] {
  const network = tx.state.network(networkName);
  if (network === undefined) return [];
  const released: AttachmentKey[] = [];
  for (const { containerId, ifname, revision } of stale) {
    const leases = network.attachment(containerId, ifname);
    const isUnchanged = leases.every((lease) => lease.version <= revision && lease.node === caller.node);
    if (leases.length === 0 || !isUnchanged) continue;
    for (const lease of leases) releaseLease(tx, network, lease, "not among the valid attachments");
    released.push({ networkName, containerId, ifname });
  }
  return released;
}
