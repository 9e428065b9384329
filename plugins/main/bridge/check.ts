/**
 * CHECK: what ADD made is there and as it was: lease, links, gateway, rules, published ports, addresses, routes.
 *
 * Only what this plugin made is compared; later plugins of the chain may have added to it.
 */
import { formatPrefix, prefixEquals } from "../../../lib/addr/prefix.ts";
import type { CheckRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import { listAddresses } from "../../../lib/host/addressing/addresses.ts";
import { isWiderOf } from "../../../lib/host/bridge/verbs.ts";
import { checkIsolation } from "../../../lib/host/firewall/isolation/verbs.ts";
import { checkMasquerade } from "../../../lib/host/firewall/masquerade/check.ts";
import { checkMacSpoofCheck } from "../../../lib/host/firewall/source/mac-spoof.ts";
import { checkSourceCheck } from "../../../lib/host/firewall/source/verbs.ts";
import { findLink, type LinkState } from "../../../lib/host/links.ts";
import type { HostNetlink } from "../../../lib/host/netlink.ts";
import { isolationOf, masqueradeOf } from "../../../lib/host/network/verbs.ts";
import { bindIpam } from "../../addresses/ipam-binding.ts";
import {
  checkContainer,
  checkFailed,
  findMadeInterface,
  type MadeInterface,
} from "../../container/check-container.ts";
import { processExec } from "../../io.ts";
import { gatewayAddresses, networkOnHost, sourcesOf } from "./attach.ts";
import { type BridgePlan, planAddresses, planBridge } from "./plan.ts";
import { checkMappings, openHost } from "./ports.ts";
import { vlanGatewayName } from "./vlan.ts";

export function check(request: CheckRequest): void {
  const plan = planBridge(request);
  bindIpam(plan.shared, { ...request, exec: processExec })?.check(request);
  const made = findMadeInterface(request);
  const host = openHost(plan.config);
  try {
    checkHost(plan, ownResult(request.prevResult, made), host);
    checkMappings(plan, request, host);
  } finally {
    host.close();
  }
  checkContainer(request, made, { kind: "veth", up: !plan.config.disableContainerInterface });
}

/** The result without the addresses of interfaces that later plugins made. */
function ownResult(result: Result, { index }: MadeInterface): Result {
  return { ...result, ips: result.ips.filter((ip) => ip.interface === undefined || ip.interface === index) };
}

function checkHost(plan: BridgePlan, prevResult: Result, host: HostNetlink): void {
  const { config, hostIfname, alias, mac } = plan;
  const bridge = findLink(host.route, config.bridge);
  if (bridge === null) throw checkFailed(config.bridge, "the bridge is gone");
  if (bridge.kind !== "bridge")
    throw checkFailed(config.bridge, `it is no bridge, but of kind ${bridge.kind}`);
  checkPort(plan, { prevResult, bridge }, host);
  if (config.macspoofchk) checkMacSpoofCheck(host.nft, { key: alias, hostIfname, mac });
  const addresses = prevResult.ips.length > 0 ? planAddresses(plan, prevResult) : null;
  const network = networkOnHost(plan, addresses);
  if (config.isolation) checkIsolation(host.nft, isolationOf(network));
  const sources = sourcesOf(plan, addresses);
  if (sources) checkSourceCheck(host.nft, sources);
  if (addresses === null) return;
  if (config.isGateway) {
    const link = config.vlan > 0 ? findLink(host.route, vlanGatewayName(config)) : bridge;
    const present = link ? listAddresses(host.route, link.ifindex) : [];
    const missing = gatewayAddresses(addresses).find(
      (gateway) => !present.some((p) => prefixEquals(p, gateway) || isWiderOf(p, gateway)),
    );
    if (missing)
      throw checkFailed(config.bridge, `the gateway address ${formatPrefix(missing)} is not on it`);
  }
  if (config.ipMasq) checkMasquerade(host.nft, masqueradeOf(network));
}

/** The host's end: ours by name, or, where another plugin made the pair, the first host interface beside the bridge. */
function checkPort(
  { config, hostIfname }: BridgePlan,
  { prevResult, bridge }: { readonly prevResult: Result; readonly bridge: LinkState },
  host: HostNetlink,
): void {
  const onHost = prevResult.interfaces.filter(({ sandbox, name }) => !sandbox && name !== config.bridge);
  const made = onHost.find(({ name }) => name === hostIfname) ?? onHost[0];
  if (!made) throw checkFailed(hostIfname, "prevResult does not have it as an interface of the host");
  const link = findLink(host.route, made.name);
  if (link === null) throw checkFailed(made.name, "the host interface is gone");
  if (link.master !== bridge.ifindex)
    throw checkFailed(made.name, `it is no port of bridge ${config.bridge}`);
  if (!link.isUp) throw checkFailed(made.name, "the host interface is down");
}
