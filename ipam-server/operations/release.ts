/** Release and GC: what was held goes into cooling. */

import { formatAddress } from "../../lib/addr/address.ts";
import type {
  AttachmentKey,
  Caller,
  GcRequest,
  ReleaseRequest,
  ReleaseResponse,
} from "../../lib/ipam/api.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { checkAttempt, checkKey, checkName, checkText, parseInstant } from "../../lib/ipam/validate.ts";
import { NOTHING_DONE } from "../state/attempts.ts";
import { attachmentKey, type NetworkState } from "../state/network-state.ts";
import type { State } from "../state/state.ts";
import type { Transaction } from "../state/transaction.ts";

const OPERATION = "release address";

/** Ends the stay of one bound lease: it cools down, or stays in quarantine if it was put there meanwhile. */
export function releaseLease(
  tx: Transaction,
  network: NetworkState,
  { lease, reason }: { readonly lease: LeaseRecord; readonly reason: string },
): void {
  const after = {
    ...lease,
    state: lease.quarantine === null ? ("cooling" as const) : ("quarantined" as const),
    sinceMs: tx.nowMs,
    untilMs: tx.nowMs + network.record.coolingSeconds * 1000,
  };
  tx.changeLease(network, { before: lease, after }, { kind: "lease-released", reason });
}

/**
 * Releases what `key` holds on the caller's node, as far as the request means it.
 * A caller without a node (an administrator) releases on any node.
 *
 * What another node holds is left alone: a failed ADD there is followed by a DEL there, and must not take the
 * address away from the container that has it here.
 */
export function release(tx: Transaction, request: ReleaseRequest, caller: Caller): ReleaseResponse {
  const { networkName, containerId, ifname } = checkKey(OPERATION, request.key);
  const isMeant = meaningOf(tx, request);
  const isDone = carryOutOnce(tx, request);
  const network = tx.state.network(networkName);
  if (network === undefined) return { released: [], kept: [] };
  const held = network.attachment(containerId, ifname);
  const isTheirs = (lease: LeaseRecord) => request.anyNode === true || isOnNode(lease, caller);
  const meant = isDone ? [] : held.filter((lease) => isTheirs(lease) && isMeant(lease));
  const reason = checkText(OPERATION, "reason", request.reason);
  for (const lease of meant) releaseLease(tx, network, { lease, reason });
  if (isUndo(request)) undoDeclaration(tx, network, meant);
  const kept = held.filter((lease) => !meant.includes(lease));
  return { released: addressesOf(meant), kept: addressesOf(kept) };
}

/** Whoever names a grant takes it back; a DEL means whatever its container holds. */
function isUndo({ sequences, onlyAttempts }: ReleaseRequest): boolean {
  return sequences !== undefined || onlyAttempts === true;
}

/**
 * A network that was declared by the very grant that is taken back, and had no other, was never there, unless what was granted
 * is in quarantine.
 */
function undoDeclaration(tx: Transaction, network: NetworkState, taken: readonly LeaseRecord[]): void {
  const { origin, createdAtMs } = network.record;
  const isAsNew = (lease: LeaseRecord) => lease.acquiredAtMs === createdAtMs && lease.quarantine === null;
  const isOwn = taken.length > 0 && taken.every(isAsNew);
  if (origin === "conflist" && isOwn && network.slotCount === taken.length) tx.removeNetwork(network);
}

/** Which leases of its key a request means. */
function meaningOf(tx: Transaction, request: ReleaseRequest): (lease: LeaseRecord) => boolean {
  const { acquiredBefore, sequences, upToSequence = Number.POSITIVE_INFINITY } = request;
  const limitMs =
    acquiredBefore === undefined
      ? Number.POSITIVE_INFINITY
      : parseInstant(OPERATION, "acquiredBefore", acquiredBefore);
  const ofAttempts = request.onlyAttempts === true ? grantsOf(tx, request) : null;
  return ({ sequence, acquiredAtMs }) =>
    (acquiredAtMs ?? 0) < limitMs &&
    sequence <= upToSequence &&
    (sequences?.includes(sequence) ?? true) &&
    (ofAttempts?.has(sequence) ?? true);
}

function grantsOf(tx: Transaction, { key, attempts = [] }: ReleaseRequest): ReadonlySet<number> {
  return new Set(attempts.flatMap((name) => [...(tx.state.attempts.find(key, name)?.granted ?? [])]));
}

/** Ends the attempts that were given up, and notes this release. Returns whether it was carried out before. */
function carryOutOnce(tx: Transaction, { key, attempt, attempts = [] }: ReleaseRequest): boolean {
  for (const name of [attempt, ...attempts]) checkAttempt(OPERATION, "attempt", name);
  for (const name of attempts) endAttempt(tx, key, name);
  if (attempt === undefined) return false;
  const isDone = tx.state.attempts.find(key, attempt) !== undefined;
  if (!isDone) endAttempt(tx, key, attempt);
  return isDone;
}

function endAttempt(tx: Transaction, key: AttachmentKey, name: string): void {
  const done = tx.state.attempts.find(key, name) ?? NOTHING_DONE;
  tx.rememberAttempt(key, name, { ...done, isOver: true });
}

function addressesOf(leases: readonly LeaseRecord[]): string[] {
  return leases.map(({ address }) => formatAddress(address));
}

function isOnNode(lease: LeaseRecord, caller: Caller): boolean {
  return caller.node === "" || isOfCaller(lease, caller);
}

/** A machine may be given another name while it runs: then its boot tells. */
function isOfCaller(lease: LeaseRecord, { node, bootId = "" }: Caller): boolean {
  return lease.node === node || (bootId !== "" && lease.bootId === bootId);
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
    if (leases[0] === undefined || !isOfCaller(leases[0], caller)) continue;
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
    const isUnchanged = leases.every((lease) => lease.version <= revision && isOfCaller(lease, caller));
    if (leases.length === 0 || !isUnchanged) continue;
    for (const lease of leases)
      releaseLease(tx, network, { lease, reason: "not among the valid attachments" });
    released.push({ networkName, containerId, ifname });
  }
  return released;
}
