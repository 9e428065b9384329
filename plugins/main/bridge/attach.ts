/**
 * The kernel side of ADD: a plan in; links, addresses, routes and rules out. Each step pushes its undo.
 */

import { formatPrefix, type InterfaceAddress } from "../../../lib/addr/prefix.ts";
import type { ResultInterface } from "../../../lib/cni/result.ts";
import { announceAddresses, awaitForwarding } from "../../../lib/host/addressing/announce.ts";
import { ensureWayTo, removeWayTo } from "../../../lib/host/addressing/way-to-container.ts";
import { bridgeAliasOf, isFairleadBridge } from "../../../lib/host/bridge/identity.ts";
import type { BridgeLook } from "../../../lib/host/bridge/look.ts";
import { keepMacOfEmptyBridge, removeBridgeIfUnused } from "../../../lib/host/bridge/verbs.ts";
import { ensureIsolation } from "../../../lib/host/firewall/isolation/verbs.ts";
import { ensureMacSpoofCheck, removeMacSpoofCheck } from "../../../lib/host/firewall/source/mac-spoof.ts";
import { ensureSourceCheck, type SourceSpec } from "../../../lib/host/firewall/source/verbs.ts";
import { type LinkState, listBridgePorts, removeLink } from "../../../lib/host/links.ts";
import { lockBridge, tryLockBridge, whileHeld } from "../../../lib/host/locks/bridges.ts";
import { LOCK_DIRECTORY } from "../../../lib/host/locks/bytes.ts";
import type { HostNetlink } from "../../../lib/host/netlink.ts";
import {
  ensureNetworkBridge,
  type HostNetwork,
  isolationOf,
  masquerade,
  serveAsGateway,
} from "../../../lib/host/network/verbs.ts";
import { disableIpv6, ignoreRouterAdvertisements } from "../../../lib/host/settings.ts";
import { createVethInto, type VethPair } from "../../../lib/host/veth.ts";
import { type Netns, withNetns } from "../../../lib/linux/namespaces/netns.ts";
import {
  NETLINK_ROUTE,
  openNetlinkSocket,
  openNetlinkSocketIn,
} from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection, type NetlinkTransport } from "../../../lib/netlink/connection.ts";
import type { BridgePortData } from "../../../lib/netlink/route/link/bridge.ts";
import { LINK_UP, setBridgePort, setLink } from "../../../lib/netlink/route/link.ts";
import { probeThrough } from "../../addresses/address-probe.ts";
import type { AwaitAddresses } from "../../addresses/pending-addresses.ts";
import { hostMacOf } from "../../attachment-names.ts";
import { type AddressPlan, networkOf } from "../../container/address-plan.ts";
import { interfaceOf } from "../../container/attachment-result.ts";
import {
  type ConfiguredEnd,
  configureContainerEnd,
  prepareContainerEnd,
} from "../../container/container-end.ts";
import { LOCK_TIMEOUT_MS, type Workspace } from "../../workspace.ts";
import { type BridgeConfig, wantsVlans } from "./config.ts";
import type { BridgePlan } from "./plan.ts";
import { ensureVlanGateway, joinVlans, requireVlanFiltering, vlanGatewayName } from "./vlan.ts";

/** What the steps after the addresses are known go by. */
interface NetworkPlan {
  readonly bridge: BridgePlan;
  /** Null: layer 2 only. */
  readonly addresses: AddressPlan | null;
}

/** A new pair between bridge and container. */
export interface AttachPlan {
  readonly bridge: BridgePlan;
  readonly netns: Netns;
  /** Of the host, since the bridge is kept. */
  readonly look: BridgeLook;
  /** Waits for the addresses, which were asked for before. */
  readonly awaitAddresses: AwaitAddresses;
}

/** A link on the host that shall become a port. */
export interface PortPlan extends NetworkPlan {
  readonly port: LinkState;
  /** Of the host, since the bridge is kept. */
  readonly look: BridgeLook;
}

/** Of what a gateway's addresses are put on. */
interface GatewayPlace {
  readonly bridge: LinkState;
  readonly look: BridgeLook;
}

export interface Attached {
  /** Bridge, host end, container's end, and with a VLAN the gateway's interface. */
  readonly interfaces: readonly ResultInterface[];
  readonly addresses: AddressPlan | null;
}

/**
 * Carries out a plan {@link whileBridgeIsKept}. Bridge and pair are made while the IPAM service makes its grant durable: both take a millisecond or
 * two, and neither needs the other.
 *
 * @throws FairleadError already-exists when the container has an interface of that name, in-use, unsupported-field,
 * invalid-config, kernel-refused; what awaiting the addresses throws. What was done until then is on the undo stack.
 */
export function attach(attachment: AttachPlan, space: Workspace): Attached {
  const { bridge: plan, netns, look } = attachment;
  const bridge = makeBridge(plan, look, space);
  const pair = makePair(plan, { netns, bridge }, space);
  const addresses = awaitUsable(attachment, pair, space);
  const network = { bridge: plan, addresses };
  // The container's end is still down: nothing has gone past the rules before they are there.
  isolate(network, space);
  const container = configureContainer({ ...network, netns }, pair, space);
  const gateways = makeGateways(network, { bridge, look }, space);
  makeRules(network, space);
  const containerEnd = interfaceOf(container.link, netns.path);
  return {
    interfaces: [interfaceOf(bridge), interfaceOf(pair.host), containerEnd, ...gateways],
    addresses: container.addresses,
  };
}

/** Makes a link that is there already a port of the bridge, {@link whileBridgeIsKept}. Returns the bridge's interface. */
export function attachPort(plan: PortPlan, space: Workspace): readonly ResultInterface[] {
  const { look } = plan;
  const bridge = makeBridge(plan.bridge, look, space);
  isolate(plan, space);
  joinBridge(plan, bridge, space);
  const gateways = makeGateways(plan, { bridge, look }, space);
  makeRules(plan, space);
  return [interfaceOf(bridge), ...gateways];
}

/**
 * Does what relies on the bridge while nobody can remove it. The shared lock is let go before any undo: removing the bridge takes
 * the lock exclusively.
 */
export function whileBridgeIsKept<T>({ config }: BridgePlan, action: () => T): T {
  const lock = lockBridge({
    directory: LOCK_DIRECTORY,
    bridgeName: config.bridge,
    mode: "shared",
    timeoutMs: LOCK_TIMEOUT_MS,
  });
  return whileHeld(lock, action);
}

function makeBridge(
  { config, key }: BridgePlan,
  { bridge: found }: BridgeLook,
  { host, undo, log }: Workspace,
): LinkState {
  const { bridge: name, mtu, promiscMode } = config;
  const { link, created } = ensureNetworkBridge(host.route, {
    name,
    found,
    ...(mtu !== undefined && { mtu }),
    promiscuous: promiscMode,
    ...(wantsVlans(config) && { vlanFiltering: true }),
    alias: bridgeAliasOf(key.networkName),
  });
  if (created) undo.push(`delete bridge ${name}`, () => removeBridge(name, host));
  requireVlanFiltering(config, link);
  if (created) ignoreRouterAdvertisements(name, log);
  // A link-local address is one, too.
  if (created && config.internal && !config.isGateway) disableIpv6(name, log);
  if (created || isFairleadBridge(link.alias)) return link;
  return keepMacOfEmptyBridge(host.route, link);
}

/** Only while nobody else attaches to it: whoever holds the shared lock relies on the bridge. */
function removeBridge(bridgeName: string, host: HostNetlink): void {
  const lock = tryLockBridge({ directory: LOCK_DIRECTORY, bridgeName });
  if (lock !== null) whileHeld(lock, () => removeBridgeIfUnused(host.route, bridgeName));
}

/** What the bridge shall do differently for this port; undefined: nothing. */
function portSettings({ hairpinMode, portIsolation }: BridgeConfig): BridgePortData | undefined {
  if (hairpinMode) return portIsolation ? { hairpin: true, isolated: true } : { hairpin: true };
  return portIsolation ? { isolated: true } : undefined;
}

interface PairEnds {
  readonly netns: Netns;
  readonly bridge: LinkState;
}

function makePair(plan: BridgePlan, { netns, bridge }: PairEnds, { host, undo, log }: Workspace): VethPair {
  const { config, hostIfname, mac, alias, key } = plan;
  const port = portSettings(config);
  const pair = createVethInto(host.route, {
    hostIfname,
    containerIfname: key.ifname,
    netns,
    masterIfindex: bridge.ifindex,
    containerMac: mac,
    hostMac: hostMacOf(key),
    alias,
    // Of somebody's bridge, too: a smaller one would become the bridge's own.
    mtu: config.mtu ?? bridge.mtu,
    ...(port && { port }),
  });
  undo.push(`delete link ${hostIfname}`, () => removeLink(host.route, pair.host.ifindex));
  ignoreRouterAdvertisements(hostIfname, log);
  joinVlans(host.route, pair.host, config);
  return pair;
}

function joinBridge(
  { bridge: { config }, port }: PortPlan,
  bridge: LinkState,
  { host, undo }: Workspace,
): void {
  const reference = { ifindex: port.ifindex };
  host.route.execute([setLink(reference, { ...LINK_UP, master: bridge.ifindex })]);
  undo.push(`take ${port.ifname} off the bridge`, () =>
    host.route.execute([setLink(reference, { master: port.master ?? 0 })]),
  );
  const settings = portSettings(config);
  if (settings) host.route.execute([setBridgePort(reference, settings)]);
  joinVlans(host.route, port, config);
}

/** The addresses, which with `probe` nobody on the bridge's network has. */
function awaitUsable(plan: AttachPlan, pair: VethPair, { host, log }: Workspace): AddressPlan | null {
  const { bridge, netns, awaitAddresses } = plan;
  if (!bridge.config.probe) return awaitAddresses();
  const connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
  const whenUp = (): void => void awaitForwarding(host.route, pair.host.ifindex);
  const settings = { ...settingsOf(bridge), log };
  try {
    const link = { netns, connection, ifindex: pair.containerIfindex, mac: bridge.mac, whenUp };
    return awaitAddresses(probeThrough({ ...link, settings }));
  } finally {
    connection.close();
  }
}

/** Of the container's end. */
function settingsOf({ key, config, asksForIpv6: requiresIpv6 }: BridgePlan) {
  const { routerAdvertisements, enabledad: duplicateAddressDetection } = config;
  return { ifname: key.ifname, routerAdvertisements, requiresIpv6, duplicateAddressDetection };
}

interface ContainerPlan extends NetworkPlan {
  readonly netns: Netns;
}

/** Addresses, state and routes of the container's end, through one socket in its namespace. */
function configureContainer(plan: ContainerPlan, pair: VethPair, { host, log }: Workspace): ConfiguredEnd {
  const { bridge } = plan;
  const { transport, addresses } = enterContainer(plan, log);
  const connection = new NetlinkConnection(transport);
  try {
    const end = configureContainerEnd(connection, {
      ifindex: pair.containerIfindex,
      addresses,
      gatewayPriority: bridge.gatewayPriority,
      up: !bridge.config.disableContainerInterface,
      duplicateAddressDetection: bridge.config.enabledad,
    });
    if (bridge.asksForAddress || addresses?.isWarm) {
      const pairOfEnds = { host: host.route, hostIfindex: pair.host.ifindex, container: connection };
      announceAddresses({ ...pairOfEnds, containerLink: end.link });
    }
    return end;
  } finally {
    connection.close();
  }
}

/** A socket in the container's namespace, and the addresses that its end can have. */
interface Entered {
  readonly transport: NetlinkTransport;
  readonly addresses: AddressPlan | null;
}

/** Settings of the container's end that must be there before it comes up. */
function enterContainer({ bridge, addresses, netns }: ContainerPlan, log: Workspace["log"]): Entered {
  const settings = { ...settingsOf(bridge), addresses };
  return withNetns(netns, () => ({
    addresses: prepareContainerEnd({ ...settings, log }),
    transport: openNetlinkSocket(NETLINK_ROUTE),
  }));
}

/** Where the bridge is the gateway: its addresses, and forwarding. Returns the extra interface of a VLAN. */
function makeGateways(
  { bridge: plan, addresses }: NetworkPlan,
  { bridge, look }: GatewayPlace,
  space: Workspace,
): ResultInterface[] {
  const { config, shared } = plan;
  const wanted = config.isGateway && addresses ? gatewayAddresses(addresses) : [];
  if (wanted.length === 0) return [];
  const vlanLink = config.vlan > 0 ? ensureVlanGateway(config, bridge, space) : null;
  const link = vlanLink ?? bridge;
  const { route } = space.host;
  const mayWiden = vlanLink !== null || isFairleadBridge(bridge.alias);
  const { forceAddress } = config;
  // A bridge of ours with no other port is of nobody that runs: its network's subnet was changed while it was empty.
  const isIdle = () =>
    vlanLink === null &&
    isFairleadBridge(bridge.alias) &&
    listBridgePorts(route, bridge.ifindex).every(({ ifname }) => ifname === plan.hostIfname);
  const seen = vlanLink === null ? look.addresses() : [];
  const siblings = shared.declaredGateways;
  const spec = { link, addresses: wanted, forceAddress, siblings, mayWiden, isIdle, seen };
  serveAsGateway(route, { ...spec, forwards: true, log: space.log });
  makeWays({ bridge: plan, addresses }, link, space);
  return vlanLink ? [interfaceOf(vlanLink)] : [];
}

/** The host's ways to the container, where another bridge may have the same subnet. */
function makeWays(
  { bridge: plan, addresses }: NetworkPlan,
  link: LinkState,
  { host: { route }, undo }: Workspace,
): void {
  if (addresses === null || !plan.shared.declaresParts()) return;
  for (const { address } of addresses.ips) {
    const place = { link, address: address.address, subnet: networkOf(address) };
    if (!ensureWayTo(route, place)) continue;
    undo.push(`delete route to ${formatPrefix(address)}`, () => removeWayTo(route, address.address));
  }
}

/** Gateway addresses with the prefix length of the container's address. */
export function gatewayAddresses({ ips }: Pick<AddressPlan, "ips">): InterfaceAddress[] {
  return ips.flatMap(({ address, gateway }) =>
    gateway ? [{ address: gateway, length: address.length }] : [],
  );
}

/** About the network, as masquerading is: it has no undo. When it cannot be had, there is no attachment. */
function isolate({ bridge, addresses }: NetworkPlan, { host }: Workspace): void {
  if (bridge.config.isolation) ensureIsolation(host.nft, isolationOf(networkOnHost(bridge, addresses)));
  const sources = sourcesOf(bridge, addresses);
  // No undo: it means nothing without its port, and whoever adds this attachment again replaces it.
  if (sources) ensureSourceCheck(host.nft, sources);
}

/** What the attachment may send from; null: anything. Without IPAM nobody knows the addresses. */
export function sourcesOf(
  { config, alias, hostIfname, mac }: BridgePlan,
  addresses: Pick<AddressPlan, "ips"> | null,
): SourceSpec | null {
  if (!config.sourceCheck || addresses === null) return null;
  return { key: alias, hostIfname, mac, addresses: addresses.ips.map(({ address }) => address.address) };
}

/** A network whose containers have these addresses, as the host's rules know it. Null: layer 2 only. */
export function networkOnHost(
  { config, key }: BridgePlan,
  addresses: Pick<AddressPlan, "ips"> | null,
): HostNetwork {
  return {
    networkName: key.networkName,
    bridge: routedLinkOf(config),
    gateways: config.isGateway && addresses ? gatewayAddresses(addresses) : [],
    prefixes: addresses?.ips.map(({ address }) => networkOf(address)) ?? [],
    internal: config.internal,
    separate: config.portIsolation,
    closed: ([4, 6] as const).filter(
      (family) => !(family === 4 ? config.directRouting4 : config.directRouting6),
    ),
  };
}

/** The link by which packets of the network come to the host. */
function routedLinkOf(config: BridgeConfig): string {
  return config.vlan > 0 ? vlanGatewayName(config) : config.bridge;
}

function makeRules({ bridge: plan, addresses }: NetworkPlan, { host, undo }: Workspace): void {
  const { config, hostIfname, mac, alias } = plan;
  if (config.macspoofchk) {
    ensureMacSpoofCheck(host.nft, { key: alias, hostIfname, mac });
    undo.push(`delete source check of ${hostIfname}`, () => removeMacSpoofCheck(host.nft, hostIfname));
  }
  // Last, and about the network: others may rely on it the moment that it is there, so it has no undo.
  if (config.ipMasq) masquerade(host.nft, networkOnHost(plan, addresses));
}
