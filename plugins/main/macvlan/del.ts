/**
 * DEL: the link first, then the address, so that nobody is given an address that is still in use.
 *
 * Works without the container's namespace, which takes the link with it, without a previous result, after the master is
 * gone, and twice.
 */
import { Attempts } from "../../../lib/attempts.ts";
import type { DelRequest } from "../../../lib/cni/request.ts";
import { findLink, type LinkState, removeLink } from "../../../lib/host/links.ts";
import { openNetnsIfExists } from "../../../lib/linux/netns.ts";
import { processExec } from "../../io.ts";
import { bindIpam } from "../../ipam-binding.ts";
import { findMaster } from "./master.ts";
import { type MacvlanPlan, planMacvlan } from "./plan.ts";
import { MacvlanSpace } from "./space.ts";

export function del(request: DelRequest): void {
  const plan = planMacvlan(request);
  const ipam = bindIpam(request, processExec);
  const attempts = new Attempts();
  attempts.run(() => removeOwnLink(request.netns, plan));
  // An interface that would not go still uses its address.
  if (!attempts.failed) attempts.run(() => ipam?.del(request));
  attempts.throwIfFailed("delete attachment", plan.alias);
}

function removeOwnLink(path: string | null, plan: MacvlanPlan): void {
  const netns = path === null ? null : openNetnsIfExists(path);
  if (netns === null) return;
  const space = new MacvlanSpace(netns, plan.config);
  try {
    const link = findLink(space.container, plan.key.ifname);
    if (link && isOwn(link, plan, space)) removeLink(space.container, link.ifindex);
  } finally {
    space.close();
  }
}

/**
 * The alias says whose the link is. One without was made by another plugin, before the configuration was changed to ours,
 * or by an ADD that ended before it named it: it is taken for ours when it is on this network's master. The interface of
 * another network stays.
 */
function isOwn(link: LinkState, { alias, config }: MacvlanPlan, space: MacvlanSpace): boolean {
  if (link.kind !== "macvlan") return false;
  if (link.alias !== "") return link.alias === alias;
  const sameNetns = space.netnsBelow === undefined;
  return (link.linkNetnsId === null) === sameNetns && link.link === findMaster(space.below, config)?.ifindex;
}
