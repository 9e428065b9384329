/** CHECK: compares the kernel, and who gave the addresses, with the result of ADD. */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import type { LinkState } from "../../../lib/host/links.ts";
import { macvlanModeOf } from "../../../lib/host/macvlan.ts";
import { openNetns } from "../../../lib/linux/namespaces/netns.ts";
import { bindIpam } from "../../addresses/ipam-binding.ts";
import { checkContainer, checkFailed, findMadeInterface } from "../../container/check-container.ts";
import { processExec } from "../../io.ts";
import { findMaster } from "./master.ts";
import { type MacvlanPlan, planMacvlan } from "./plan.ts";
import { MacvlanSpace } from "./space.ts";

export function check(request: CheckRequest): void {
  const plan = planMacvlan(request);
  bindIpam(plan.shared, { ...request, exec: processExec })?.check(request);
  const made = findMadeInterface(request);
  const master = findNamedMaster(request.netns, plan);
  const inspect = (link: LinkState): void => checkLink(link, master, plan);
  checkContainer(request, made, { kind: "macvlan", up: true, inspect });
}

/**
 * Null when the configuration names none: the default route may have moved since.
 *
 * @throws FairleadError check-failed when it is gone.
 */
function findNamedMaster(netns: string, { config }: MacvlanPlan): LinkState | null {
  if (config.master === "") return null;
  const space = new MacvlanSpace(openNetns(netns), config);
  try {
    const master = findMaster(space.below, config);
    if (master !== null) return master;
  } finally {
    space.close();
  }
  throw checkFailed(config.master, "the link that the container's interface was on is gone");
}

function checkLink(link: LinkState, master: LinkState | null, { config }: MacvlanPlan): void {
  const mode = macvlanModeOf(link);
  if (mode !== config.mode) throw checkFailed(link.ifname, `its mode is ${mode}, not ${config.mode}`);
  if (master && link.link !== master.ifindex) throw checkFailed(link.ifname, `it is not on ${master.ifname}`);
  if (config.mtu !== undefined && link.mtu !== config.mtu)
    throw checkFailed(link.ifname, `its MTU is ${link.mtu}, not ${config.mtu}`);
}
