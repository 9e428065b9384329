/**
 * Layer 3 of an attachment: what IPAM gave, completed by what the interface plugin's keys ask for.
 */
import { type Address, formatAddress, parseAddress } from "../../lib/addr/address.ts";
import {
  firstHost,
  formatPrefix,
  type InterfaceAddress,
  type Prefix,
  parseInterfaceAddress,
  prefixOf,
} from "../../lib/addr/prefix.ts";
import {
  familyOf,
  type Result,
  type ResultDns,
  type ResultIp,
  type ResultRoute,
} from "../../lib/cni/result.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { RouteSpec } from "../../lib/host/addressing/routes.ts";

/** An address of the container, with the gateway that its routes use. */
export interface PlannedIp {
  readonly address: InterfaceAddress;
  readonly gateway: Address | undefined;
}

export interface AddressPlan {
  readonly ips: readonly PlannedIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: ResultDns;
  /** True when somebody else had an address a moment ago: neighbours are told who has it now. */
  readonly isWarm?: boolean;
}

/** How the result of IPAM is completed. */
export interface AddressRules {
  /** The first host of a subnet is its gateway where IPAM names none. */
  readonly isGateway: boolean;
  /** Adds a default route through the gateway where IPAM gave none. */
  readonly isDefaultGateway: boolean;
  /** The configuration's own `dns`; null: it says nothing. */
  readonly dns: ResultDns | null;
}

/**
 * Completes the result of IPAM: gateways, default routes, DNS.
 *
 * @throws FairleadError invalid-config when IPAM gave no address.
 */
export function completeAddresses({ dns, ...rules }: AddressRules, ipam: Result): AddressPlan {
  if (ipam.ips.length === 0) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "read result of IPAM",
      reason: "IPAM plugin returned missing IP config",
      hint: "give it a range, or leave ipam out for a layer 2 network",
    });
  }
  const ips = ipam.ips.map((ip) => plannedIp(ip, rules.isGateway));
  const defaults = rules.isDefaultGateway ? missingDefaults(ips, ipam.routes) : [];
  return { ips, routes: [...ipam.routes, ...defaults], dns: dns ?? ipam.dns };
}

function plannedIp({ address, gateway }: ResultIp, isGateway: boolean): PlannedIp {
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
    const given = routes.some((route) => route.gw && familyOf(route.dst) === family && isDefaultRoute(route));
    return gateway && !given ? [{ dst: DEFAULT_ROUTES[family], gw: formatAddress(gateway) }] : [];
  });
}

/** True for a route to everywhere, in its family. */
export function isDefaultRoute({ dst }: ResultRoute): boolean {
  return formatPrefix(networkOf(parseInterfaceAddress(dst))) === DEFAULT_ROUTES[familyOf(dst)];
}

/** The routes in the kernel's words. One without a gateway goes through that of its family, as with the reference. */
export function routesOf({ ips, routes }: Pick<AddressPlan, "ips" | "routes">): RouteSpec[] {
  return routes.map((route) => {
    const { address, length } = parseInterfaceAddress(route.dst);
    const familyGateway = ips.find((ip) => ip.address.address.family === address.family)?.gateway;
    const gateway = route.gw ? parseAddress(route.gw) : onLink(route) ? undefined : familyGateway;
    return {
      destination: networkOf({ address, length }),
      ...(gateway && { gateway }),
      ...attributesOf(route),
    };
  });
}

/** Scope link (253) or narrower says that the destination is on the link: a gateway would contradict it. */
function onLink({ scope }: ResultRoute): boolean {
  return scope !== undefined && scope >= 253;
}

function attributesOf({ mtu, advmss, priority, table, scope }: ResultRoute): Partial<RouteSpec> {
  return {
    ...(mtu !== undefined && { mtu }),
    ...(advmss !== undefined && { advmss }),
    ...(priority !== undefined && { priority }),
    ...(table !== undefined && { table }),
    ...(scope !== undefined && { scope }),
  };
}
