/** The container's end of an attachment. */
import type { InterfaceAddress } from "../../addr/prefix.ts";
import type { FairleadError } from "../../errors.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isPresent } from "../../netlink/request.ts";
import { LINK_UP, setLink } from "../../netlink/route/link.ts";
import { addressRequests, awaitDuplicateAddressDetection } from "../addressing/addresses.ts";
import { type RouteSpec, routeError, routeRequests, withOnlinkGateways } from "../addressing/routes.ts";
import { getLinkState, type LinkState, requireLink } from "../links.ts";

export interface ContainerLinkSpec {
  readonly ifindex: number;
  readonly addresses: readonly InterfaceAddress[];
  /** In order: a later one may need an earlier one to reach its gateway. */
  readonly routes: readonly RouteSpec[];
  /** Default true. A link that stays down gets no route. */
  readonly up?: boolean;
  /** Lets IPv6 ask the link whether somebody else has an address, and waits for the answer: 1 to 2 s. Default false. */
  readonly duplicateAddressDetection?: boolean;
}

/**
 * Gives the link its addresses, sets it up and makes its routes, all in one round trip. Returns the link as it is
 * afterwards.
 *
 * The addresses come first, so that the link has them when it comes up and says so where `arp_notify` or
 * `ndisc_notify` is on. Addresses and routes that exist already are left as they are, unless a route is `exclusive`.
 *
 * @param connection to the netns of the container.
 * @throws FairleadError invalid-config when a gateway cannot be reached; NetlinkError, EEXIST for an exclusive route:
 * everything else is in place then.
 */
export function configureContainerLink(connection: NetlinkConnection, spec: ContainerLinkSpec): LinkState {
  const { ifindex, addresses, up = true, duplicateAddressDetection = false } = spec;
  const routes = up ? withOnlinkGateways(spec.routes, addresses) : [];
  const changes = [
    ...addressRequests(ifindex, addresses, { duplicateAddressDetection }),
    ...(up ? [setLink({ ifindex }, LINK_UP)] : []),
    ...routeRequests(ifindex, routes),
  ];
  const results = connection.attempt([...changes, getLinkState(ifindex)]);
  const firstRoute = changes.length - routes.length;
  for (const [at, result] of results.entries()) {
    const route = routes[at - firstRoute];
    if (!result.ok && (route?.exclusive || !isPresent(result.error))) throw explain(result.error, route);
  }
  if (up && duplicateAddressDetection) awaitDuplicateAddressDetection(connection, ifindex);
  const last = results.at(-1);
  const [link] = last?.ok ? last.replies : [];
  return link ?? requireLink(connection, ifindex);
}

function explain(error: FairleadError, route: RouteSpec | undefined): FairleadError {
  return route === undefined ? error : routeError(error, route);
}
