/** CHECK, inside the container: link, addresses, routes. */
import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import {
  formatPrefix,
  type InterfaceAddress,
  parseInterfaceAddress,
  prefixEquals,
} from "../../lib/addr/prefix.ts";
import type { CheckRequest } from "../../lib/cni/request.ts";
import type { Result, ResultInterface, ResultRoute } from "../../lib/cni/result.ts";
import { FairleadError } from "../../lib/errors.ts";
import { listAddresses } from "../../lib/host/addressing/addresses.ts";
import { findLink, type LinkState } from "../../lib/host/links.ts";
import { openNetns } from "../../lib/linux/namespaces/netns.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { AF_INET } from "../../lib/netlink/route/family.ts";
import { getRoutes, type Route, RT_TABLE_MAIN } from "../../lib/netlink/route/route.ts";
import { networkOf } from "./address-plan.ts";

/** The container's interface in the result, and its place there. */
export interface MadeInterface {
  readonly index: number;
  readonly link: ResultInterface;
}

export function checkFailed(object: string, reason: string): FairleadError {
  return new FairleadError({
    code: "check-failed",
    operation: "check",
    object,
    reason,
    hint: "the attachment is broken: DEL it and ADD it again",
  });
}

/** @throws FairleadError check-failed when the result names no such interface in the container. */
export function findMadeInterface({ prevResult, key, netns }: CheckRequest): MadeInterface {
  const index = prevResult.interfaces.findIndex(({ name, sandbox }) => name === key.ifname && sandbox);
  const link = prevResult.interfaces[index];
  if (!link) throw checkFailed(key.ifname, "prevResult does not have it as an interface of the container");
  if (link.sandbox === netns) return { index, link };
  throw checkFailed(key.ifname, `prevResult has it in ${link.sandbox}, but CNI_NETNS is ${netns}`);
}

/** What the container's link must be like beyond what the result says. */
export interface LinkExpectation {
  readonly kind: string;
  readonly up: boolean;
  /** Looks for what only links of this kind can have wrong. */
  readonly inspect?: (link: LinkState) => void;
}

/** @throws FairleadError check-failed, naming what is missing or differs. */
export function checkContainer(request: CheckRequest, made: MadeInterface, expected: LinkExpectation): void {
  const netns = openNetns(request.netns);
  try {
    const connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    try {
      const ifindex = checkLink(made, expected, connection);
      checkAddresses(request.prevResult, { ...made, ifindex }, connection);
      checkRoutes(request.prevResult, connection);
    } finally {
      connection.close();
    }
  } finally {
    netns.close();
  }
}

function checkLink(
  { link: { name, mac } }: MadeInterface,
  { kind, up, inspect }: LinkExpectation,
  connection: NetlinkConnection,
): number {
  const link = findLink(connection, name);
  if (link === null) throw checkFailed(name, "the container has no such interface");
  if (link.kind !== kind) throw checkFailed(name, `it is no ${kind}, but ${link.kind || "a physical link"}`);
  if (mac && link.mac !== mac.toLowerCase())
    throw checkFailed(name, `its MAC address is ${link.mac}, not ${mac}`);
  if (up && !link.isUp) throw checkFailed(name, "it is down");
  inspect?.(link);
  return link.ifindex;
}

function checkAddresses(
  { ips }: Result,
  { index, ifindex, link }: MadeInterface & { readonly ifindex: number },
  connection: NetlinkConnection,
): void {
  const present = listAddresses(connection, ifindex);
  const ours = ips.filter((ip) => ip.interface === undefined || ip.interface === index);
  const missing = ours.find(
    ({ address }) => !present.some((p) => prefixEquals(p, parseInterfaceAddress(address))),
  );
  if (missing) throw checkFailed(link.name, `the address ${missing.address} is not on it`);
}

function checkRoutes({ routes }: Result, connection: NetlinkConnection): void {
  if (routes.length === 0) return;
  const present = connection.dump(getRoutes());
  for (const route of routes) {
    if (!present.some((candidate) => isRoute(candidate, route)))
      throw checkFailed(routeText(route), "the route is gone");
  }
}

function isRoute(candidate: Route, { dst, gw, table = RT_TABLE_MAIN, ...attributes }: ResultRoute): boolean {
  const wanted = networkOf(parseInterfaceAddress(dst));
  const { priority, mtu, advmss } = attributes;
  return (
    prefixEquals(destinationOf(candidate), wanted) &&
    (candidate.table ?? candidate.headerTable) === table &&
    (!gw ||
      (candidate.gateway !== undefined &&
        formatAddress(candidate.gateway) === formatAddress(parseAddress(gw)))) &&
    (!priority || candidate.priority === priority) &&
    (!mtu || candidate.metrics?.mtu === mtu) &&
    (!advmss || candidate.metrics?.advmss === advmss)
  );
}

/** A default route has no destination attribute. */
function destinationOf({ destination, destinationLength, family }: Route): InterfaceAddress {
  const zero = { family: family === AF_INET ? 4 : 6, value: 0n } as const;
  return { address: destination ?? zero, length: destinationLength };
}

function routeText({ dst, gw }: ResultRoute): string {
  return gw ? `route ${dst} via ${gw}` : `route ${formatPrefix(networkOf(parseInterfaceAddress(dst)))}`;
}
