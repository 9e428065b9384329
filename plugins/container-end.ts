/** The container's end of an attachment: settings, addresses, routes. */
import type { InterfaceAddress } from "../lib/addr/prefix.ts";
import { announceWhenUp } from "../lib/host/announce.ts";
import { configureContainerLink } from "../lib/host/container-link.ts";
import { chooseGatewayMetric } from "../lib/host/gateway-metrics.ts";
import type { LinkState } from "../lib/host/links.ts";
import type { RouteSpec } from "../lib/host/routes.ts";
import { enableIpv6 } from "../lib/host/settings.ts";
import type { NetlinkConnection } from "../lib/netlink/connection.ts";
import { isPresent } from "../lib/netlink/request.ts";
import { type AddressPlan, isDefaultRoute, routesOf } from "./address-plan.ts";

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

/** Settings that must be there before the link comes up. Call it inside `withNetns`. */
export function prepareContainerEnd(ifname: string, addresses: AddressPlan | null): void {
  const families = new Set(addressesOf(addresses).map(({ address }) => address.family));
  announceWhenUp(ifname, [...families]);
  if (families.has(6)) enableIpv6(ifname);
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
