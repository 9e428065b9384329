/**
 * DEL: the link first, then the address, so that nobody is given an address that is still in use.
 *
 * Works from the key alone: without the container's namespace, without a previous result, twice, and after a reboot.
 */
import type { DelRequest } from "../../../lib/cni/request.ts";
import { combineErrors } from "../../../lib/errors.ts";
import { removeMacSpoofCheck } from "../../../lib/host/firewall.ts";
import { findLink, removeLink } from "../../../lib/host/links.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../../lib/linux/netlink-socket.ts";
import { openNetnsIfExists } from "../../../lib/linux/netns.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { processExec } from "../../io.ts";
import { bindIpam } from "../../ipam-binding.ts";
import { type BridgePlan, planBridge } from "./plan.ts";
import { HostNetlink } from "./workspace.ts";

export function del(request: DelRequest): void {
  const plan = planBridge(request);
  const ipam = bindIpam(request, processExec);
  const errors: unknown[] = [];
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      errors.push(error);
    }
  };
  const host = new HostNetlink();
  try {
    attempt(() => removeInterfaces(request, plan, host));
    if (plan.config.macspoofchk) attempt(() => removeMacSpoofCheck(host.nft, plan.hostIfname));
    // An interface that would not go still uses its address.
    if (errors.length === 0) attempt(() => ipam?.del(request));
  } finally {
    host.close();
  }
  if (errors.length > 0) throw combineErrors("delete attachment", plan.alias, errors);
}

function removeInterfaces({ netns, key }: DelRequest, plan: BridgePlan, host: HostNetlink): void {
  if (removeHostEnd(plan, host) || netns === null) return;
  removeContainerEnd(netns, key.ifname);
}

/** The alias says whose the link is: names are hashes, and a hash can meet another one. */
function removeHostEnd({ hostIfname, alias }: BridgePlan, host: HostNetlink): boolean {
  const link = findLink(host.route, hostIfname);
  return link !== null && (link.alias === alias || link.alias === "") && removeLink(host.route, link.ifindex);
}

/** An attachment that another plugin made, before the configuration was changed to ours: its pair goes by this end. */
function removeContainerEnd(path: string, ifname: string): void {
  const netns = openNetnsIfExists(path);
  if (netns === null) return;
  try {
    const container = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    try {
      const link = findLink(container, ifname);
      if (link?.kind === "veth") removeLink(container, link.ifindex);
    } finally {
      container.close();
    }
  } finally {
    netns.close();
  }
}
