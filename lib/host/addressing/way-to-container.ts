/**
 * The host's way to a container whose subnet is on several links of the host: two bridges, each with a part of it, and with the gateway
 * address on both. The kernel has the subnet's route by each, and takes the first; so a container behind another one gets a
 * route of its own, which is more specific.
 *
 * Such a route goes with its bridge at the latest. One that a lost DEL left behind leads where its address belonged last, and is
 * replaced when the address is given to a container behind another bridge.
 */
import { type Address, addressBits } from "../../addr/address.ts";
import { type Prefix, prefixOf } from "../../addr/prefix.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isAbsent } from "../../netlink/request.ts";
import { deleteRoute, lookUpRoute, newRoute, type RouteRequest } from "../../netlink/route/route.ts";
import type { LinkState } from "../links.ts";

/** Marks our routes; `ip route` shows the number. Above those that the kernel and common routing daemons use for themselves. */
const RTPROT_FAIRLEAD = 70;

export interface ContainerPlace {
  readonly link: Pick<LinkState, "ifindex">;
  readonly address: Address;
  /** The subnet that the link has an address of. */
  readonly subnet: Prefix;
}

/**
 * Sees to it that the host reaches `address` by `link`, where the same subnet by another link is in the way. A route of somebody
 * else's that is more specific than the subnet stays. One round trip where nothing is in the way. Idempotent.
 *
 * @returns whether a route was made. @throws NetlinkError
 */
export function ensureWayTo(
  connection: NetlinkConnection,
  { link, address, subnet }: ContainerPlace,
): boolean {
  const [result] = connection.attempt([lookUpRoute({ destination: address, matchedRoute: true })]);
  // A prohibition is not another bridge's subnet, and the administrator's to lift.
  const found = result?.ok ? result.replies[0] : undefined;
  if (found === undefined || found.ifindex === link.ifindex) return false;
  const isStale =
    found.destinationLength === addressBits(address.family) && found.protocol === RTPROT_FAIRLEAD;
  if (found.destinationLength !== subnet.length && !isStale) return false;
  connection.execute([newRoute({ ...routeTo(address), ifindex: link.ifindex }, "replace")]);
  return true;
}

/** Takes back what {@link ensureWayTo} made. Idempotent. @throws NetlinkError */
export function removeWayTo(connection: NetlinkConnection, address: Address): void {
  const [result] = connection.attempt([deleteRoute(routeTo(address))]);
  if (result && !result.ok && !isAbsent(result.error)) throw result.error;
}

function routeTo(address: Address): RouteRequest {
  return { destination: prefixOf(address, addressBits(address.family)), protocol: RTPROT_FAIRLEAD };
}
