/**
 * What a network of the service becomes on a node: a conflist, and for the bridge driver what is behind it. Pure.
 *
 * The predefined network `bridge` comes first among those that we write, so that a runtime which takes the first conflist
 * takes it, as Docker's containers are on `bridge` unless they say otherwise.
 */
import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { type InterfaceAddress, type Prefix, parsePrefix } from "../../lib/addr/prefix.ts";
import { DEFAULT_SOCKET, DEFAULT_STATE_DIR } from "../../lib/daemon/paths.ts";
import type { Network, Subnet } from "../../lib/ipam/api.ts";
import { OPTION, readBridgeOptions, readProbe } from "../../lib/ipam/network-options.ts";
import type { AgentConfig } from "../config.ts";

/** What of the agent's configuration a conflist depends on. */
export type ConflistSettings = Pick<AgentConfig, "serverSocket" | "stateDir"> & {
  /** True when names are answered on the gateway addresses. */
  readonly answersNames: boolean;
};

export interface NodeConflist {
  readonly fileName: string;
  readonly text: string;
}

/** A bridge as the network wants it. */
export interface NodeBridge {
  readonly networkId: string;
  readonly networkName: string;
  readonly bridge: string;
  readonly gateways: readonly InterfaceAddress[];
  readonly prefixes: readonly Prefix[];
  readonly internal: boolean;
  readonly masquerades: boolean;
  /** icc=false */
  readonly separate: boolean;
  /** In these families nobody outside reaches containers by a route. */
  readonly closed: readonly (4 | 6)[];
  /** Bytes; null: what the kernel gives. */
  readonly mtu: number | null;
}

function subnetsOf({ pools }: Network): readonly Subnet[] {
  return pools.flatMap(({ subnets }) => subnets);
}

/** True for networks that the agent writes a conflist for. Those of origin "conflist" have one: their own. */
export function hasConflist({ origin, driver }: Network): boolean {
  return origin !== "conflist" && (driver === "bridge" || driver === "macvlan");
}

/** Null for a network that needs no bridge of ours. */
export function nodeBridgeOf(network: Network): NodeBridge | null {
  if (network.driver !== "bridge" || !hasConflist(network)) return null;
  const subnets = subnetsOf(network);
  const { bridge, icc, ipMasquerade, mtu, routedInto } = readBridgeOptions(network);
  const gateways = subnets.flatMap(({ subnet, gateway }): InterfaceAddress[] =>
    gateway === null ? [] : [{ address: parseAddress(gateway), length: parsePrefix(subnet).length }],
  );
  return {
    networkId: network.id,
    networkName: network.name,
    bridge,
    gateways,
    prefixes: subnets.map(({ subnet }) => parsePrefix(subnet)),
    internal: network.internal,
    masquerades: !network.internal && ipMasquerade,
    separate: !icc,
    closed: ([4, 6] as const).filter((family) => !routedInto.includes(family)),
    mtu,
  };
}

/** Null for a network that needs none. */
export function conflistOf(network: Network, settings: ConflistSettings): NodeConflist | null {
  if (!hasConflist(network)) return null;
  const bridge = nodeBridgeOf(network);
  const plugin = bridge ? bridgePlugin(network, bridge, settings) : macvlanPlugin(network, settings);
  const conflist = {
    cniVersion: "1.0.0",
    // 1.1.0 alone would be refused by containerd 1.6 and 1.7 and by podman 4.3.
    cniVersions: ["0.4.0", "1.0.0", "1.1.0"],
    name: network.name,
    // Several runtimes share the network, and each knows its own attachments alone.
    disableGC: true,
    fairlead: { networkId: network.id },
    plugins: [plugin],
  };
  const order = network.origin === "predefined" ? "80" : "85";
  return {
    fileName: `${order}-fairlead-${network.name}.conflist`,
    text: `${JSON.stringify(conflist, null, 2)}\n`,
  };
}

function bridgePlugin(network: Network, bridge: NodeBridge, settings: ConflistSettings): object {
  const { internal, masquerades, separate, closed, mtu, gateways } = bridge;
  const { hostBinding, sourceCheck, probe } = readBridgeOptions(network);
  const nameservers = gateways.map(({ address }) => formatAddress(address));
  return {
    type: "fairlead-bridge",
    bridge: bridge.bridge,
    isGateway: true,
    isDefaultGateway: !internal,
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
    ...(settings.answersNames && nameservers.length > 0 && { dns: { nameservers, options: ["ndots:0"] } }),
    capabilities: { ips: true, mac: true, aliases: true, portMappings: true },
  };
}

function macvlanPlugin(network: Network, settings: ConflistSettings): object {
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

function ipamSection({ serverSocket, stateDir }: ConflistSettings): object {
  return {
    type: "fairlead-ipam",
    ...(serverSocket !== DEFAULT_SOCKET && { socket: serverSocket }),
    ...(stateDir !== DEFAULT_STATE_DIR && { stateDir }),
  };
}
