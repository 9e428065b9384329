/**
 * Routes: what `ip route` shows and changes.
 *
 * Source: net/ipv4/fib_frontend.c, net/ipv6/route.c; the layout is in `route-attributes.ts`.
 */
import { type Address, addressBits, type Family, formatAddress } from "../../addr/address.ts";
import { formatPrefix, type Prefix } from "../../addr/prefix.ts";
import { type CreateMode, createFlags, type NetlinkRequest } from "../request.ts";
import { AF_UNSPEC, addressFamily, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE } from "./family.ts";
import {
  type Nexthop,
  type Route,
  type RouteMetrics,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  RTM_F_FIB_MATCH,
  RTN_LOCAL,
  RTN_UNICAST,
  RTN_UNSPEC,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
  RTPROT_UNSPEC,
  routeMessage,
} from "./route-attributes.ts";

export * from "./route-attributes.ts";

/** One way to a destination. */
interface NexthopRequest {
  readonly ifindex?: number;
  /** May be IPv6 where the destination is IPv4. */
  readonly gateway?: Address;
  /** The gateway is on the link, whatever the addresses say. */
  readonly onlink?: boolean;
  /** Share of the flows, 1 to 256, relative to the other nexthops. Default: 1. */
  readonly weight?: number;
}

/** A route to make or delete. */
export interface RouteRequest extends Omit<NexthopRequest, "weight"> {
  /** `0.0.0.0/0` or `::/0` for the default route. */
  readonly destination: Prefix;
  /** Source address of what this host sends by the route. */
  readonly preferredSource?: Address;
  /** Default: the main table. */
  readonly table?: number;
  /** Metric. Default: 0 in IPv4, and in IPv6 the kernel's 1024. */
  readonly priority?: number;
  /** RT_SCOPE_*. Default: link without a gateway in IPv4, else universe. */
  readonly scope?: number;
  /** RTN_*. Default: unicast. */
  readonly type?: number;
  /** RTPROT_*. Default: boot, as `ip route` has it. */
  readonly protocol?: number;
  readonly metrics?: RouteMetrics;
  /** Several ways, instead of `gateway` and `ifindex`. */
  readonly nexthops?: readonly NexthopRequest[];
}

/** Makes a route. EEXIST in mode "create" when there is one with the same destination, table and priority. */
export function newRoute(route: RouteRequest, mode: CreateMode = "create"): NetlinkRequest {
  return {
    type: RTM_NEWROUTE,
    flags: createFlags(mode),
    payload: routeMessage.encode({
      ...toRoute(route),
      protocol: route.protocol ?? RTPROT_BOOT,
      scope: route.scope ?? defaultScope(route),
      type: route.type ?? RTN_UNICAST,
    }),
    operation: "add route",
    object: routeText(route),
  };
}

/**
 * Deletes the first route that has everything given; ESRCH when there is none. Protocol, scope and type matter only
 * if they are given.
 */
export function deleteRoute(route: RouteRequest): NetlinkRequest {
  return {
    type: RTM_DELROUTE,
    flags: 0,
    payload: routeMessage.encode({
      ...toRoute(route),
      protocol: route.protocol ?? RTPROT_UNSPEC,
      scope: route.scope ?? RT_SCOPE_NOWHERE,
      type: route.type ?? RTN_UNSPEC,
    }),
    operation: "delete route",
    object: routeText(route),
  };
}

/** Without a gateway the destination is on the link. IPv6 has no scopes. */
function defaultScope({ destination, gateway, nexthops, type = RTN_UNICAST }: RouteRequest): number {
  if (destination.address.family === 6) return RT_SCOPE_UNIVERSE;
  if (type === RTN_LOCAL) return RT_SCOPE_HOST;
  return type === RTN_UNICAST && !gateway && !nexthops ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

type RouteChange = Parameters<typeof routeMessage.encode>[0];

function toRoute(route: RouteRequest): RouteChange {
  const { destination, table = RT_TABLE_MAIN, preferredSource, priority, metrics, nexthops } = route;
  const { address, length } = destination;
  const nexthop = toNexthop(route, address.family);
  return {
    ...nexthop,
    family: addressFamily(address.family),
    destinationLength: length,
    headerTable: table > 255 ? RT_TABLE_UNSPEC : table,
    destination: length === 0 ? undefined : address,
    ifindex: route.ifindex,
    preferredSource,
    priority,
    metrics,
    multipath: nexthops?.map((each) => ({
      ...toNexthop(each, address.family),
      hops: (each.weight ?? 1) - 1,
      ifindex: each.ifindex ?? 0,
    })),
    table: table > 255 ? table : undefined,
  };
}

/** A gateway of the route's own family stands in RTA_GATEWAY, one of the other in RTA_VIA. */
function toNexthop({ gateway, onlink }: NexthopRequest, family: Family): Nexthop {
  return {
    flags: onlink ? RTNH_F_ONLINK : 0,
    ...(gateway && (gateway.family === family ? { gateway } : { via: gateway })),
  };
}

function routeText({ destination, gateway, ifindex, table }: RouteRequest): string {
  const words = [formatPrefix(destination)];
  if (gateway) words.push(`via ${formatAddress(gateway)}`);
  if (ifindex !== undefined) words.push(`on ifindex ${ifindex}`);
  if (table !== undefined) words.push(`in table ${table}`);
  return words.join(" ");
}

/** Which routes to list: those that match every member given. */
export interface RouteFilter {
  readonly family?: Family;
  readonly table?: number;
  readonly ifindex?: number;
}

/**
 * Lists routes, for `dump`. A table in which there never was a route does not exist: a socket with
 * NETLINK_GET_STRICT_CHK gets ENOENT for it.
 */
export function getRoutes({ family, table, ifindex }: RouteFilter = {}): NetlinkRequest<Route> {
  const number = family === undefined ? AF_UNSPEC : addressFamily(family);
  return {
    type: RTM_GETROUTE,
    flags: 0,
    payload: routeMessage.encode({ family: number, table, ifindex }),
    operation: "list routes",
    object: table === undefined ? "" : `of table ${table}`,
    decodeReply: decodeRoute,
    accepts: (route) =>
      (number === AF_UNSPEC || route.family === number) &&
      (table === undefined || (route.table ?? route.headerTable) === table) &&
      (ifindex === undefined || routeIfindexes(route).includes(ifindex)),
  };
}

function decodeRoute({ payload }: { readonly payload: Uint8Array }): Route {
  return routeMessage.decode(payload);
}

function routeIfindexes({ ifindex, multipath = [] }: Route): readonly (number | undefined)[] {
  return [ifindex, ...multipath.map((nexthop) => nexthop.ifindex)];
}

/** How to look a route up. */
export interface RouteLookup {
  readonly destination: Address;
  readonly source?: Address;
  readonly mark?: number;
  /** Answers the route that matched, with its prefix, instead of the path to this one destination. */
  readonly matchedRoute?: boolean;
}

/** Asks which way a packet would take: ENETUNREACH when there is none. */
export function lookUpRoute({ destination, source, mark, matchedRoute }: RouteLookup): NetlinkRequest<Route> {
  const { family } = destination;
  return {
    type: RTM_GETROUTE,
    flags: 0,
    payload: routeMessage.encode({
      family: addressFamily(family),
      destinationLength: addressBits(family),
      sourceLength: source ? addressBits(family) : 0,
      flags: matchedRoute ? RTM_F_FIB_MATCH : 0,
      destination,
      source,
      mark,
    }),
    operation: "look up route",
    object: `to ${formatAddress(destination)}`,
    decodeReply: decodeRoute,
  };
}
