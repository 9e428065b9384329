/** Leases of boots of this node that are over: no network namespace of theirs exists any more. */

import type { LeaseRecord } from "../../lib/ipam/store.ts";
import type { Attachment } from "../state/attachment-index.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { State } from "../state/state.ts";
import type { Transaction } from "../state/transaction.ts";

/** This node, and its present boot. */
export interface NodeBoot {
  readonly node: string;
  readonly bootId: string;
}

/** Releases in one transaction, so that a large one does not hold others up. */
const MOST_AT_ONCE = 512;

/** True for a lease of a boot of the node that is over. One without a boot ID is nobody's to judge. */
export function isOfEarlierBoot(lease: LeaseRecord, { node, bootId }: NodeBoot): boolean {
  return lease.node === node && lease.bootId !== "" && lease.bootId !== bootId;
}

/** Some attachments of the node's earlier boots; none: there are no more. */
export function findOfEarlierBoots(state: State, boot: NodeBoot): Attachment<NetworkState>[] {
  const found: Attachment<NetworkState>[] = [];
  for (const network of state.networks()) {
    for (const attachment of network.attachments()) {
      const isOver = attachment.leases.every((lease) => isOfEarlierBoot(lease, boot));
      if (isOver) found.push(attachment);
      if (found.length === MOST_AT_ONCE) return found;
    }
  }
  return found;
}

/** Their addresses are free at once: whoever could remember them is gone with the boot. */
export function releaseOfEarlierBoots(
  tx: Transaction,
  attachments: readonly Attachment<NetworkState>[],
): void {
  for (const { owner, leases } of attachments) for (const lease of [...leases]) endStay(tx, owner, lease);
}

function endStay(tx: Transaction, network: NetworkState, lease: LeaseRecord): void {
  const state = lease.quarantine === null ? ("cooling" as const) : ("quarantined" as const);
  const after = { ...lease, state, sinceMs: tx.nowMs, untilMs: tx.nowMs };
  tx.changeLease(
    network,
    { before: lease, after },
    { kind: "lease-released", reason: "the node was booted since" },
  );
}
