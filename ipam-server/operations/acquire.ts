/** Acquire: one address of every pool for one attachment, all in one transaction. */

import { type Address, addressEquals, formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import { chooseAddress, type Wish } from "../../lib/ipam/allocator.ts";
import type { AcquireRequest, AcquireResponse, Caller } from "../../lib/ipam/api.ts";
import type { Pool } from "../../lib/ipam/pool.ts";
import { notGrantable, quotaExceeded, withoutAddresses } from "../../lib/ipam/refusal.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { checkAttempt, checkKey, checkNames, checkText } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Transaction } from "../state/transaction.ts";
import { viewLeasedAddress } from "../state/views.ts";
import { declareNetwork } from "./declare.ts";
import { networkNamed, type Settings } from "./networks.ts";
import { releaseLease } from "./release.ts";
import { surveyNeeded, takeOver } from "./survey.ts";

const OPERATION = "acquire address";
/** More than any network has pools; keeps a request's work bounded. */
const MOST_REQUESTED = 64;

/** A request with everything checked and looked up. */
interface Plan {
  readonly tx: Transaction;
  readonly request: AcquireRequest;
  readonly caller: Caller;
  readonly network: NetworkState;
  readonly pools: readonly Pool[];
  /** Address asked for, by pool number. */
  readonly requested: ReadonlyMap<number, Address>;
  /** Sequences of the grants of this request that another MAC address had a moment ago. */
  readonly warm: Set<number>;
}

/**
 * What the attachment holds already it keeps, whether asked again by a runtime that repeats ADD or by one that
 * lost the answer. The repeated acquire counts as a new one for everything that guards against late releases: it gives
 * each address a new sequence. Sent again under the same attempt it is no new one.
 *
 * After a reboot the same key takes its addresses over: the old stay ends and a new one begins, so that a
 * release left over from before the reboot does not reach it.
 */
export function acquire(
  tx: Transaction,
  request: AcquireRequest,
  { caller, settings }: { caller: Caller; settings: Settings },
): AcquireResponse {
  const plan = planAcquire(tx, { request, caller }, settings);
  const held = plan.network.attachment(request.key.containerId, request.key.ifname);
  const repeated = answerAgain(plan, held);
  if (repeated !== null) return repeated;
  const answered = acquireAnew(plan, held);
  remember(plan, held, answered);
  return answered;
}

function acquireAnew(plan: Plan, held: readonly LeaseRecord[]): AcquireResponse {
  const { tx } = plan;
  if (held.length === 0) return grantAll(plan, held);
  refuseOtherNode(plan, held);
  if (isOfEarlierBoot(plan, held)) {
    for (const lease of held) releaseLease(tx, plan.network, { lease, reason: "the node was booted since" });
    return grantAll(plan, held);
  }
  return confirmHeld(plan, held);
}

/**
 * What the same attempt was answered before, if it was: its answer was lost, and it was sent again.
 *
 * @throws unavailable when the attempt is over: its client gave it up, or what it got was given back since. It is late, and
 *   nobody waits for it.
 */
function answerAgain(plan: Plan, held: readonly LeaseRecord[]): AcquireResponse | null {
  const { tx, request } = plan;
  const { key, attempt } = request;
  const earlier = attempt === undefined ? undefined : tx.state.attempts.find(key, attempt);
  if (earlier === undefined) return null;
  const isAsAnswered = held.length > 0 && held.every(({ sequence }) => earlier.answered.has(sequence));
  if (earlier.isOver || !isAsAnswered) throw attemptIsOver(request);
  return answer(plan, held, earlier.created);
}

function attemptIsOver({ key, attempt }: AcquireRequest): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: OPERATION,
    object: `network ${key.networkName}`,
    reason: `the attempt ${attempt} for ${key.containerId} (${key.ifname}) was given up by whoever began it`,
    hint: "call ADD again",
  });
}

function remember({ tx, request }: Plan, before: readonly LeaseRecord[], answered: AcquireResponse): void {
  const { key, attempt } = request;
  if (attempt === undefined) return;
  const { created, addresses } = answered;
  const confirmed = new Set(created ? [] : before.map(({ pool }) => pool));
  const granted = addresses.filter(({ pool }) => !confirmed.has(pool)).map(({ sequence }) => sequence);
  const all = new Set(addresses.map(({ sequence }) => sequence));
  tx.rememberAttempt(key, attempt, { granted: new Set(granted), answered: all, created, isOver: false });
}

interface Asked {
  readonly request: AcquireRequest;
  readonly caller: Caller;
}

function planAcquire(tx: Transaction, { request: sent, caller }: Asked, settings: Settings): Plan {
  const request = checkRequest(sent);
  const { network, pools } = resolveNetwork(tx, { request, caller }, settings);
  for (const pool of pools) pool.settle(tx.nowMs);
  const requested = assignRequested(network, pools, request.requestedAddresses ?? []);
  return { tx, request, caller, network, pools, requested, warm: new Set() };
}

/** The request with every text checked, and each name once. */
function checkRequest(request: AcquireRequest): AcquireRequest {
  checkKey(OPERATION, request.key);
  checkText(OPERATION, "mac", request.mac);
  checkText(OPERATION, "bootId", request.bootId);
  checkText(OPERATION, "stickyName", request.stickyName);
  checkAttempt(OPERATION, "attempt", request.attempt);
  if (request.names === undefined) return request;
  const names = checkNames(OPERATION, request.names);
  return names === request.names ? request : { ...request, names };
}

function resolveNetwork(
  tx: Transaction,
  { request, caller }: Asked,
  settings: Settings,
): { network: NetworkState; pools: readonly Pool[] } {
  const { key, declaration, canSurvey, survey, bootId = "" } = request;
  const { networkName } = key;
  if (declaration === undefined) {
    const network = networkNamed(tx, OPERATION, networkName);
    if (network.pools.length === 0) throw withoutAddresses(network.record);
    return { network, pools: network.pools };
  }
  const { network, pools, isNew } = declareNetwork(tx, { networkName, declaration }, settings);
  if (isNew && canSurvey === true && survey === undefined) throw surveyNeeded(networkName);
  if (survey !== undefined) takeOver(tx, network, { found: survey.found, finder: { caller, bootId } });
  const wanted = pools.map((at) => network.pools[at]).filter((pool) => pool !== undefined);
  return { network, pools: wanted };
}

/** @throws invalid-config for an address in none of the pools, and for two in one. */
function assignRequested(
  network: NetworkState,
  pools: readonly Pool[],
  texts: readonly string[],
): ReadonlyMap<number, Address> {
  const assigned = new Map<number, Address>();
  if (texts.length > MOST_REQUESTED) throw tooManyRequested(network, texts.length);
  for (const text of texts) {
    const address = parseAddress(text);
    const pool = poolForRequest(network, pools, address);
    const earlier = assigned.get(pool);
    if (earlier !== undefined && !addressEquals(earlier, address)) {
      const reason = `${formatAddress(earlier)} of the same pool is requested too`;
      throw notGrantable(network.networkName, address, { reason, hint: "request one address per pool" });
    }
    assigned.set(pool, address);
  }
  return assigned;
}

function poolForRequest(network: NetworkState, pools: readonly Pool[], address: Address): number {
  const at = network.poolForRequest(address);
  if (at !== null && pools.some((pool) => pool.index === at)) return at;
  const ranges = pools.flatMap(({ record }) => record.subnets.flatMap((subnet) => subnet.askable));
  const shown = ranges.map(({ first, last }) => `${formatAddress(first)}-${formatAddress(last)}`).join(", ");
  const reason = network.isWithheld(address)
    ? "it is never handed out: a gateway, network or broadcast address, or excluded"
    : "it is in none of the ranges";
  throw notGrantable(network.networkName, address, { reason, hint: `request an address of ${shown}` });
}

function tooManyRequested({ networkName }: NetworkState, count: number): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: `network ${networkName}`,
    reason: `${count} addresses are requested, at most ${MOST_REQUESTED} are allowed`,
  });
}

/** Addresses held on another node are in use there: handing them out here would make two of them. */
function refuseOtherNode({ request, caller, network }: Plan, held: readonly LeaseRecord[]): void {
  const stranger = held.find(
    ({ node, bootId }) => node !== caller.node && !isSameBoot(bootId, request.bootId),
  );
  if (stranger === undefined) return;
  const { containerId, ifname } = request.key;
  throw new FairleadError({
    code: "address-in-use",
    operation: OPERATION,
    object: `network ${network.networkName}`,
    reason: `attachment ${containerId} (${ifname}) holds ${formatAddress(stranger.address)} on node ${JSON.stringify(stranger.node)}`,
    hint: "remove the container there first, or use another container ID",
    details: { address: formatAddress(stranger.address), node: stranger.node },
  });
}

/** One boot ID is one machine since one boot, whatever it calls itself. */
function isSameBoot(bootId: string, other: string | undefined): boolean {
  return bootId !== "" && bootId === other;
}

function isOfEarlierBoot({ request: { bootId = "" } }: Plan, held: readonly LeaseRecord[]): boolean {
  return bootId !== "" && held.every((lease) => lease.bootId !== "" && lease.bootId !== bootId);
}

/** Grants one address of each pool to an attachment that holds nothing. */
function grantAll(plan: Plan, previous: readonly LeaseRecord[]): AcquireResponse {
  const { network } = plan;
  const { maxAttachments } = network.record;
  if (maxAttachments !== null && network.attachmentCount >= maxAttachments) {
    throw quotaExceeded(network.networkName, network.attachmentCount, maxAttachments);
  }
  const granted = plan.pools.map((pool) => grant(plan, pool, previous));
  return answer(plan, granted, true);
}

/** Confirms what is held, and grants what a pool that came later still lacks. */
function confirmHeld(plan: Plan, held: readonly LeaseRecord[]): AcquireResponse {
  const leases = plan.pools.map((pool) => {
    const own = held.find((lease) => lease.pool === pool.index);
    return own === undefined ? grant(plan, pool, []) : confirm(plan, own);
  });
  return answer(plan, leases, false);
}

function answer({ network, warm }: Plan, leases: readonly LeaseRecord[], created: boolean): AcquireResponse {
  const addresses = leases.map((lease) => {
    const view = viewLeasedAddress(network, lease);
    return warm.has(lease.sequence) ? { ...view, warm: true } : view;
  });
  return { networkId: network.record.id, addresses, created };
}

function confirm({ tx, request, caller, network, requested }: Plan, held: LeaseRecord): LeaseRecord {
  const wanted = requested.get(held.pool);
  if (wanted !== undefined && !addressEquals(wanted, held.address)) throw holdsAnother(request, held, wanted);
  const sequence = tx.nextRevision;
  const after = { ...held, ...holderFacts(request, caller, held), sequence, acquiredAtMs: tx.nowMs };
  return (
    tx.changeLease(network, { before: held, after }, { kind: "lease-bound", reason: "acquired again" }) ??
    held
  );
}

function holdsAnother({ key }: AcquireRequest, held: LeaseRecord, wanted: Address): FairleadError {
  const address = formatAddress(held.address);
  return new FairleadError({
    code: "address-in-use",
    operation: OPERATION,
    object: formatAddress(wanted),
    reason: `attachment ${key.containerId} (${key.ifname}) of network ${key.networkName} holds ${address} of the same pool`,
    hint: "release the attachment first (CNI DEL), then ask for the other address",
    details: { address, requested: formatAddress(wanted) },
  });
}

function holderFacts(request: AcquireRequest, caller: Caller, held?: LeaseRecord) {
  return {
    node: caller.node,
    bootId: request.bootId ?? held?.bootId ?? "",
    mac: request.mac ?? held?.mac ?? "",
    names: request.names ?? held?.names ?? [],
    stickyName: request.stickyName ?? held?.stickyName ?? "",
  };
}

function grant(plan: Plan, pool: Pool, previous: readonly LeaseRecord[]): LeaseRecord {
  const { tx, network, request, caller, requested } = plan;
  const { containerId, ifname } = request.key;
  const wish: Wish = {
    containerId,
    ifname,
    stickyName: request.stickyName ?? "",
    requested: requested.get(pool.index) ?? null,
    previous: previous.find((lease) => lease.pool === pool.index)?.address ?? null,
  };
  forgetOldest(plan, pool);
  const address = chooseAddress(pool, network, wish);
  const before = network.slotAt(address)?.record ?? null;
  const sequence = tx.nextRevision;
  if (before !== null && isWarm(before, request, tx.nowMs)) plan.warm.add(sequence);
  const after = {
    addressSpace: network.record.addressSpace,
    address,
    networkId: network.record.id,
    pool: pool.index,
    state: "bound" as const,
    sequence,
    containerId,
    ifname,
    ...holderFacts(request, caller),
    acquiredAtMs: tx.nowMs,
    sinceMs: tx.nowMs,
    untilMs: null,
    reservation: before?.reservation ?? null,
    quarantine: null,
  };
  const granted = tx.changeLease(network, { before, after }, { kind: "lease-bound" });
  if (granted === null) throw new Error("a grant without a record");
  return granted;
}

/** The same MAC address again is what neighbours remember. */
function isWarm({ untilMs, mac }: LeaseRecord, request: AcquireRequest, nowMs: number): boolean {
  return (untilMs ?? 0) > nowMs && (mac === "" || mac !== request.mac);
}

/** Keeps the memory of released addresses bounded; see pool.ts. Two per grant outrun one grant per release. */
function forgetOldest({ tx, network }: Plan, pool: Pool): void {
  for (let count = 0; count < 2; count++) {
    const slot = pool.forgettable();
    if (slot === null) return;
    tx.changeLease(
      network,
      { before: slot.record, after: null },
      { kind: "lease-freed", reason: "unused for long" },
    );
  }
}
