/** Bridges and the gateway addresses on them. */
import { addressEquals, formatAddress } from "../../addr/address.ts";
import {
  formatPrefix,
  type InterfaceAddress,
  prefixContains,
  prefixEquals,
  prefixesOverlap,
  prefixOf,
} from "../../addr/prefix.ts";
import { FairleadError } from "../../errors.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isAbsent, isPresent, type NetlinkRequest } from "../../netlink/request.ts";
import { type AddressRequest, deleteAddress } from "../../netlink/route/address.ts";
import {
  IF_OPER_UP,
  IFF_PROMISC,
  IFF_UP,
  type LinkChange,
  newLink,
  setLink,
} from "../../netlink/route/link.ts";
import { addressRequests } from "../addressing/addresses.ts";
import { checkMtu, findLink, getLinkState, type LinkState, listBridgePorts, removeLink } from "../links.ts";
import { bridgeMacOf } from "./identity.ts";
import { type BridgeLook, listLinkAddresses, type PresentAddress } from "./look.ts";

/** A bridge as it shall be. */
export interface BridgeSpec {
  readonly name: string;
  /**
   * Gives the MAC of a bridge that is made; not called for one that is there. Without one of its own a bridge takes the lowest MAC of its ports, and changes it
   * as they come and go, which breaks the neighbour entries of every container.
   */
  readonly mac: () => string;
  /** Bytes of layer 3, of a bridge that is made. Default: the kernel's, 1500. */
  readonly mtu?: number;
  /** True switches it on. False or absent leaves it as it is. */
  readonly promiscuous?: boolean;
  /** True switches it on; the kernel answers EOPNOTSUPP if it lacks CONFIG_BRIDGE_VLAN_FILTERING. */
  readonly vlanFiltering?: boolean;
  /** Free text that `ip link` shows, of a bridge that is made. */
  readonly alias?: string;
  /** As {@link lookAtBridge} found it, null for nothing. Default: this asks for it. */
  readonly found?: LinkState | null;
}

export interface EnsuredBridge {
  readonly link: LinkState;
  /** True when it was this call that made it. */
  readonly created: boolean;
}

/**
 * Finds the bridge, or makes it; it is up afterwards. MAC, MTU and alias of one that is there are left alone: it may
 * be the administrator's.
 *
 * One round trip where all is in place, none where it was looked at. Idempotent; any number of processes may do this at once. Against one that
 * removes the bridge at the same time only {@link lockBridge} of locks/bridges.ts helps.
 *
 * @throws FairleadError already-exists when a link of another kind has the name; invalid-config for an impossible
 * MTU; NetlinkError.
 */
export function ensureBridge(connection: NetlinkConnection, spec: BridgeSpec): EnsuredBridge {
  const { found = findLink(connection, spec.name) } = spec;
  if (found !== null) return { link: adoptBridge(connection, spec, found), created: false };
  const made = createBridge(connection, spec);
  if (made !== null) return { link: made, created: true };
  const winner = findLink(connection, spec.name); // Somebody made it since we looked.
  if (winner !== null) return { link: adoptBridge(connection, spec, winner), created: false };
  throw new FairleadError({
    code: "unavailable",
    operation: "create bridge",
    object: spec.name,
    reason: "it existed when we made it and was gone when we looked for it",
    hint: "somebody removes it at the same time; try again",
  });
}

/** Null when there is a link of that name. */
function createBridge(connection: NetlinkConnection, spec: BridgeSpec): LinkState | null {
  const { name, mac, mtu, vlanFiltering, alias } = spec;
  checkMtu(name, mtu);
  const creation = newLink({
    ifname: name,
    address: mac(),
    ...bridgeFlags(spec),
    linkInfo: { kind: "bridge", data: vlanFiltering ? { vlanFiltering } : {} },
  });
  const [made, got] = connection.attempt([creation, getLinkState(name)]);
  if (!made.ok) {
    if (isPresent(made.error)) return null;
    throw made.error;
  }
  const [link] = got.ok ? got.replies : [];
  if (link === undefined) throw got.ok ? vanished(name) : got.error;
  // A new link takes no alias in the request that makes it; and an MTU that a bridge was made with lasts until a port comes or goes.
  // Source: net/bridge/br_if.c br_mtu_auto_adjust, br_device.c br_change_mtu.
  if (alias === undefined && mtu === undefined) return link;
  const reference = { ifindex: link.ifindex };
  const [, [named]] = connection.execute([setLink(reference, { alias, mtu }), getLinkState(link.ifindex)]);
  return named ?? link;
}

function bridgeFlags({ promiscuous }: BridgeSpec): Pick<LinkChange, "flags" | "changeMask"> {
  const flags = IFF_UP | (promiscuous ? IFF_PROMISC : 0);
  return { flags, changeMask: flags };
}

function vanished(name: string): FairleadError {
  return new FairleadError({
    code: "internal",
    operation: "create bridge",
    object: name,
    reason: "the kernel told nothing about it",
  });
}

/** Sees to it that a bridge that is there is up, and filters VLANs if it shall. */
function adoptBridge(connection: NetlinkConnection, spec: BridgeSpec, found: LinkState): LinkState {
  requireBridge(found);
  const turnsOnFilter = spec.vlanFiltering === true && !filtersVlans(found);
  if (found.isUp && (!spec.promiscuous || found.isPromiscuous) && !turnsOnFilter) return found;
  const reference = { ifindex: found.ifindex };
  const change: LinkChange = {
    ...bridgeFlags(spec),
    ...(turnsOnFilter && { linkInfo: { kind: "bridge", data: { vlanFiltering: true } } }),
  };
  const [, [changed]] = connection.execute([setLink(reference, change), getLinkState(found.ifindex)]);
  return changed ?? found;
}

function filtersVlans({ raw: { linkInfo } }: LinkState): boolean {
  return linkInfo?.kind === "bridge" && linkInfo.data?.vlanFiltering === true;
}

function requireBridge({ ifname, kind }: LinkState): void {
  if (kind === "bridge") return;
  throw new FairleadError({
    code: "already-exists",
    operation: "find bridge",
    object: ifname,
    reason: `there is a link of that name, but it is ${kind === "" ? "a physical one" : `of kind ${kind}`}`,
    hint: "give the bridge another name in the network configuration",
    details: { kind },
  });
}

/**
 * Lets a bridge without ports keep the MAC that it has, through the ports to come.
 *
 * One that was given none takes that of its first port, and zeros when the last port goes: whoever had an address of the
 * bridge in its neighbour table would lose it. What was set stays. Nothing is done to a bridge with ports. One that has been left
 * with zeros, by which nobody reaches it, gets a MAC of its own.
 *
 * Returns the bridge as it is afterwards.
 *
 * Source: net/bridge/br_stp_if.c br_stp_recalculate_bridge_id.
 */
export function keepMacOfEmptyBridge(connection: NetlinkConnection, bridge: LinkState): LinkState {
  const reference = { ifindex: bridge.ifindex };
  if (bridge.mac === NO_MAC) {
    connection.execute([setLink(reference, { address: bridgeMacOf(bridge.ifname) })]);
    return findLink(connection, bridge.ifindex) ?? bridge;
  }
  // Only a bridge with a port that is up is up itself; one that never had a port is "unknown".
  if (bridge.raw.operstate === IF_OPER_UP) return bridge;
  if (listBridgePorts(connection, bridge.ifindex).length > 0) return bridge;
  connection.execute([setLink(reference, { address: bridge.mac })]);
  return bridge;
}

const NO_MAC = "00:00:00:00:00:00";

/**
 * Removes the bridge if it has no ports. Returns whether it did. Its addresses and routes go with it.
 *
 * Somebody who makes a port at the same time must be kept away by {@link lockBridge}, held exclusively.
 */
export function removeBridgeIfUnused(connection: NetlinkConnection, name: string): boolean {
  const bridge = findLink(connection, name);
  if (bridge === null || bridge.kind !== "bridge") return false;
  if (listBridgePorts(connection, bridge.ifindex).length > 0) return false;
  return removeLink(connection, bridge.ifindex);
}

/** Addresses that a bridge shall have, one or more a family. */
export interface GatewaySpec {
  readonly link: Pick<LinkState, "ifindex" | "ifname">;
  readonly addresses: readonly InterfaceAddress[];
  /** Replaces addresses that stand in the way, instead of failing. */
  readonly forceAddress?: boolean;
  /** Gateways of the same network's other subnets, which stand in nobody's way. Asked for only when something is there. */
  readonly siblings?: () => readonly InterfaceAddress[];
  /**
   * A subnet may have grown: the address that is there with a longer prefix gets the shorter one, and one that is there with a shorter
   * prefix is good for an attachment of before. For bridges of our own.
   */
  readonly mayWiden?: boolean;
  /** Whether nobody uses the addresses that stand in the way, so that they are replaced. Asked for only when some do. */
  readonly isIdle?: () => boolean;
  /** Addresses that the link had a moment ago: where they are all that is wanted, nothing is asked. */
  readonly seen?: readonly PresentAddress[];
}

/**
 * Puts gateway addresses on a link, usable at once (no duplicate address detection). One round trip where they are
 * all there, none where they were seen.
 *
 * Another IPv4 address stands in the way, as does an IPv6 address whose prefix overlaps; link-local IPv6 addresses
 * that are not asked for never do, nor do `siblings`. Idempotent, also against others that do the same at the same time.
 *
 * @throws FairleadError in-use when an address stands in the way and `forceAddress` is not set.
 * Source: `ensureAddr` of the reference plugin bridge.
 */
export function ensureGatewayAddresses(connection: NetlinkConnection, spec: GatewaySpec): void {
  const { link, addresses, forceAddress = false, siblings = () => [], mayWiden = false } = spec;
  const { isIdle = () => false, seen = [] } = spec;
  const serves = (there: InterfaceAddress, wanted: InterfaceAddress) =>
    prefixEquals(there, wanted) || (mayWiden && isWiderOf(there, wanted));
  const missingIn = (some: readonly PresentAddress[]) =>
    addresses.filter((wanted) => !some.some(({ address }) => serves(address, wanted)));
  if (missingIn(seen).length === 0) return;
  const present = listLinkAddresses(connection, link.ifindex);
  const missing = missingIn(present);
  if (missing.length === 0) return;
  const outgrown = present.filter(
    ({ address }) => mayWiden && missing.some((wanted) => isWiderOf(wanted, address)),
  );
  const isAmong = (own: readonly InterfaceAddress[], address: InterfaceAddress) =>
    own.some((each) => prefixEquals(each, address));
  const obstacles = present.filter(
    ({ address, isLinkLocal }) =>
      !isAmong(addresses, address) &&
      !outgrown.some((one) => one.address === address) &&
      missing.some((wanted) => standsInTheWay(address, isLinkLocal, wanted)) &&
      !isAmong(siblings(), address),
  );
  const [obstacle] = obstacles;
  if (obstacle !== undefined && !forceAddress && !isIdle())
    throw addressConflict(link.ifname, obstacle.address, missing);
  const on = ({ address }: { readonly address: InterfaceAddress }): AddressRequest => ({
    ifindex: link.ifindex,
    address,
  });
  // IPv4 has an address twice while its prefix changes, and is never without it. IPv6 takes it once.
  const [early, late] = [6, 4].map((family) =>
    outgrown.filter(({ address }) => address.address.family === family),
  );
  const changes = [
    ...[...obstacles, ...(early ?? [])].map((address) => deleteAddress(on(address))),
    ...addressRequests(link.ifindex, missing),
    ...(late ?? []).map((address) => deleteAddress(on(address))),
  ];
  applyAddressChanges(connection, changes);
}

/** The same address with a shorter prefix. */
export function isWiderOf(wide: InterfaceAddress, narrow: InterfaceAddress): boolean {
  return wide.length < narrow.length && addressEquals(wide.address, narrow.address);
}

/**
 * Refuses a gateway that has moved inside of its subnet while the bridge has ports. Containers that run have their default route by
 * the former one, and nothing tells them.
 *
 * @param gateways all that the network has, each with the length of its subnet
 * @throws FairleadError in-use, which says where it was; NetlinkError.
 */
export function refuseMovedGateway(
  connection: NetlinkConnection,
  { bridge, addresses }: BridgeLook,
  gateways: readonly InterfaceAddress[],
): void {
  if (bridge === null) return;
  const present = addresses().map(({ address }) => address);
  const isThere = (wanted: InterfaceAddress) =>
    present.some(({ address }) => addressEquals(address, wanted.address));
  for (const wanted of gateways.filter((gateway) => !isThere(gateway))) {
    const former = present.find(
      ({ address }) =>
        prefixContains(subnetOf(wanted), address) &&
        !gateways.some((gateway) => addressEquals(gateway.address, address)),
    );
    if (former === undefined) continue;
    const ports = listBridgePorts(connection, bridge.ifindex).length;
    if (ports > 0) throw gatewayMoved(bridge.ifname, { former, wanted, ports });
  }
}

interface Move {
  readonly former: InterfaceAddress;
  readonly wanted: InterfaceAddress;
  readonly ports: number;
}

function gatewayMoved(ifname: string, { former, wanted, ports }: Move): FairleadError {
  const [from, to] = [formatAddress(former.address), formatAddress(wanted.address)];
  return new FairleadError({
    code: "in-use",
    operation: "move gateway of bridge",
    object: ifname,
    reason: `its gateway is ${from}, the configuration says ${to}, and ${ports} attachments may have their default route by ${from}`,
    hint: `put ${from} back; or remove these containers, then attach again; or set "forceAddress", which cuts them off`,
    details: { gateway: to, formerGateway: from },
  });
}

function standsInTheWay(present: InterfaceAddress, isLinkLocal: boolean, wanted: InterfaceAddress): boolean {
  if (present.address.family !== wanted.address.family || isLinkLocal) return false;
  if (present.address.family === 4) return true;
  return prefixesOverlap(subnetOf(present), subnetOf(wanted));
}

function subnetOf({ address, length }: InterfaceAddress) {
  return prefixOf(address, length);
}

function applyAddressChanges(connection: NetlinkConnection, changes: readonly NetlinkRequest[]): void {
  for (const result of connection.attempt(changes)) {
    if (!result.ok && !isPresent(result.error) && !isAbsent(result.error)) throw result.error;
  }
}

function addressConflict(
  ifname: string,
  present: InterfaceAddress,
  missing: readonly InterfaceAddress[],
): FairleadError {
  return new FairleadError({
    code: "in-use",
    operation: `add gateway address ${missing.map(formatPrefix).join(", ")} to`,
    object: ifname,
    reason: `it has the address ${formatPrefix(present)}, and two would conflict`,
    hint: `set "forceAddress" to replace it, use another bridge, or remove ${formatAddress(present.address)}`,
  });
}
