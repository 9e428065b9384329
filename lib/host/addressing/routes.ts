/** Routes of a link, many at once. */
import { type Address, addressBits, type Family, formatAddress } from "../../addr/address.ts";
import { formatPrefix, type InterfaceAddress, type Prefix } from "../../addr/prefix.ts";
import { FairleadError } from "../../errors.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isPresent, NetlinkError, type NetlinkRequest } from "../../netlink/request.ts";
import { addressFamily } from "../../netlink/route/family.ts";
import {
  getRoutes,
  lookUpRoute,
  newRoute,
  type Route,
  RT_TABLE_MAIN,
  RTN_UNICAST,
} from "../../netlink/route/route.ts";
import { findLink, type LinkState } from "../links.ts";

/** A route out of one link, in the words of a CNI result. */
export interface RouteSpec {
  readonly destination: Prefix;
  /** Absent: the destination is on the link. */
  readonly gateway?: Address;
  /** Bytes; absent: the link's MTU. */
  readonly mtu?: number;
  /** Largest TCP segment to announce, in bytes. */
  readonly advmss?: number;
  /** Metric: the lowest wins. */
  readonly priority?: number;
  /** Routing table. Default: main (254). */
  readonly table?: number;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  readonly scope?: number;
  /** The gateway is on the link although no address says so. */
  readonly onlink?: boolean;
  /** That it exists already is an error: another link may have it. */
  readonly exclusive?: boolean;
}

/** Requests that make routes out of a link. */
export function routeRequests(ifindex: number, routes: readonly RouteSpec[]): NetlinkRequest[] {
  return routes.map(({ mtu, advmss, exclusive: _, ...route }) => {
    const hasMetrics = mtu !== undefined || advmss !== undefined;
    return newRoute({ ...route, ifindex, ...(hasMetrics && { metrics: { mtu, advmss } }) });
  });
}

/**
 * Marks gateways as on-link where no address can say so: on a link all of whose addresses of the family are single
 * (/32, /128) no gateway is ever in a subnet. Elsewhere a gateway outside of every subnet is a mistake, which the
 * kernel shall refuse.
 */
export function withOnlinkGateways(
  routes: readonly RouteSpec[],
  addresses: readonly InterfaceAddress[],
): RouteSpec[] {
  return routes.map((route) => {
    const { gateway } = route;
    if (gateway === undefined || route.onlink !== undefined) return route;
    const family = addresses.filter(({ address }) => address.family === gateway.family);
    const isSingle = ({ length }: InterfaceAddress) => length === addressBits(gateway.family);
    return family.length > 0 && family.every(isSingle) ? { ...route, onlink: true } : route;
  });
}

/**
 * Makes routes in one round trip. One that exists already is left as it is: the first wins, as with the reference.
 *
 * @throws FairleadError invalid-config when a gateway cannot be reached by the link; NetlinkError.
 */
export function addRoutes(
  connection: NetlinkConnection,
  ifindex: number,
  routes: readonly RouteSpec[],
): void {
  const results = connection.attempt(routeRequests(ifindex, routes));
  for (const [at, result] of results.entries()) {
    if (!result.ok && !isPresent(result.error)) throw routeError(result.error, routes[at]);
  }
}

/**
 * ifindex of the link that the default route of the main table goes out of: of IPv4, else of IPv6; the lowest metric if
 * there are several. Null when there is none.
 */
export function findDefaultRouteLink(connection: NetlinkConnection): number | null {
  for (const family of [4, 6] as const) {
    const [best] = connection
      .dump(getRoutes({ family }))
      .filter((route) => isDefaultRouteOf(route, family) && outgoingLink(route) !== undefined)
      .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
    const ifindex = best && outgoingLink(best);
    if (ifindex !== undefined) return ifindex;
  }
  return null;
}

/** True for a route to everywhere in the main table. */
export function isDefaultRouteOf(route: Route, family: Family): boolean {
  const { destinationLength, table, headerTable, type } = route;
  return (
    destinationLength === 0 &&
    route.family === addressFamily(family) &&
    (table ?? headerTable) === RT_TABLE_MAIN &&
    type === RTN_UNICAST
  );
}

function outgoingLink({ ifindex, multipath }: Route): number | undefined {
  return ifindex ?? multipath?.[0]?.ifindex;
}

const UNREACHABLE = new Set(["ENETUNREACH", "EHOSTUNREACH", "EINVAL"]);

/** The kernel's refusal of a route in words that a network's author can use. */
export function routeError(error: FairleadError, route: RouteSpec | undefined): FairleadError {
  if (!(error instanceof NetlinkError) || !UNREACHABLE.has(error.errnoName)) return error;
  if (route?.gateway === undefined) return error;
  const gateway = formatAddress(route.gateway);
  return new FairleadError({
    code: "invalid-config",
    operation: "add route",
    object: `${formatPrefix(route.destination)} via ${gateway}`,
    reason: `the gateway is in no subnet of the interface (${error.reason})`,
    hint: `add a route to ${gateway} before it, or correct the gateway or the prefix length of the address`,
    details: error.details,
    cause: error,
  });
}

/** The link that packets to `address` leave by, if no gateway is in between; null otherwise, or without a route. */
export function findDirectLink(connection: NetlinkConnection, address: Address): LinkState | null {
  const [result] = connection.attempt([lookUpRoute({ destination: address })]);
  if (!result.ok) {
    if (result.error instanceof NetlinkError && UNREACHABLE.has(result.error.errnoName)) return null;
    throw result.error;
  }
  const { ifindex, gateway, via } = result.replies[0] ?? {};
  return ifindex === undefined || gateway || via ? null : findLink(connection, ifindex);
}
