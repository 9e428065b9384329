/** What the conflist of a network with a bridge says. Pure. */
import { formatAddress } from "../../../../lib/addr/address.ts";
import { formatPrefix } from "../../../../lib/addr/prefix.ts";
import type { ConflistPart, ConflistSettings } from "../driver.ts";
import { ipamSection } from "../ipam-section.ts";
import type { NodeBridge } from "./plan.ts";

export function conflistPart(bridge: NodeBridge, settings: ConflistSettings): ConflistPart {
  const plugin = pluginSection(bridge, settings);
  if (!bridge.isolated) return { plugin };
  // A bridge without an address does not tell the subnets: for a service whose store is gone.
  return { plugin, facts: { subnets: bridge.prefixes.map(formatPrefix) } };
}

function pluginSection(network: NodeBridge, settings: ConflistSettings): object {
  const { bridge, internal, masquerades, separate, closed, mtu, isolated } = network;
  const { hostBinding, sourceCheck, probe } = network.attachment;
  return {
    type: "fairlead-bridge",
    bridge,
    isGateway: !isolated,
    isDefaultGateway: !internal,
    // A bridge that is no gateway would leave containers to the routers of its network, of which there are none.
    ...(isolated && { routerAdvertisements: false }),
    ipMasq: masquerades,
    hairpinMode: true,
    isolation: true,
    internal,
    portIsolation: separate,
    sourceCheck,
    directRouting4: !closed.includes(4),
    directRouting6: !closed.includes(6),
    gatewayPriority: 0,
    // By the bridge itself: a second plugin would be a second process for every container.
    publishPorts: true,
    ...(probe && { probe }),
    ...(hostBinding !== null && { hostBinding }),
    ...(mtu !== null && { mtu }),
    ipam: ipamSection(settings),
    ...dnsOf(network, settings),
    capabilities: { ips: true, mac: true, aliases: true, portMappings: true },
  };
}

/** Short names that no container has are searched for in the host's domains, but where no name of the world is answered. */
function dnsOf(
  { gateways, internal }: NodeBridge,
  { answersNames, searchDomains }: ConflistSettings,
): object {
  const nameservers = gateways.map(({ address }) => formatAddress(address));
  if (!answersNames || nameservers.length === 0) return {};
  const search = internal ? [] : searchDomains;
  return { dns: { nameservers, ...(search.length > 0 && { search }), options: ["ndots:0"] } };
}
