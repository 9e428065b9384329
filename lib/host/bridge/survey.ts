/**
 * Addresses that are in use on a bridge, whoever gave them: its own, those at the other ends of its ports, and those that
 * it has heard of.
 *
 * The ends of ports are in other namespaces. The kernel numbers those, and lists their addresses by number, so none has to
 * be found or entered. Of a virtual machine's port, or a namespace that must not be seen, the neighbour table is all
 * that there is.
 */
import type { Address } from "../../addr/address.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { NetlinkError } from "../../netlink/request.ts";
import { getAddresses, localAddress } from "../../netlink/route/address.ts";
import { getNeighbours, NUD_FAILED, NUD_INCOMPLETE, NUD_NOARP } from "../../netlink/route/neighbour.ts";
import { findLink, type LinkState, listBridgePorts } from "../links.ts";

/** An address, and where it was seen, for people. */
export interface SeenAddress {
  readonly address: Address;
  readonly seen: string;
}

/**
 * Lists them, both families, those seen with most certainty first; an address may come more than once. None where there
 * is no such bridge.
 *
 * @param isKnown for the alias of a port: whoever gave its addresses knows them.
 * @throws NetlinkError
 */
export function listAddressesOnBridge(
  connection: NetlinkConnection,
  bridgeName: string,
  isKnown: (alias: string) => boolean,
): SeenAddress[] {
  const bridge = findLink(connection, bridgeName);
  if (bridge?.kind !== "bridge") return [];
  const ports = listBridgePorts(connection, bridge.ifindex).filter(({ alias }) => !isKnown(alias));
  return [
    ...addressesOf(connection, { ifindex: bridge.ifindex }, `address of bridge ${bridgeName}`),
    ...ports.flatMap((port) => addressesBehind(connection, port, bridgeName)),
    ...neighboursOf(connection, bridge),
  ];
}

/** Addresses of a veth's other end. */
function addressesBehind(
  connection: NetlinkConnection,
  port: LinkState,
  bridgeName: string,
): readonly SeenAddress[] {
  if (port.kind !== "veth" || port.link === null) return [];
  const { link: ifindex, linkNetnsId, ifname } = port;
  const seen = `behind port ${ifname} of bridge ${bridgeName}`;
  const place = linkNetnsId === null ? { ifindex } : { ifindex, netnsId: linkNetnsId };
  try {
    return addressesOf(connection, place, seen);
  } catch (error) {
    // The namespace ends at this moment, or is one that must not be seen.
    if (error instanceof NetlinkError) return [];
    throw error;
  }
}

function addressesOf(
  connection: NetlinkConnection,
  place: { readonly ifindex: number; readonly netnsId?: number },
  seen: string,
): SeenAddress[] {
  const entries = connection.dump(getAddresses(place)).flatMap((entry) => localAddress(entry) ?? []);
  return entries.map(({ address }) => ({ address, seen }));
}

/** Nobody answered for these, or nobody was asked. */
const NOT_SEEN = NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP;

function neighboursOf(connection: NetlinkConnection, bridge: LinkState): SeenAddress[] {
  return connection
    .dump(getNeighbours({ ifindex: bridge.ifindex }))
    .flatMap(({ destination, linkLayerAddress, state }) => {
      if (!destination || !linkLayerAddress || (state & NOT_SEEN) !== 0) return [];
      return [
        { address: destination, seen: `neighbour of bridge ${bridge.ifname} with MAC ${linkLayerAddress}` },
      ];
    });
}
