/** What is there before a bridge gets one more port, in as few questions as that takes. */
import type { InterfaceAddress } from "../../addr/prefix.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { getAddresses, localAddress } from "../../netlink/route/address.ts";
import { RT_SCOPE_LINK } from "../../netlink/route/route.ts";
import { getLinkState, type LinkState } from "../links.ts";

/** As it is while the look is young and the bridge's lock is held: another port may come at any time, and addresses with it. */
export interface BridgeLook {
  /** Null: there is no link of the bridge's name. */
  readonly bridge: LinkState | null;
  /** The link of the port's name; null: there is none. */
  readonly port: LinkState | null;
  /** Of the bridge. The first call asks for them, the others tell the same again. @throws NetlinkError */
  readonly addresses: () => readonly PresentAddress[];
}

export interface PresentAddress {
  readonly address: InterfaceAddress;
  readonly isLinkLocal: boolean;
}

/** Both links in one round trip. @throws NetlinkError */
export function lookAtBridge(
  connection: NetlinkConnection,
  names: { readonly bridge: string; readonly port: string },
): BridgeLook {
  const [bridge = null, port = null] = connection.findAll([
    getLinkState(names.bridge),
    getLinkState(names.port),
  ]);
  let known: readonly PresentAddress[] | undefined;
  return {
    bridge,
    port,
    addresses: () => {
      known ??= bridge ? listLinkAddresses(connection, bridge.ifindex) : [];
      return known;
    },
  };
}

/** Addresses of one link, both families. @throws NetlinkError */
export function listLinkAddresses(connection: NetlinkConnection, ifindex: number): PresentAddress[] {
  return connection.dump(getAddresses({ ifindex })).flatMap((entry) => {
    const address = localAddress(entry);
    const isLinkLocal = address?.address.family === 6 && entry.scope === RT_SCOPE_LINK;
    return address === undefined ? [] : [{ address, isLinkLocal }];
  });
}
