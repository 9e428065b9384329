/** The result of an interface plugin's ADD. */
import { formatAddress } from "../../lib/addr/address.ts";
import { formatPrefix } from "../../lib/addr/prefix.ts";
import {
  EMPTY_RESULT,
  hasDns,
  type Result,
  type ResultDns,
  type ResultInterface,
  type ResultIp,
} from "../../lib/cni/result.ts";
import type { LinkState } from "../../lib/host/links.ts";
import type { AddressPlan } from "./address-plan.ts";

/** A link of the host as a result tells it; `sandbox`: the netns that it is in instead. */
export function interfaceOf({ ifname, mac, mtu }: LinkState, sandbox?: string): ResultInterface {
  return { name: ifname, mac, mtu, ...(sandbox !== undefined && { sandbox }) };
}

/** What an attachment has come to. */
export interface AttachmentOutcome {
  readonly interfaces: readonly ResultInterface[];
  /** Place among `interfaces` of the link that has the addresses. */
  readonly containerInterface: number;
  /** Null: layer 2 only. */
  readonly addresses: AddressPlan | null;
  /** The configuration's own `dns`, for layer 2; null: it says nothing. */
  readonly dns: ResultDns | null;
}

export function resultOf({ interfaces, containerInterface, addresses, dns }: AttachmentOutcome): Result {
  if (addresses === null) return { interfaces, ips: [], routes: [], dns: dns ?? EMPTY_RESULT.dns };
  const ips = addresses.ips.map(
    ({ address, gateway }): ResultIp => ({
      address: formatPrefix(address),
      ...(gateway && { gateway: formatAddress(gateway) }),
      interface: containerInterface,
    }),
  );
  return { interfaces, ips, routes: addresses.routes, dns: addresses.dns };
}

/** Our result behind that of the plugins before us; places of interfaces move accordingly. */
export function appendResult(before: Result, ours: Result): Result {
  const shift = before.interfaces.length;
  const moved = ours.ips.map((ip) => ({
    ...ip,
    ...(ip.interface !== undefined && { interface: ip.interface + shift }),
  }));
  return {
    interfaces: [...before.interfaces, ...ours.interfaces],
    ips: [...before.ips, ...moved],
    routes: [...before.routes, ...ours.routes],
    dns: hasDns(ours.dns) ? ours.dns : before.dns,
  };
}
