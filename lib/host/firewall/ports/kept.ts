/**
 * Ports of single addresses of this host that stay the host's own, whatever is published for every address: those of
 * Fairlead's own services. Without this, publishing port 53 of a container would take the names of every network away
 * with it, since these are served on the networks' gateway addresses.
 */

import { element, ensureElements } from "../../../netlink/nftables/element.ts";
import { listElements, removeElements } from "../../../netlink/nftables/elements.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { isPortmapInPlace, requestsForPortmapTable } from "./chains.ts";
import type { HostPort } from "./holder.ts";
import { laneFor, portKeyWithAddress, portLanes } from "./plan.ts";
import { commentOf, elementsKey, wanted } from "./state.ts";

/**
 * Keeps the ports for the host. Idempotent.
 *
 * @param owner for whoever lists the rules: "fairlead agent".
 * @throws FairleadError kernel-refused, unavailable.
 */
export function keepHostPorts(nft: NFTables, ports: readonly HostPort[], owner: string): void {
  nft.update("keep ports of this host", () => [
    ...(isPortmapInPlace(nft) ? [] : requestsForPortmapTable(nft)),
    ...ports.map((port) => {
      const { kept } = laneFor(port.hostAddress.family);
      return ensureElements(elementsKey(kept), [element({ key: portKeyWithAddress(port), comment: owner })]);
    }),
  ]);
}

/** Lets the ports go. Idempotent. */
export function releaseHostPorts(nft: NFTables, ports: readonly HostPort[]): void {
  for (const port of ports) {
    const { kept } = laneFor(port.hostAddress.family);
    removeElements(nft, elementsKey(kept), [element({ key: portKeyWithAddress(port) })]);
  }
}

/** Lets go of all that an owner keeps, such as one that ended without a word. Idempotent. */
export function releaseHostPortsOf(nft: NFTables, owner: string): void {
  for (const { kept } of portLanes()) {
    const own = listElements(nft, elementsKey(kept)).filter((one) => commentOf(one) === owner);
    if (own.length > 0)
      removeElements(
        nft,
        elementsKey(kept),
        own.map(({ key }) => ({ key })),
      );
  }
}

/** Whether the port of this one address is kept for the host. */
export function isKeptForHost(nft: NFTables, port: HostPort): boolean {
  const { kept } = laneFor(port.hostAddress.family);
  return nft.find(wanted(kept, portKeyWithAddress(port)))?.elements !== undefined;
}
