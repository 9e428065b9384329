/**
 * What takes a network off a host: its rules, a bridge of our own that nobody uses, and source checks of ports that are gone.
 *
 * Each is idempotent. Somebody who attaches at the same time is kept away by the bridge's lock, held exclusively.
 */
import type { NetlinkConnection } from "../../netlink/connection.ts";
import type { NFTables } from "../../netlink/nftables/nftables.ts";
import { removeBridgeIfUnused } from "../bridge/verbs.ts";
import { removeIsolation } from "../firewall/isolation/verbs.ts";
import { removeMasquerade } from "../firewall/masquerade/verbs.ts";
import { sweepSourceChecks } from "../firewall/source/verbs.ts";
import { findLink, listLinksOfKind } from "../links.ts";
import type { HostSockets } from "./verbs.ts";

/** Takes back what isolates and masquerades the network. @throws FairleadError kernel-refused, unavailable. */
export function removeNetworkRules(nft: NFTables, networkName: string): void {
  removeIsolation(nft, networkName);
  removeMasquerade(nft, networkName);
}

/** A bridge, and by whose alias it may be removed. */
export interface BridgeRemoval {
  readonly bridge: string;
  readonly isOurs: (alias: string) => boolean;
}

/** Removes the bridge if it is ours and has no ports. Returns false when it is, and has some. @throws NetlinkError */
export function removeOwnBridge(connection: NetlinkConnection, { bridge, isOurs }: BridgeRemoval): boolean {
  const link = findLink(connection, bridge);
  return link === null || !isOurs(link.alias) || removeBridgeIfUnused(connection, bridge);
}

/** Takes back source checks of ports that are gone, of every network: DEL leaves them. @throws FairleadError kernel-refused */
export function sweepSources({ route, nft }: HostSockets): void {
  let pairs: ReadonlySet<string> | null = null;
  sweepSourceChecks(nft, (ifname) => {
    pairs ??= new Set(listLinksOfKind(route, "veth").map((link) => link.ifname));
    return pairs.has(ifname) || findLink(route, ifname) !== null;
  });
}
