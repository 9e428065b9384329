/**
 * Driver `macvlan`: containers are on a link of the host that somebody else keeps. All of it is in the containers, so nothing is made
 * on the host, and nothing is left.
 */
import { FairleadError } from "../../../lib/errors.ts";
import { findLink } from "../../../lib/host/links.ts";
import type { Network } from "../../../lib/ipam/api.ts";
import { OPTION, readProbe } from "../../../lib/ipam/network-options.ts";
import type { ConflistSettings, NodeDriver } from "./driver.ts";
import { ipamSection } from "./ipam-section.ts";
import type { NodeNetlink } from "./node-netlink.ts";

export const macvlanDriver: NodeDriver = {
  networkOf: (network) => ({
    network,
    routed: null,
    conflist: (settings) => ({ plugin: pluginSection(network, settings) }),
    ensure: async () => undefined,
    requireUsable: (host) => requireParent(host, network),
    problems: () => [],
  }),
  findLeftovers: () => [],
};

function pluginSection(network: Network, settings: ConflistSettings): object {
  const { [OPTION.parent]: parent, [OPTION.macvlanMode]: mode, [OPTION.mtu]: mtu } = network.options;
  return {
    type: "fairlead-macvlan",
    ...(parent && { master: parent }),
    ...(mode && { mode }),
    ...(mtu && { mtu: Number(mtu) }),
    ...(network.pools.length > 0 && {
      isDefaultGateway: !network.internal,
      gatewayPriority: 0,
      // What containers get is what the service says, not what anybody on the parent's network says.
      routerAdvertisements: false,
      // Of what is on the parent's network the service knows its own containers alone.
      probe: readProbe(network.options, true),
      ipam: ipamSection(settings),
    }),
    capabilities: { ips: true, mac: true, aliases: true },
  };
}

/** The link that containers of the network are to be on. @throws FairleadError not-found */
function requireParent(host: NodeNetlink, { options, name }: Network): void {
  const parent = options[OPTION.parent] ?? "";
  if (parent === "" || findLink(host.route, parent) !== null) return;
  throw new FairleadError({
    code: "not-found",
    operation: "find parent of macvlan network",
    object: name,
    reason: `this host has no link ${parent}, so no container can be attached`,
    hint: `make it (ip link), or make the network anew with another parent`,
  });
}
