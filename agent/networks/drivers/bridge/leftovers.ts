/** What networks with a bridge left on this node: bridges that were made or kept for them, and rules that refer to a bridge. */
import { bridgeAliasOf, keptBridgeOf } from "../../../../lib/host/bridge/identity.ts";
import { listIsolation } from "../../../../lib/host/firewall/isolation/verbs.ts";
import { listMasquerade } from "../../../../lib/host/firewall/masquerade/verbs.ts";
import { findLink, listLinksOfKind } from "../../../../lib/host/links.ts";
import type { Census, Leftover } from "../driver.ts";
import type { NodeNetlink } from "../node-netlink.ts";
import { type BridgeOfNetworks, removeNodeBridge } from "./place.ts";

/**
 * Bridges that were kept or made for networks that are gone; rules of networks that are gone, and rules of isolation without a bridge.
 *
 * An ADD makes the bridge first and the rules after, so rules without a bridge are nobody's.
 */
export function findLeftovers(host: NodeNetlink, census: Census): Leftover[] {
  return findBridges(host, census).map((found) => ({
    what: "bridge",
    name: found.bridge,
    networkNames: found.networkNames,
    remove: () => removeNodeBridge(host, found),
  }));
}

function findBridges(host: NodeNetlink, census: Census): BridgeOfNetworks[] {
  const { knownNames, goneNames } = census;
  const isolated = listIsolation(host.nft).filter(({ networkName }) => !knownNames.has(networkName));
  const ruled = [
    ...isolated,
    ...listMasquerade(host.nft).filter(({ networkName }) => goneNames.has(networkName)),
  ];
  const orphans = ruled.filter(
    ({ networkName, bridge = "" }) => goneNames.has(networkName) || findLink(host.route, bridge) === null,
  );
  const namesByBridge = new Map<string, Set<string>>();
  const add = (bridge: string, names: readonly string[]): void => {
    namesByBridge.set(bridge, new Set([...(namesByBridge.get(bridge) ?? []), ...names]));
  };
  for (const { bridge = "" } of orphans) add(bridge, []);
  for (const { ifname, madeFor } of bridgesOfGone(host, census)) add(ifname, madeFor);
  for (const { bridge = "", networkName } of ruled) if (namesByBridge.has(bridge)) add(bridge, [networkName]);
  return [...namesByBridge].map(([bridge, names]) => ({ bridge, networkNames: [...names] }));
}

/** With the networks that an ADD made a bridge for. */
function bridgesOfGone(
  host: NodeNetlink,
  { isGone, goneNames }: Census,
): { readonly ifname: string; readonly madeFor: readonly string[] }[] {
  const names = [...goneNames];
  return listLinksOfKind(host.route, "bridge").flatMap(({ ifname, alias }) => {
    const kept = keptBridgeOf(alias);
    const madeFor = names.filter((name) => alias === bridgeAliasOf(name));
    const isKept = kept?.service === host.service && isGone(kept.networkId);
    return isKept || madeFor.length > 0 ? [{ ifname, madeFor }] : [];
  });
}
