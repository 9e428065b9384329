/**
 * VLANs of a bridge port and of the gateway.
 *
 * Source: `setupVeth` and `ensureVlanInterface` of the reference plugin bridge.
 */

import { deriveIfname } from "../../../lib/addr/ifname.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { findLink, type LinkState, removeLink, setLinkUp } from "../../../lib/host/links.ts";
import { createVethInto } from "../../../lib/host/veth.ts";
import { openNetns } from "../../../lib/linux/namespaces/netns.ts";
import type { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { addBridgeVlans, deleteBridgeVlans, type PortVlan } from "../../../lib/netlink/route/bridge-vlan.ts";
import type { Workspace } from "../../workspace.ts";
import { type BridgeConfig, wantsVlans } from "./config.ts";

/** The VLAN that every port of a filtering bridge gets by itself. */
const DEFAULT_VLAN = 1;

type VlanConfig = Pick<BridgeConfig, "vlan" | "vlanTrunk" | "preserveDefaultVlan">;

/**
 * Refuses VLAN keys on a bridge that does not filter: a kernel without the feature takes the request to switch it on
 * and ignores it.
 *
 * @throws FairleadError unsupported-field
 */
export function requireVlanFiltering(config: BridgeConfig, bridge: LinkState): void {
  if (!wantsVlans(config)) return;
  const { linkInfo } = bridge.raw;
  if (linkInfo?.kind === "bridge" && linkInfo.data?.vlanFiltering === true) return;
  const key = config.vlan > 0 ? `vlan: ${config.vlan}` : `vlanTrunk: ${JSON.stringify(config.vlanTrunk)}`;
  throw new FairleadError({
    code: "unsupported-field",
    operation: "configure bridge",
    object: bridge.ifname,
    reason: `cannot serve ${key}: this kernel does not filter VLANs on bridges`,
    hint: "use a kernel with CONFIG_BRIDGE_VLAN_FILTERING, or drop vlan and vlanTrunk",
  });
}

/** The VLANs that a port shall be in, besides the default one. */
function vlansOf({ vlan, vlanTrunk }: VlanConfig): PortVlan[] {
  const untagged = vlan > 0 ? [{ vlan, pvid: true, untagged: true }] : [];
  const tagged = vlanTrunk.map(({ first, last }) => ({
    vlan: first,
    ...(last > first && { lastVlan: last }),
  }));
  return [...untagged, ...tagged];
}

/** Puts a port into its VLANs, in one round trip; nothing without VLAN keys. @throws NetlinkError */
export function joinVlans(connection: NetlinkConnection, port: LinkState, config: VlanConfig): void {
  const vlans = vlansOf(config);
  if (vlans.length === 0) return;
  const target = { ifindex: port.ifindex };
  const leave = config.preserveDefaultVlan ? [] : [deleteBridgeVlans(target, [{ vlan: DEFAULT_VLAN }])];
  connection.execute([...leave, addBridgeVlans(target, vlans)]);
}

/** Name of the interface that carries a VLAN's gateway address. */
export function vlanGatewayName({ bridge, vlan }: Pick<BridgeConfig, "bridge" | "vlan">): string {
  return `${bridge}.${vlan}`;
}

/**
 * The interface that carries the gateway address of a VLAN: one end of a pair, `<bridge>.<vlan>`, whose other end is a
 * port of the bridge in that VLAN. Made when absent.
 *
 * @throws FairleadError invalid-config when the name would be too long; NetlinkError.
 */
export function ensureVlanGateway(
  config: BridgeConfig,
  bridge: LinkState,
  { host, undo }: Workspace,
): LinkState {
  const name = vlanGatewayName(config);
  const present = findLink(host.route, name);
  if (present) return present;
  const netns = openNetns("/proc/thread-self/ns/net");
  try {
    const port = createVethInto(host.route, {
      hostIfname: deriveIfname("veth", JSON.stringify([bridge.ifname, config.vlan])),
      containerIfname: name,
      netns,
      masterIfindex: bridge.ifindex,
      ...(config.mtu !== undefined && { mtu: config.mtu }),
    });
    undo.push(`delete link ${name}`, () => removeLink(host.route, port.host.ifindex));
    joinVlans(host.route, port.host, { ...config, vlanTrunk: [] });
    setLinkUp(host.route, port.containerIfindex);
    return findLink(host.route, port.containerIfindex) ?? port.host;
  } finally {
    netns.close();
  }
}
