/**
 * DEL: published ports and the link first, then the address, so that nobody is given an address that is still in use.
 *
 * Works from the key alone: without the container's namespace, without a previous result, twice, and after a reboot.
 */

import { Attempts } from "../../../lib/attempts.ts";
import type { DelRequest } from "../../../lib/cni/request.ts";
import { removeMacSpoofCheck } from "../../../lib/host/firewall.ts";
import { removeHostLink } from "../../../lib/host/link-reaper.ts";
import { findLink, type LinkState } from "../../../lib/host/links.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../../lib/linux/netlink-socket.ts";
import { openNetnsIfExists } from "../../../lib/linux/netns.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { processExec } from "../../io.ts";
import { bindIpam } from "../../ipam-binding.ts";
import { unpublish } from "../../published-ports.ts";
import type { HostNetlink } from "../../workspace.ts";
import { type BridgePlan, planBridge } from "./plan.ts";
import { openHost } from "./ports.ts";

export function del(request: DelRequest): void {
  const plan = planBridge(request);
  const ipam = bindIpam(request, processExec);
  const host = openHost(plan.config);
  const attempts = new Attempts();
  try {
    if (plan.config.publishPorts) attempts.run(() => unpublish(plan.key, host));
    attempts.run(() => removePair(request.netns, plan, host));
    if (plan.config.macspoofchk) attempts.run(() => removeMacSpoofCheck(host.nft, plan.hostIfname));
    // An interface that would not go still uses its address, and a port that would not go still leads to it.
    if (!attempts.failed) attempts.run(() => ipam?.del(request));
  } finally {
    host.close();
  }
  attempts.throwIfFailed("delete attachment", plan.alias);
}

function removePair(netns: string | null, plan: BridgePlan, host: HostNetlink): void {
  const link = findOwnPort(plan, host) ?? (netns === null ? null : findForeignPort(netns, plan, host));
  if (link) removeHostLink(host.route, link.ifindex);
}

/**
 * The alias says whose the link is: names are hashes, and a hash can meet another one. A link without one is ours too: its
 * ADD ended between making the link and naming it.
 */
function findOwnPort({ hostIfname, alias }: BridgePlan, host: HostNetlink): LinkState | null {
  const link = findLink(host.route, hostIfname);
  return link !== null && (link.alias === alias || link.alias === "") ? link : null;
}

/**
 * The host end of a pair that another plugin made, before the configuration was changed to ours, or before us in the chain.
 *
 * Nothing but its place tells that it belongs to this attachment: it is the peer of the container's interface, a port of
 * this network's bridge, and no attachment of ours. An interface of that name from another network stays.
 */
function findForeignPort(path: string, plan: BridgePlan, host: HostNetlink): LinkState | null {
  const end = findContainerEnd(path, plan.key.ifname);
  if (end?.kind !== "veth" || end.link === null) return null;
  const port = findLink(host.route, end.link);
  const bridge = port && findLink(host.route, plan.config.bridge);
  const isPeer = port?.kind === "veth" && port.link === end.ifindex;
  return isPeer && bridge && port.master === bridge.ifindex && port.alias === "" ? port : null;
}

function findContainerEnd(path: string, ifname: string): LinkState | null {
  const netns = openNetnsIfExists(path);
  if (netns === null) return null;
  try {
    const container = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    try {
      return findLink(container, ifname);
    } finally {
      container.close();
    }
  } finally {
    netns.close();
  }
}
