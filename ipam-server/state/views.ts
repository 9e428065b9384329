/** The service's records as the values that cross its edges. */

import { formatAddress } from "../../lib/addr/address.ts";
import { formatPrefix } from "../../lib/addr/prefix.ts";
import { formatRange } from "../../lib/addr/range.ts";
import type { Event, Lease, LeasedAddress, LeaseState, Network, Subnet } from "../../lib/ipam/api.ts";
import type { EventRecord, LeaseRecord, SubnetRecord } from "../../lib/ipam/store.ts";
import { formatInstant } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "./network-state.ts";

export function viewNetwork({ record, attachmentCount }: NetworkState): Network {
  const { version: _, createdAtMs, pools, ...plain } = record;
  return {
    ...plain,
    ipv6: pools.some(({ family }) => family === 6),
    pools: pools.map(({ family, subnets }, pool) => ({ pool, family, subnets: subnets.map(viewSubnet) })),
    attachments: attachmentCount,
    createdAt: formatInstant(createdAtMs),
  };
}

function viewSubnet({
  subnet,
  gateway,
  gatewayGiven,
  ipRange,
  ranges,
  exclusions,
  auxAddresses,
  fromDefaultPool,
}: SubnetRecord): Subnet {
  const aux = Object.entries(auxAddresses).map(([name, address]) => [name, formatAddress(address)] as const);
  return {
    subnet: formatPrefix(subnet),
    gateway: gateway === null ? null : formatAddress(gateway),
    gatewayGiven,
    ipRange: ipRange === null ? null : formatPrefix(ipRange),
    ranges: ranges.map(formatRange),
    exclusions: exclusions.map(formatRange),
    auxAddresses: Object.fromEntries(aux),
    fromDefaultPool,
  };
}

/**
 * The state that callers see at `nowMs`, or null for an address that is free. Cooling ends by itself: no
 * record changes when it does.
 */
export function stateAt(record: LeaseRecord, nowMs: number): LeaseState | null {
  if (record.state !== "cooling" || (record.untilMs ?? 0) > nowMs) return record.state;
  return record.reservation === null ? null : "reserved";
}

/** A lease in the state `state`, which {@link stateAt} told. */
export function viewLease(network: NetworkState, record: LeaseRecord, state: LeaseState): Lease {
  const place = network.subnetOf(record.address, record.pool);
  const { acquiredAtMs, untilMs } = record;
  return {
    address: formatAddress(record.address),
    addressSpace: record.addressSpace,
    networkName: network.networkName,
    subnet: place === null ? "" : formatPrefix(place.subnet.subnet),
    pool: record.pool,
    state,
    sequence: record.sequence,
    containerId: state === "reserved" ? "" : record.containerId,
    ifname: state === "reserved" ? "" : record.ifname,
    node: state === "reserved" ? "" : record.node,
    ...(state !== "reserved" && record.bootId !== "" && { bootId: record.bootId }),
    mac: state === "reserved" ? "" : record.mac,
    names: state === "reserved" ? [] : record.names,
    acquiredAt: acquiredAtMs === null ? null : formatInstant(acquiredAtMs),
    since: formatInstant(record.sinceMs),
    until: state === "cooling" && untilMs !== null ? formatInstant(untilMs) : null,
    reason: record.quarantine ?? record.reservation?.reason ?? "",
  };
}

/** One address of an attachment, as acquire answers it. */
export function viewLeasedAddress(network: NetworkState, record: LeaseRecord): LeasedAddress {
  const { address, pool, sequence } = record;
  const place = network.subnetOf(address, pool);
  if (place === null) throw new Error(`no subnet of ${network.networkName} holds ${formatAddress(address)}`);
  const { subnet, gateway } = place.subnet;
  return {
    address: `${formatAddress(address)}/${subnet.length}`,
    gateway: gateway === null ? null : formatAddress(gateway),
    subnet: formatPrefix(subnet),
    pool,
    sequence,
  };
}

export function viewEvent({ atMs, address, ...plain }: EventRecord): Event {
  return {
    ...plain,
    at: formatInstant(atMs),
    address: address === null ? "" : formatAddress(address),
  };
}
