/**
 * What a network with a bridge has on a host, by those verbs that whoever attaches a container and whoever keeps the network without one
 * have in common: the bridge, its gateway addresses, and the rules that keep the network apart and masquerade it.
 *
 * Each is idempotent. They rely on the bridge: to be called while its lock is held ({@link lockBridge}).
 */
import type { Family } from "../../addr/address.ts";
import type { InterfaceAddress, Prefix } from "../../addr/prefix.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import type { NFTables } from "../../netlink/nftables/nftables.ts";
import { setLink } from "../../netlink/route/link.ts";
import { bridgeMacOf, isFairleadBridge } from "../bridge/identity.ts";
import {
  type BridgeSpec,
  type EnsuredBridge,
  ensureBridge,
  ensureGatewayAddresses,
  type GatewaySpec,
} from "../bridge/verbs.ts";
import type { IsolationSpec } from "../firewall/isolation/in-place.ts";
import type { MasqueradeSpec } from "../firewall/masquerade/in-place.ts";
import { ensureMasquerade } from "../firewall/masquerade/verbs.ts";
import type { LinkState } from "../links.ts";
import { ensureForwarding, ignoreAdvertisementsAsGateway, type SettingsLog } from "../settings.ts";

/** The host by two sockets. */
export interface HostSockets {
  readonly route: NetlinkConnection;
  readonly nft: NFTables;
}

/** A network as the host's rules know it. */
export interface HostNetwork {
  readonly networkName: string;
  /** The link that its packets come in by: its bridge, or what carries the gateway addresses of a VLAN. */
  readonly bridge: string;
  /** Addresses of the host on that link. */
  readonly gateways: readonly InterfaceAddress[];
  /** Its own. */
  readonly prefixes: readonly Prefix[];
  /** Nothing is forwarded onto or off the bridge. */
  readonly internal: boolean;
  /** Its containers do not reach each other (icc=false). */
  readonly separate: boolean;
  /** In these families nobody outside reaches containers by a route. */
  readonly closed: readonly Family[];
}

/** How the network is kept apart from others. */
export function isolationOf(network: HostNetwork): IsolationSpec {
  const { networkName, bridge, gateways, internal, separate, closed } = network;
  return {
    networkName,
    bridge,
    gateways: gateways.map(({ address }) => address),
    internal,
    separate,
    closed,
  };
}

/** What of the network is masqueraded, where it is. */
export function masqueradeOf({ networkName, bridge, prefixes }: HostNetwork): MasqueradeSpec {
  return { networkName, prefixes, bridge };
}

/** Masquerades what leaves the network; nothing for one without addresses. @throws FairleadError as `ensureMasquerade`. */
export function masquerade(nft: NFTables, network: HostNetwork): void {
  if (network.prefixes.length > 0) ensureMasquerade(nft, masqueradeOf(network));
}

/** As {@link ensureBridge}; one that is made has the MAC address that its name has on this host until the next boot. */
export function ensureNetworkBridge(
  connection: NetlinkConnection,
  spec: Omit<BridgeSpec, "mac">,
): EnsuredBridge {
  return ensureBridge(connection, { ...spec, mac: () => bridgeMacOf(spec.name) });
}

/** Gives a bridge of our own the MTU that its network has; an administrator's may be meant for more than this network. */
export function ensureMtuOfOwn(connection: NetlinkConnection, bridge: LinkState, mtu: number): void {
  if (bridge.mtu === mtu || !isFairleadBridge(bridge.alias)) return;
  connection.execute([setLink({ ifindex: bridge.ifindex }, { mtu })]);
}

/** The host as a network's gateway. */
export interface GatewayPlace extends GatewaySpec {
  /** The host forwards packets of the addresses' families. */
  readonly forwards: boolean;
  readonly log: SettingsLog;
}

/**
 * Makes the host the gateway by a link: its addresses, and forwarding. Before, whoever made the link, the host is told not to be led by
 * it: a container's advertisement would give it a default route.
 *
 * @throws FairleadError as {@link ensureGatewayAddresses} and {@link ensureForwarding}.
 */
export function serveAsGateway(connection: NetlinkConnection, place: GatewayPlace): void {
  const { link, addresses, forwards, log } = place;
  ignoreAdvertisementsAsGateway(link.ifname, log);
  ensureGatewayAddresses(connection, place);
  if (!forwards) return;
  for (const family of new Set(addresses.map(({ address }) => address.family)))
    ensureForwarding(connection, family);
}
