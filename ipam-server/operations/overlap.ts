/** Room for a network among those of its address space, and what they know of addresses that become its own. */
import { formatAddress } from "../../lib/addr/address.ts";
import { formatPrefix } from "../../lib/addr/prefix.ts";
import { rangeContains, rangesOverlap } from "../../lib/addr/range.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { subnetRanges } from "../../lib/ipam/subnet.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { EventFacts, Transaction } from "../state/transaction.ts";
import { stateAt } from "../state/views.ts";
import { blank } from "./blank-lease.ts";
import { type Claim, type Clash, clashBetween, sharedSubnets } from "./clash.ts";

/** True while somebody holds, or is to have, the address of this record. What cools down is free to go, unless it was set aside. */
export function isHeld(record: LeaseRecord, nowMs: number): boolean {
  const state = stateAt(record, nowMs);
  return state !== null && (state !== "cooling" || record.reservation !== null);
}

/**
 * Sees to it that no other network of the address space has these addresses (clash.ts says what that means). One that a conflist
 * declared and that holds nothing gives way: its conflist was renamed, corrected or removed, and if not, it is declared again by
 * its next ADD.
 *
 * @throws subnet-overlap, naming the other network.
 */
export function makeRoom(tx: Transaction, claim: Claim): void {
  for (const other of networksTouching(tx, claim)) {
    if (other.networkName === claim.name) continue;
    const clash = clashBetween(claim, other.record) ?? clashOfHeld(claim, other);
    if (clash === null) continue;
    if (!givesWay(other, tx.nowMs)) throw overlap(claim, other, clash);
    tx.removeNetwork(other);
  }
}

/** Those of the address space with a subnet that overlaps. Thousands of networks are made one after the other. */
function networksTouching(tx: Transaction, { addressSpace, pools }: Claim): NetworkState[] {
  const ranges = subnetRanges(pools);
  return tx.state
    .networksOf(addressSpace)
    .filter(({ subnets }) => subnets.some((taken) => ranges.some((range) => rangesOverlap(range, taken))));
}

function givesWay(network: NetworkState, nowMs: number): boolean {
  if (network.record.origin !== "conflist") return false;
  for (const { record } of network.slots()) if (isHeld(record, nowMs)) return false;
  return true;
}

/** An attachment of the other network has an address in what is claimed, since before its ranges were changed. */
function clashOfHeld(claim: Claim, other: NetworkState): Clash | null {
  const record = strayRecords(claim, other).find(({ state }) => state === "bound");
  if (record === undefined) return null;
  const address = formatAddress(record.address);
  const [own] = sharedSubnets(claim.pools, other.record.pools);
  const place = other.subnetOf(record.address);
  if (own === undefined || place === null) return null;
  return {
    own,
    other: place.subnet,
    reason: `both have the same subnet, and container ${record.containerId} of network ${other.networkName} holds ${address} of the range`,
    hint: "remove that container first, or leave its address out of the range",
    facts: { address },
  };
}

/** What the other network knows of addresses in ranges that are claimed of a subnet of both. */
function strayRecords(claim: Claim, other: NetworkState): LeaseRecord[] {
  const ranges = sharedSubnets(claim.pools, other.record.pools).flatMap(({ askable }) => askable);
  return [...other.slots()]
    .map(({ record }) => record)
    .filter(({ address }) => ranges.some((range) => rangeContains(range, address)));
}

/**
 * Takes over what other networks know of addresses that are this network's now: what they put into quarantine or set aside stays
 * so, and what cools goes on cooling. To be called after {@link makeRoom}, when the network has its ranges.
 */
export function takeStrays(tx: Transaction, network: NetworkState): void {
  for (const other of networksTouching(tx, network.record)) {
    if (other === network) continue;
    for (const record of strayRecords(network.record, other)) takeStray(tx, record, { from: other, network });
  }
}

function takeStray(
  tx: Transaction,
  record: LeaseRecord,
  { from, network }: { readonly from: NetworkState; readonly network: NetworkState },
): void {
  const reason = `it is in a range of network ${network.networkName} now`;
  const state = stateAt(record, tx.nowMs);
  tx.changeLease(from, { before: record, after: null }, { kind: "lease-freed", reason });
  if (state === null || state === "bound") return;
  const { untilMs, reservation, quarantine, sinceMs } = record;
  const taken = { ...blank(tx, network, record.address), state: record.state, sinceMs, untilMs };
  tx.changeLease(
    network,
    { before: null, after: { ...taken, reservation, quarantine } },
    eventOf(record, from),
  );
}

function eventOf({ state, quarantine, reservation }: LeaseRecord, { networkName }: NetworkState): EventFacts {
  if (quarantine !== null) return { kind: "lease-quarantined", reason: quarantine };
  if (state === "reserved" && reservation !== null)
    return { kind: "address-reserved", reason: reservation.reason };
  return { kind: "lease-released", reason: `taken over from network ${networkName}` };
}

function overlap(claim: Claim, other: NetworkState, clash: Clash): FairleadError {
  const [subnet, otherSubnet] = [formatPrefix(clash.own.subnet), formatPrefix(clash.other.subnet)];
  const { name: networkName, addressSpace } = claim;
  const otherNetwork = other.networkName;
  return new FairleadError({
    code: "subnet-overlap",
    operation: "add subnet",
    object: `${subnet} to network ${networkName}`,
    reason: clash.reason,
    hint: clash.hint,
    details: {
      ...{ rule: "subnet-overlap", networkName, subnet, otherNetwork, otherSubnet, addressSpace },
      ...clash.facts,
    },
  });
}
