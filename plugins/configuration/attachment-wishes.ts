/**
 * What is asked of an attachment besides its addresses, in the keys that every interface plugin has.
 *
 * Source: CNI CONVENTIONS.md, "Dynamic Plugin specific Fields" and "args in network config"; README of the reference
 * plugin bridge.
 */
import { parseInterfaceMac } from "../../lib/addr/mac.ts";
import type { AttachmentRequest } from "../../lib/cni/request.ts";
import type { ResultDns } from "../../lib/cni/result.ts";
import type { AttachmentConfig } from "./attachment.ts";
import { IPAM_ARG_KEYS } from "./ipam-config.ts";
import { FAIRLEAD_STATIC, STATIC_ARG_KEYS } from "./static-ipam.ts";

/** Keys of CNI_ARGS that an interface plugin, or the IPAM that it serves in process, understands. */
export const INTERFACE_ARG_KEYS: readonly string[] = [
  ...new Set([...IPAM_ARG_KEYS, ...STATIC_ARG_KEYS, "MAC"]),
];

/** The wishes of one attachment; the same for ADD, CHECK and DEL of one configuration. */
export interface AttachmentWishes {
  /** MAC address that somebody asked for; undefined: nobody did. */
  readonly mac: string | undefined;
  /** True when a certain address was asked for, which others may have known under another MAC address until now. */
  readonly asksForAddress: boolean;
  /** True when a certain IPv6 address was asked for. */
  readonly asksForIpv6: boolean;
  /** The configuration's own `dns`, which wins over that of IPAM; null: it says nothing. */
  readonly dns: ResultDns | null;
  /** The highest among a container's networks has the default route; undefined: the first one has, as with the reference. */
  readonly gatewayPriority: number | undefined;
}

/**
 * Decides them. Later sources win: the configuration's own key, CNI_ARGS, the orchestrator's metadata, the runtime's
 * capability.
 *
 * @param configuredMac the plugin's own `mac` key, where it has one; empty: not given.
 * @throws FairleadError invalid-config, naming the key.
 */
export function wishesOf(
  { runtimeConfig, args, dns, ipam, gatewayPriority }: AttachmentConfig,
  { args: pairs }: Pick<AttachmentRequest, "args">,
  configuredMac = "",
): AttachmentWishes {
  const mac = runtimeConfig.mac || args.cni.mac || pairs.get("MAC") || configuredMac;
  const requested = [...runtimeConfig.ips, ...args.cni.ips, pairs.get("IP") ?? ""].filter(
    (text) => text !== "",
  );
  const isStatic = ipam.type === FAIRLEAD_STATIC;
  return {
    mac: mac ? parseInterfaceMac(mac) : undefined,
    asksForAddress: requested.length > 0 || isStatic,
    asksForIpv6: isStatic || requested.some((text) => text.includes(":")),
    dns,
    gatewayPriority: args.cni.gatewayPriority ?? gatewayPriority,
  };
}
