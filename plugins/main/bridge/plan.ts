/**
 * What one ADD is going to do, decided before anything is touched.
 *
 * A plan that exists is valid: there is no "validate first" to forget.
 */
import { type Address, formatAddress, parseAddress } from "../../../lib/addr/address.ts";
import { parseInterfaceMac } from "../../../lib/addr/mac.ts";
import {
  firstHost,
  formatPrefix,
  type InterfaceAddress,
  type Prefix,
  parseInterfaceAddress,
  prefixOf,
} from "../../../lib/addr/prefix.ts";
import { object, readFields } from "../../../lib/cni/fields.ts";
import type { AddRequest, AttachmentRequest } from "../../../lib/cni/request.ts";
import {
  DNS_FIELDS,
  familyOf,
  hasDns,
  type Result,
  type ResultDns,
  type ResultIp,
  type ResultRoute,
} from "../../../lib/cni/result.ts";
import { ARGS, RUNTIME_CONFIG } from "../../../lib/cni/sections.ts";
import { FairleadError } from "../../../lib/errors.ts";
import type { AttachmentKey } from "../../../lib/ipam/api.ts";
import { aliasOf, containerMacOf, hostIfnameOf } from "../../attachment-names.ts";
import type { IpamBinding } from "../../ipam-binding.ts";
import { type BridgeConfig, readBridgeConfig } from "./config.ts";

/** The names and settings of one attachment; the same for ADD, CHECK and DEL of one key. */
export interface BridgePlan {
  readonly key: AttachmentKey;
  readonly config: BridgeConfig;
  readonly hostIfname: string;
  readonly alias: string;
  readonly mac: string;
  /** True when a certain address was asked for, which others may have known under another MAC address until now. */
  readonly asksForAddress: boolean;
  /** The configuration's own `dns`; wins over that of IPAM when it says anything. */
  readonly dns: ResultDns;
}

/** One ADD, read and checked. */
export interface Addition {
  readonly plan: BridgePlan;
  /** Null: a layer 2 network. */
  readonly ipam: IpamBinding | null;
  readonly request: AddRequest;
}

const COMMON_FIELDS = { runtimeConfig: RUNTIME_CONFIG, args: ARGS, dns: object(DNS_FIELDS) };

/**
 * Plans the attachment of `request`.
 *
 * @throws FairleadError invalid-config, naming the key.
 */
export function planBridge(request: AttachmentRequest): BridgePlan {
  const { raw } = request.config;
  const config = readBridgeConfig(raw);
  const { runtimeConfig, args, dns } = readFields(COMMON_FIELDS, raw);
  // Later sources win: CNI_ARGS, then the orchestrator's metadata, then the runtime's capability.
  const asked = runtimeConfig.mac || args.cni.mac || request.args.get("MAC");
  return {
    key: request.key,
    config,
    hostIfname: hostIfnameOf(request.key),
    alias: aliasOf(request.key),
    asksForAddress: runtimeConfig.ips.length > 0 || args.cni.ips.length > 0 || request.args.has("IP"),
    mac: asked ? parseInterfaceMac(asked) : containerMacOf(request.key),
    dns,
  };
}

/** An address of the container, with the gateway that its routes use. */
export interface PlannedIp {
  readonly address: InterfaceAddress;
  readonly gateway: Address | undefined;
}

/** Layer 3 of an attachment: what IPAM gave, completed by what the bridge keys ask for. */
export interface AddressPlan {
  readonly ips: readonly PlannedIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: ResultDns;
}

/**
 * Completes the result of IPAM: gateways where the bridge is one, default routes, DNS.
 *
 * @throws FairleadError invalid-config when IPAM gave no address, or a route cannot be read.
 */
export function planAddresses({ config, dns }: BridgePlan, ipam: Result): AddressPlan {
  if (ipam.ips.length === 0) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "read result of IPAM",
      reason: "IPAM plugin returned missing IP config",
      hint: "give it a range, or leave ipam out for a layer 2 network",
    });
  }
  const ips = ipam.ips.map((ip) => plannedIp(ip, config));
  const defaults = config.isDefaultGateway ? missingDefaults(ips, ipam.routes) : [];
  return {
    ips,
    routes: [...ipam.routes, ...defaults],
    dns: hasDns(dns) ? dns : ipam.dns,
  };
}

function plannedIp({ address, gateway }: ResultIp, { isGateway }: BridgeConfig): PlannedIp {
  const own = parseInterfaceAddress(address);
  if (gateway) return { address: own, gateway: parseAddress(gateway) };
  return { address: own, gateway: isGateway ? firstHost(networkOf(own)) : undefined };
}

/** The prefix that an interface address lies in. */
export function networkOf({ address, length }: InterfaceAddress): Prefix {
  return prefixOf(address, length);
}

const DEFAULT_ROUTES = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/** A default route per family that has a gateway, unless IPAM gave one that names its own gateway. */
function missingDefaults(ips: readonly PlannedIp[], routes: readonly ResultRoute[]): ResultRoute[] {
  return ([4, 6] as const).flatMap((family) => {
    const gateway = ips.find((ip) => ip.address.address.family === family)?.gateway;
    const given = routes.some((route) => route.gw && isDefault(route.dst, family));
    return gateway && !given ? [{ dst: DEFAULT_ROUTES[family], gw: formatAddress(gateway) }] : [];
  });
}

function isDefault(dst: string, family: 4 | 6): boolean {
  return (
    familyOf(dst) === family && formatPrefix(networkOf(parseInterfaceAddress(dst))) === DEFAULT_ROUTES[family]
  );
}

/** Alias of a bridge that a network's ADD made, by which GC knows that it may be removed. */
export function bridgeAliasOf(networkName: string): string {
  return `fairlead:${networkName}`;
}
