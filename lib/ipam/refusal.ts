/**
 * Refusals that explain themselves: which pool, how it is used, when that changes, what to do.
 * The same facts are in the sentence (for people) and in `details` (for programs).
 */

import { type Address, formatAddress } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";
import type { Pool } from "./pool.ts";
import type { LeaseRecord, NetworkRecord } from "./store.ts";
import { describePool } from "./subnet.ts";

/** "pool 0, 10.1.0.0/24 (10.1.0.1-10.1.0.254): 254 addresses, 253 bound, …" */
export function describeUsage(pool: Pool): string {
  const { size, bound, cooling, quarantined, withheld, free } = pool.usage();
  const counts = `${bound} bound, ${cooling} cooling, ${quarantined} quarantined, ${withheld} withheld, ${free} free`;
  return `pool ${pool.index}, ${describePool(pool.record)}: ${size} addresses, ${counts}`;
}

/** No address of `pool` can be handed out. The pool must be settled. */
export function poolExhausted(networkName: string, pool: Pool): FairleadError {
  return new FairleadError({
    code: "pool-exhausted",
    operation: "acquire address",
    object: `network ${networkName}`,
    reason: `no address is free in ${describeUsage(pool)}`,
    hint: "add a range or subnet to the network, remove containers that are not needed, or give back what nobody holds any more: fairlead ipam release --stale",
    details: { networkName, ...pool.usage() },
  });
}

/** The network has no pool that an address could come from. */
export function withoutAddresses({ name, driver }: Pick<NetworkRecord, "name" | "driver">): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "acquire address",
    object: `network ${name}`,
    reason: `it hands out no addresses (driver ${driver}, no subnet)`,
    hint: "leave the ipam section out of its configuration, or make the network with a subnet",
    details: { rule: "network-without-addresses", networkName: name, driver },
  });
}

export function quotaExceeded(
  networkName: string,
  attachments: number,
  maxAttachments: number,
): FairleadError {
  return new FairleadError({
    code: "quota-exceeded",
    operation: "acquire address",
    object: `network ${networkName}`,
    reason: `it holds ${attachments} attachments and may hold ${maxAttachments} (maxAttachments)`,
    hint: "remove containers that are not needed, or make the network with a higher limit",
    details: { networkName, attachments, maxAttachments },
  });
}

/** Somebody else has `record`, or it is kept from whoever asks. That it cools is no reason. */
export function addressInUse(operation: string, record: LeaseRecord): FairleadError {
  const { reason, hint } = whyNot(record);
  const { containerId, ifname, node, bootId, mac, state, sequence } = record;
  const address = formatAddress(record.address);
  return new FairleadError({
    code: "address-in-use",
    operation,
    object: address,
    reason,
    hint,
    details: { address, state, containerId, ifname, node, bootId, mac, sequence },
  });
}

function whyNot(record: LeaseRecord): { reason: string; hint: string } {
  if (record.state === "bound") {
    const reason = `it is held by container ${record.containerId} (${record.ifname}) on node ${JSON.stringify(record.node)}`;
    const release = `fairlead ipam release ${formatAddress(record.address)}`;
    return { reason, hint: `ask for another address, or remove that container; if it is gone: ${release}` };
  }
  if (record.quarantine !== null) {
    const hint = "ask for another address, or take it out of quarantine";
    return { reason: `it is quarantined: ${record.quarantine}`, hint };
  }
  const owner = record.reservation?.stickyName ?? "";
  return {
    reason: `it is reserved${owner === "" ? "" : ` for ${owner}`}: ${record.reservation?.reason ?? ""}`,
    hint: "ask for another address, or remove the reservation",
  };
}

/** The address can never be granted in this network, whoever asks. */
export function notGrantable(
  networkName: string,
  address: Address,
  { reason, hint }: { readonly reason: string; readonly hint: string },
): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "acquire address",
    object: `${formatAddress(address)} of network ${networkName}`,
    reason,
    hint,
    details: { networkName, address: formatAddress(address) },
  });
}
