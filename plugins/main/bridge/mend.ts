/**
 * What ADD made on the host, made again where somebody took it away: the bridge and its gateway addresses, the port's place and
 * settings, the network's rules, published ports. Asked for by the agent, with the result of ADD; what is inside of the
 * container stays the container's.
 *
 * Only the link that this attachment made is touched, and none is made: a pair that is gone took the container's end along.
 */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { lookAtBridge } from "../../../lib/host/bridge/look.ts";
import { findLink, type LinkState } from "../../../lib/host/links.ts";
import type { HostNetlink } from "../../../lib/host/netlink.ts";
import { ensureMtuOfOwn } from "../../../lib/host/network/verbs.ts";
import { setBridgePort, setLink } from "../../../lib/netlink/route/link.ts";
import { UndoStack } from "../../../lib/undo.ts";
import { nameText } from "../../attachment-names.ts";
import { unpublish } from "../../published-ports.ts";
import { attachPort, whileBridgeIsKept } from "./attach.ts";
import { type BridgePlan, planAddresses, planBridge } from "./plan.ts";
import { openHost, publishMappings } from "./ports.ts";

/** Idempotent. @throws FairleadError not-found when the attachment's link is gone; what ADD throws. */
export function mend(request: CheckRequest): void {
  const plan = planBridge(request);
  const host = openHost(plan.config);
  // A half of what was missing is better than none of it: nothing is taken back.
  const space = { host, undo: new UndoStack(), log: request.log };
  try {
    mendPort(plan, request, space);
    publishMappings({ plan, result: request.prevResult, log: request.log }, space);
    if (plan.mappings.length > 0) unpublishIfGone(plan, host);
  } finally {
    host.close();
  }
}

function mendPort(
  plan: BridgePlan,
  { prevResult }: CheckRequest,
  space: Parameters<typeof attachPort>[1],
): void {
  const { config } = plan;
  const port = requireOwnPort(plan, space.host);
  const own = ownResult(prevResult, plan.key.ifname);
  const addresses = own.ips.length > 0 ? planAddresses(plan, own) : null;
  const reference = { ifindex: port.ifindex };
  // Before it is a port again, or a bridge without an MTU of its own would shrink to it.
  if (config.mtu !== undefined && port.mtu !== config.mtu)
    space.host.route.execute([setLink(reference, { mtu: config.mtu })]);
  whileBridgeIsKept(plan, () => {
    const look = lookAtBridge(space.host.route, { bridge: config.bridge, port: port.ifname });
    attachPort({ bridge: plan, addresses, port, look }, space);
  });
  const settings = { hairpin: config.hairpinMode, isolated: config.portIsolation };
  space.host.route.execute([setBridgePort(reference, settings)]);
  mendBridgeMtu(plan, space.host);
}

function mendBridgeMtu({ config: { bridge: name, mtu } }: BridgePlan, { route }: HostNetlink): void {
  const bridge = mtu === undefined ? null : findLink(route, name);
  if (bridge !== null && mtu !== undefined) ensureMtuOfOwn(route, bridge, mtu);
}

function requireOwnPort({ hostIfname, alias, key }: BridgePlan, host: HostNetlink): LinkState {
  const link = findLink(host.route, hostIfname);
  if (link !== null && link.alias === alias) return link;
  throw new FairleadError({
    code: "not-found",
    operation: "mend attachment",
    object: nameText(key),
    reason: `its link ${hostIfname} is gone`,
    hint: "restart the container, or disconnect it from the network and connect it again",
  });
}

/** A DEL that came meanwhile has taken its ports back before its link: what was published since is nobody's. */
function unpublishIfGone(plan: BridgePlan, host: HostNetlink): void {
  try {
    requireOwnPort(plan, host);
  } catch (gone) {
    unpublish(plan.key, host);
    throw gone;
  }
}

/** The result without the addresses of interfaces that other plugins of the chain made. */
function ownResult(result: Result, ifname: string): Result {
  const isOwn = (index: number | undefined): boolean => {
    const link = index === undefined ? undefined : result.interfaces[index];
    return link === undefined || (Boolean(link.sandbox) && link.name === ifname);
  };
  return { ...result, ips: result.ips.filter((ip) => isOwn(ip.interface)) };
}
