/**
 * GC: removes what belongs to no valid attachment of this network: published ports, host links, source checks, addresses;
 * and, when nothing of the network is left on this machine, its rules and a bridge of our own making.
 *
 * By the attachments' own marks, whatever the configuration says by now; and not what another manager answers for.
 */

import { Attempts } from "../../../lib/attempts.ts";
import type { AttachmentKey, GcRequest } from "../../../lib/cni/request.ts";
import { bridgeAliasOf, keptBridgeOf } from "../../../lib/host/bridge/identity.ts";
import {
  removeMacSpoofCheck,
  removeStaleMacSpoofChecks,
} from "../../../lib/host/firewall/source/mac-spoof.ts";
import { findLink, type LinkState, listLinksOfKind, removeLink } from "../../../lib/host/links.ts";
import { tryLockBridge, whileHeld } from "../../../lib/host/locks/bridges.ts";
import { LOCK_DIRECTORY } from "../../../lib/host/locks/bytes.ts";
import { HostNetlink } from "../../../lib/host/netlink.ts";
import { removeNetworkRules, removeOwnBridge, sweepSources } from "../../../lib/host/network/removal.ts";
import { collectAddresses } from "../../addresses/ipam-removal.ts";
import { aliasOf, aliasPrefixOf, keyOfAlias } from "../../attachment-names.ts";
import { processExec } from "../../io.ts";
import { sparingOthers } from "../../other-managers.ts";
import { PUBLISHING_SOCKET, unpublishStale } from "../../published-ports.ts";
import { readRemovalKeys } from "./config.ts";

export function gc(given: GcRequest): void {
  const { networkName, raw } = given.config;
  const request = sparingOthers(given);
  const { bridge } = readRemovalKeys(raw, request.log);
  const host = new HostNetlink(PUBLISHING_SOCKET);
  const attempts = new Attempts();
  try {
    attempts.run(() => unpublishStale(request, host));
    const removed = removeStalePorts(request, host, attempts);
    attempts.run(() => removeStaleMacSpoofChecks(host.nft, staleAliases(request)));
    attempts.run(() => sweepSources(host));
    attempts.run(() => collectAddresses(request, processExec, removed));
    // Without the bridge's name nobody can tell whether the agent keeps it.
    if (request.validAttachments.length === 0 && bridge !== null)
      attempts.run(() => removeNetwork(networkName, bridge, host));
  } finally {
    host.close();
  }
  attempts.throwIfFailed("collect garbage of network", networkName);
}

/** Tells whether an alias is of this network, but of none of its valid attachments. */
function staleAliases({ config: { networkName }, validAttachments }: GcRequest): (alias: string) => boolean {
  const prefix = aliasPrefixOf(networkName);
  const valid = new Set(validAttachments.map((attachment) => aliasOf({ networkName, ...attachment })));
  return (alias) => alias.startsWith(prefix) && !valid.has(alias);
}

/** Host ends of stale attachments, on whatever bridge they are. Returns whose they were, as far as their aliases say. */
function removeStalePorts(request: GcRequest, host: HostNetlink, attempts: Attempts): AttachmentKey[] {
  const isStale = staleAliases(request);
  const removed: AttachmentKey[] = [];
  for (const { ifindex, ifname, alias } of listLinksOfKind(host.route, "veth")) {
    if (!isStale(alias)) continue;
    attempts.run(() => {
      request.log(
        `removing ${ifname} (${alias}): it is in no list of valid attachments, and nobody has a record of it`,
      );
      removeLink(host.route, ifindex);
      removeMacSpoofCheck(host.nft, ifname);
      removed.push(...keyOfAlias(alias));
    });
  }
  return removed;
}

/**
 * What the network as a whole has on this machine. Skipped while somebody attaches to the bridge, and for a network that
 * the agent keeps: that one has its rules without containers, too.
 */
function removeNetwork(networkName: string, bridgeName: string, host: HostNetlink): void {
  const lock = tryLockBridge({ directory: LOCK_DIRECTORY, bridgeName });
  if (lock === null) return;
  whileHeld(lock, () => {
    const bridge = findLink(host.route, bridgeName);
    if (portsOf(networkName, host).length > 0 || (bridge && keptBridgeOf(bridge.alias) !== null)) return;
    removeNetworkRules(host.nft, networkName);
    removeOwnBridge(host.route, {
      bridge: bridgeName,
      isOurs: (alias) => alias === bridgeAliasOf(networkName),
    });
  });
}

/** Links that were made for a network, by their alias. */
function portsOf(networkName: string, host: HostNetlink): LinkState[] {
  const prefix = aliasPrefixOf(networkName);
  return listLinksOfKind(host.route, "veth").filter(({ alias }) => alias.startsWith(prefix));
}
