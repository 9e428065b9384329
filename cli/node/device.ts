/**
 * Attaching to a link of this node with no network object: Pipework's job.
 *
 * The conflist is made on the spot and lives in the cache of results only, which is where `disconnect` finds it again.
 */
import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { formatPrefix, parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { FairleadError } from "../../lib/errors.ts";
import { findLink, requireLink } from "../../lib/host/links.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { type Conflist, readConflist } from "../../lib/runtime/conflist.ts";
import { WordedError } from "../base/worded-error.ts";
import { deviceNetworkName } from "./device-name.ts";

/**
 * The conflist for one container on `device`: a port of it when it is a bridge, a macvlan over it otherwise.
 *
 * @param addresses `ADDRESS/LENGTH[@GATEWAY]`; none: layer 2 only.
 * @throws FairleadError `not-found` when there is no such link; WordedError
 */
export function devicePlan(device: string, addresses: readonly string[]): { readonly conflist: Conflist } {
  const raw = {
    cniVersion: "1.0.0",
    name: deviceNetworkName(device),
    plugins: [{ ...interfacePlugin(device), capabilities: { mac: true }, ...ipamSection(addresses) }],
  };
  return { conflist: readConflist(raw, `device ${device}`) };
}

function interfacePlugin(device: string): JsonObject {
  const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  try {
    const { kind } = requireLink(connection, device);
    // What is on the device's network is not known to anybody here.
    const common = { gatewayPriority: 0, probe: true };
    if (kind === "bridge") return { type: "fairlead-bridge", bridge: device, ...common };
    return { type: "fairlead-macvlan", master: device, mode: "bridge", ...common };
  } finally {
    connection.close();
  }
}

/** True when this host has a link of that name. */
export function linkExists(name: string): boolean {
  const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  try {
    return findLink(connection, name) !== null;
  } finally {
    connection.close();
  }
}

function ipamSection(addresses: readonly string[]): JsonObject {
  if (addresses.length === 0) return {};
  const parsed = addresses.map(parseAddressWithGateway);
  const routes = parsed.flatMap(({ gateway }) =>
    gateway === undefined ? [] : [{ dst: gateway.includes(":") ? "::/0" : "0.0.0.0/0", gw: gateway }],
  );
  return {
    ipam: { type: "fairlead-static", addresses: parsed, ...(routes.length > 0 && { routes }) },
  };
}

function parseAddressWithGateway(text: string): { address: string; gateway?: string } {
  const [addressText = "", gatewayText] = text.split("@");
  try {
    const address = formatPrefix(parseInterfaceAddress(addressText));
    return gatewayText === undefined
      ? { address }
      : { address, gateway: formatAddress(parseAddress(gatewayText)) };
  } catch (cause) {
    const reason = cause instanceof FairleadError ? cause.message : String(cause);
    throw new WordedError(
      "invalid-config",
      `invalid address ${text} for a device: ${reason}; write ADDRESS/LENGTH[@GATEWAY], like 192.168.1.10/24@192.168.1.1`,
      cause,
    );
  }
}
