/** Reservations and quarantine: addresses that an administrator keeps out of the ordinary order. */

import { type Address, formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Lease, QuarantineRequest, ReservationRequest } from "../../lib/ipam/api.ts";
import { addressInUse, notGrantable } from "../../lib/ipam/refusal.ts";
import type { LeaseRecord, Reservation } from "../../lib/ipam/store.ts";
import { checkText } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { State } from "../state/state.ts";
import type { Transaction, Unversioned } from "../state/transaction.ts";
import { stateAt, viewLease } from "../state/views.ts";
import { blank } from "./blank-lease.ts";
import { DEFAULT_ADDRESS_SPACE } from "./networks.ts";

/**
 * State of a record that nobody holds. What was released before may still have to cool: its `untilMs` is kept
 * through quarantine and reservation, so neither shortens the cooling.
 */
function restState(
  { quarantine, reservation, untilMs }: Unversioned<LeaseRecord>,
  nowMs: number,
): LeaseRecord["state"] {
  if (quarantine !== null) return "quarantined";
  const isCooling = (untilMs ?? 0) > nowMs;
  return reservation === null || isCooling ? "cooling" : "reserved";
}

function withRestState(tx: Transaction, record: Unversioned<LeaseRecord>): Unversioned<LeaseRecord> {
  const state = restState(record, tx.nowMs);
  return { ...record, state, sinceMs: state === record.state ? record.sinceMs : tx.nowMs };
}

/**
 * Sets an address aside. One that cools is reserved from when it has cooled; the same reservation again is a
 * success.
 *
 * @throws address-in-use, not-found, invalid-config
 */
export function reserve(tx: Transaction, request: ReservationRequest): Lease {
  const operation = "reserve address";
  const network = tx.state.findNetwork(operation, request.networkName);
  const address = parseAddress(request.address);
  const reservation: Reservation = {
    reason: checkText(operation, "reason", request.reason),
    stickyName: checkText(operation, "stickyName", request.stickyName),
  };
  refuseUngrantable(network, address);
  const before = network.slotAt(address)?.record ?? null;
  if (before !== null && isSameReservation(before.reservation, reservation)) return show(tx, network, before);
  if (before !== null && !isReservable(before)) throw addressInUse(operation, before);
  const after = withRestState(tx, { ...(before ?? blank(tx, network, address)), reservation });
  const facts = { kind: "address-reserved" as const, reason: reservation.reason };
  const record = tx.changeLease(network, { before, after }, facts);
  return show(tx, network, record ?? { ...after, version: tx.state.revision });
}

function isSameReservation(a: Reservation | null, b: Reservation): boolean {
  return a !== null && a.reason === b.reason && a.stickyName === b.stickyName;
}

function isReservable({ state, quarantine, reservation }: LeaseRecord): boolean {
  return state !== "bound" && quarantine === null && reservation === null;
}

function refuseUngrantable(network: NetworkState, address: Address): void {
  if (network.poolForRequest(address) !== null) return;
  const reason = network.isWithheld(address)
    ? "it is never handed out anyway"
    : "it is in none of the ranges";
  throw notGrantable(network.networkName, address, {
    reason,
    hint: "reserve an address inside the network's ranges",
  });
}

function show(tx: Transaction, network: NetworkState, record: LeaseRecord): Lease {
  return viewLease(network, record, stateAt(record, tx.nowMs) ?? record.state);
}

/** Ends a reservation; a holder keeps the address. Absent: success. @throws not-found for the network */
export function unreserve(tx: Transaction, networkName: string, text: string): void {
  const network = tx.state.findNetwork("unreserve address", networkName);
  const before = network.slotAt(parseAddress(text))?.record;
  if (before === undefined || before.reservation === null) return;
  const free = { ...before, reservation: null };
  const after = before.state === "bound" ? free : withRestState(tx, free);
  tx.changeLease(
    network,
    { before, after },
    { kind: "address-unreserved", reason: before.reservation.reason },
  );
}

/**
 * Keeps an address out of use until {@link unquarantine}. A holder keeps it; it stays out when given back.
 *
 * @throws not-found when no network has it, invalid-config when it is never handed out.
 */
export function quarantine(tx: Transaction, request: QuarantineRequest): void {
  const operation = "quarantine address";
  const reason = checkText(operation, "reason", request.reason);
  const address = parseAddress(request.address);
  const network = networkHolding(tx.state, { operation, address, addressSpace: request.addressSpace });
  if (network.isWithheld(address)) {
    const why = "it is never handed out: a gateway, network or broadcast address, or excluded";
    throw notGrantable(network.networkName, address, { reason: why, hint: "there is nothing to do" });
  }
  const before = network.slotAt(address)?.record ?? null;
  if (before?.quarantine === reason) return;
  const marked = { ...(before ?? blank(tx, network, address)), quarantine: reason };
  const after = marked.state === "bound" ? marked : withRestState(tx, marked);
  tx.changeLease(network, { before, after }, { kind: "lease-quarantined", reason });
}

/** Gives a quarantined address back: to its holder, to what is left of its cooling, or to its reservation. */
export function unquarantine(tx: Transaction, text: string, addressSpace: string | undefined): void {
  const address = parseAddress(text);
  const network = networkHolding(tx.state, { operation: "unquarantine address", address, addressSpace });
  const before = network.slotAt(address)?.record;
  if (before === undefined || before.quarantine === null) return;
  const cleared = { ...before, quarantine: null };
  const after = before.state === "bound" ? cleared : withRestState(tx, cleared);
  tx.changeLease(network, { before, after }, { kind: "lease-unquarantined", reason: before.quarantine });
}

interface Sought {
  readonly operation: string;
  readonly address: Address;
  readonly addressSpace: string | undefined;
}

function networkHolding(state: State, { operation, address, addressSpace }: Sought): NetworkState {
  const space = addressSpace ?? DEFAULT_ADDRESS_SPACE;
  const holding = state.networksOf(space).filter((network) => network.subnetOf(address) !== null);
  const found = ownerAmong(holding, address);
  if (found !== undefined) return found;
  throw new FairleadError({
    code: "not-found",
    operation,
    object: formatAddress(address),
    reason: `no network of address space ${space} has a subnet that holds it`,
    hint: "name the address space, if it is another one",
  });
}

/** Of several that have the subnet: who knows the address already, who hands it out, else any. */
function ownerAmong(networks: readonly NetworkState[], address: Address): NetworkState | undefined {
  const knowing = networks.find((network) => network.slotAt(address) !== undefined);
  return knowing ?? networks.find((network) => network.poolForRequest(address) !== null) ?? networks[0];
}
