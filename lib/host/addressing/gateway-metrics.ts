/**
 * Metrics of the default routes of a container that is on several networks, so that all of them are there and the
 * kernel takes the one that shall win: the lowest metric.
 *
 * A priority has a thousand metrics, `1,000,000,000 - 1,000 × priority` and up. A new route gets the one after the last
 * that is taken there, so that among equals the first stays; what remains when a link goes is what takes over, with
 * nobody doing anything.
 *
 * The range ends below 2^31, which tools that print metrics as signed numbers can tell, and begins above 1024, the
 * metric that IPv6 gives to a route that asks for none: a route without a priority wins over all that have one, as it
 * does in IPv4, where it has metric 0.
 */
import type { Family } from "../../addr/address.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { getRoutes, type Route } from "../../netlink/route/route.ts";
import { isDefaultRouteOf } from "./routes.ts";

const METRIC_OF_ZERO = 1_000_000_000;
/** Metrics of one priority. */
const METRICS_EACH = 1000;
/** Beyond this, up and down, priorities count as equal. */
const LARGEST_DISTINCT_PRIORITY = 999_990;

/** The first metric of a priority, an integer. */
export function firstGatewayMetric(priority: number): number {
  const distinct = Math.max(-LARGEST_DISTINCT_PRIORITY, Math.min(LARGEST_DISTINCT_PRIORITY, priority));
  return METRIC_OF_ZERO - METRICS_EACH * distinct;
}

/** Whose default route it is to be. */
export interface GatewayClaim {
  readonly family: Family;
  readonly priority: number;
  /** Of the link that it goes out of. */
  readonly ifindex: number;
}

export interface GatewayMetric {
  readonly metric: number;
  /** True when the link has a default route with this metric already. */
  readonly isOurs: boolean;
}

/** Chooses the metric of a default route in the main table. One dump. */
export function chooseGatewayMetric(connection: NetlinkConnection, claim: GatewayClaim): GatewayMetric {
  const present = connection.dump(getRoutes({ family: claim.family }));
  return gatewayMetricAmong(present, claim);
}

/** The same, among routes that were read before. */
export function gatewayMetricAmong(routes: readonly Route[], claim: GatewayClaim): GatewayMetric {
  const first = firstGatewayMetric(claim.priority);
  const last = first + METRICS_EACH - 1;
  const peers = routes.filter(
    (route) => isDefaultRouteOf(route, claim.family) && metricOf(route) >= first && metricOf(route) <= last,
  );
  const own = peers.find(({ ifindex }) => ifindex === claim.ifindex);
  if (own) return { metric: metricOf(own), isOurs: true };
  return { metric: freeMetric(new Set(peers.map(metricOf)), first, last), isOurs: false };
}

function metricOf({ priority = 0 }: Route): number {
  return priority;
}

/**
 * The one after all that are taken. When the last one is taken, which takes a thousand networks or as many
 * reconnections, the highest that is free: it loses against nearly all of its equals.
 */
function freeMetric(taken: ReadonlySet<number>, first: number, last: number): number {
  const next = Math.max(first - 1, ...taken) + 1;
  if (next <= last) return next;
  let free = last;
  while (taken.has(free) && free > first) free -= 1;
  return free;
}
