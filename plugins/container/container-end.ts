/** The container's end of an attachment: settings, addresses, routes. */
import { formatPrefix, type InterfaceAddress } from "../../lib/addr/prefix.ts";
import { familyOf, type ResultRoute } from "../../lib/cni/result.ts";
import { FairleadError } from "../../lib/errors.ts";
import { announceWhenUp } from "../../lib/host/addressing/announce.ts";
import { chooseGatewayMetric } from "../../lib/host/addressing/gateway-metrics.ts";
import type { RouteSpec } from "../../lib/host/addressing/routes.ts";
import { configureContainerLink } from "../../lib/host/attachment/container-end.ts";
import type { LinkState } from "../../lib/host/links.ts";
import {
  disableIpv6,
  enableIpv6,
  ignoreRouterAdvertisements,
  isIpv6SwitchedOff,
  keepAddressesWhenDown,
  trustAddresses,
} from "../../lib/host/settings.ts";
import type { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { isPresent } from "../../lib/netlink/request.ts";
import { type AddressPlan, isDefaultRoute, type PlannedIp, routesOf } from "./address-plan.ts";

/** What the container's end shall be like. */
export interface ContainerEnd {
  readonly ifindex: number;
  /** Null: layer 2 only. */
  readonly addresses: AddressPlan | null;
  /** Undefined: default routes are made as they are, and the first of them wins. */
  readonly gatewayPriority: number | undefined;
  /** Default true. */
  readonly up?: boolean;
  /** Default false. */
  readonly duplicateAddressDetection?: boolean;
}

export interface ConfiguredEnd {
  readonly link: LinkState;
  /** As planned, with the metrics that the default routes got. */
  readonly addresses: AddressPlan | null;
}

/** What the settings of a container's end go by. */
export interface ContainerSettings {
  readonly ifname: string;
  /** Null: layer 2 only. */
  readonly addresses: AddressPlan | null;
  /** Routers on the network may give the link further addresses and routes: nobody on it is to be kept from being one. */
  readonly routerAdvertisements: boolean;
  /** The container asked for an IPv6 address by name. */
  readonly requiresIpv6: boolean;
  /** Default false. */
  readonly duplicateAddressDetection?: boolean;
  log(message: string): void;
}

/**
 * Settings that must be there before the link comes up. Call it inside `withNetns`.
 *
 * Returns the addresses that the link can have: those of IPv6 are left out where the namespace has IPv6 switched off, which
 * stays so, unless there is nothing else, or one was asked for by name. Routes that a link without IPv6 cannot have are left
 * out, too.
 *
 * @throws FairleadError unsupported-field when it cannot do without IPv6; SyscallError.
 */
export function prepareContainerEnd(settings: ContainerSettings): AddressPlan | null {
  const { ifname, routerAdvertisements, log } = settings;
  const addresses = withoutIpv6IfOff(settings);
  const families = new Set(addressesOf(addresses).map(({ address }) => address.family));
  if (families.has(4)) announceWhenUp(ifname, 4, log);
  if (families.has(6)) prepareIpv6(settings);
  if (addresses === null || routerAdvertisements) return addresses;
  ignoreRouterAdvertisements(ifname, log);
  if (families.has(6)) return addresses;
  disableIpv6(ifname, log);
  return withoutRoutesToNowhere(addresses, log);
}

/** Lists of routes are copied from networks with both families; the kernel refuses `::/0` on a link without IPv6. */
function withoutRoutesToNowhere(addresses: AddressPlan, log: ContainerSettings["log"]): AddressPlan {
  const leadsSomewhere = ({ dst, gw }: ResultRoute) => gw !== undefined || familyOf(dst) === 4;
  const routes = addresses.routes.filter(leadsSomewhere);
  if (routes.length < addresses.routes.length)
    log("the network has no IPv6: routes of IPv6 without a gateway are left out");
  return { ...addresses, routes };
}

function prepareIpv6({ ifname, duplicateAddressDetection = false, log }: ContainerSettings): void {
  announceWhenUp(ifname, 6, log);
  enableIpv6(ifname);
  keepAddressesWhenDown(ifname, log);
  if (!duplicateAddressDetection) trustAddresses(ifname, log);
}

function withoutIpv6IfOff({ addresses, requiresIpv6, log }: ContainerSettings): AddressPlan | null {
  if (addresses === null || !addresses.ips.some(isIpv6) || !isIpv6SwitchedOff()) return addresses;
  const ips = addresses.ips.filter((ip) => !isIpv6(ip));
  const [unusable] = addresses.ips.filter(isIpv6);
  if (unusable && (requiresIpv6 || ips.length === 0)) throw ipv6Off(formatPrefix(unusable.address));
  log("the container's namespace has IPv6 switched off: it gets no IPv6 address");
  return { ...addresses, ips, routes: addresses.routes.filter(({ dst }) => familyOf(dst) === 4) };
}

function isIpv6({ address }: PlannedIp): boolean {
  return address.address.family === 6;
}

function ipv6Off(address: string): FairleadError {
  return new FairleadError({
    code: "unsupported-field",
    operation: "set address",
    object: address,
    reason: "the container's network namespace has IPv6 switched off (net.ipv6.conf.lo.disable_ipv6 is 1)",
    hint: "switch it on there, with: sysctl -w net.ipv6.conf.all.disable_ipv6=0; or use a network without IPv6",
  });
}

/** How often default routes are tried when others take the metric that was free a moment before. */
const METRIC_ATTEMPTS = 10;

/**
 * Gives the link its addresses, sets it up and makes its routes.
 *
 * @param connection to the netns of the container.
 * @throws as `configureContainerLink`.
 */
export function configureContainerEnd(connection: NetlinkConnection, end: ContainerEnd): ConfiguredEnd {
  for (let attempt = 1; ; attempt += 1) {
    const { addresses, routes } = planRoutes(connection, end);
    const { ifindex, up = true, duplicateAddressDetection = false } = end;
    const spec = { ifindex, addresses: addressesOf(addresses), routes, up, duplicateAddressDetection };
    try {
      return { link: configureContainerLink(connection, spec), addresses };
    } catch (error) {
      if (!isPresent(error) || attempt === METRIC_ATTEMPTS) throw error;
    }
  }
}

function addressesOf(plan: AddressPlan | null): InterfaceAddress[] {
  return plan?.ips.map((ip) => ip.address) ?? [];
}

interface PlannedRoutes {
  readonly addresses: AddressPlan | null;
  readonly routes: readonly RouteSpec[];
}

/** The routes to make; with a priority, default routes that say nothing else get a metric of their own. */
function planRoutes(connection: NetlinkConnection, end: ContainerEnd): PlannedRoutes {
  const { addresses, gatewayPriority, ifindex } = end;
  if (addresses === null) return { addresses, routes: [] };
  const routes = routesOf(addresses);
  if (gatewayPriority === undefined) return { addresses, routes };
  const prioritised = addresses.routes.map((route, at) => {
    const spec = routes[at] as RouteSpec;
    if (!isDefaultRoute(route) || route.priority || route.table !== undefined) return { route, spec };
    const { family } = spec.destination.address;
    const { metric, isOurs } = chooseGatewayMetric(connection, {
      family,
      priority: gatewayPriority,
      ifindex,
    });
    return {
      route: { ...route, priority: metric },
      spec: { ...spec, priority: metric, exclusive: !isOurs },
    };
  });
  return {
    addresses: { ...addresses, routes: prioritised.map(({ route }) => route) },
    routes: prioritised.map(({ spec }) => spec),
  };
}
