/**
 * GC: removes what belongs to no valid attachment of this network: published ports, host links, source checks, addresses;
 * and, when nothing of the network is left on this machine, its rules and a bridge of our own making.
 */

import { Attempts } from "../../../lib/attempts.ts";
import type { GcRequest } from "../../../lib/cni/request.ts";
import { removeBridgeIfUnused } from "../../../lib/host/bridge.ts";
import { bridgeAliasOf, keptBridgeOf } from "../../../lib/host/bridge-identity.ts";
import { tryLockBridge } from "../../../lib/host/bridge-lock.ts";
import { removeMacSpoofCheck, removeMasquerade } from "../../../lib/host/firewall.ts";
import { removeIsolation } from "../../../lib/host/firewall-isolation.ts";
import { findLink, type LinkState, listBridgePorts, removeLink } from "../../../lib/host/links.ts";
import { aliasOf, aliasPrefixOf } from "../../attachment-names.ts";
import { processExec } from "../../io.ts";
import { bindIpam } from "../../ipam-binding.ts";
import { unpublishStale } from "../../published-ports.ts";
import { type HostNetlink, LOCK_DIRECTORY } from "../../workspace.ts";
import { readBridgeConfig } from "./config.ts";
import { openHost } from "./ports.ts";

export function gc(request: GcRequest): void {
  const { networkName, raw } = request.config;
  const config = readBridgeConfig(raw);
  const { bridge, macspoofchk, publishPorts } = config;
  const ipam = bindIpam(request, processExec);
  const host = openHost(config);
  const attempts = new Attempts();
  try {
    if (publishPorts) attempts.run(() => unpublishStale(request, host));
    for (const link of stalePorts(request, bridge, host)) {
      attempts.run(() => removeLink(host.route, link.ifindex));
      if (macspoofchk) attempts.run(() => removeMacSpoofCheck(host.nft, link.ifname));
    }
    attempts.run(() => ipam?.gc(request));
    if (request.validAttachments.length === 0) attempts.run(() => removeNetwork(networkName, bridge, host));
  } finally {
    host.close();
  }
  attempts.throwIfFailed("collect garbage of network", networkName);
}

/** Ports of the bridge that carry this network's alias but none of a valid attachment. */
function stalePorts(
  { config, validAttachments }: GcRequest,
  bridgeName: string,
  host: HostNetlink,
): LinkState[] {
  const { networkName } = config;
  const bridge = findLink(host.route, bridgeName);
  if (bridge === null) return [];
  const valid = new Set(validAttachments.map((attachment) => aliasOf({ networkName, ...attachment })));
  return portsOf(networkName, bridge, host).filter(({ alias }) => !valid.has(alias));
}

/**
 * What the network as a whole has on this machine. Skipped while somebody attaches to the bridge, and for a network that
 * the agent keeps: that one has its rules without containers, too.
 */
function removeNetwork(networkName: string, bridgeName: string, host: HostNetlink): void {
  const lock = tryLockBridge({ directory: LOCK_DIRECTORY, bridgeName });
  if (lock === null) return;
  try {
    const bridge = findLink(host.route, bridgeName);
    if (bridge && portsOf(networkName, bridge, host).length > 0) return;
    if (bridge && keptBridgeOf(bridge.alias) !== null) return;
    removeMasquerade(host.nft, networkName);
    removeIsolation(host.nft, networkName);
    if (bridge?.alias === bridgeAliasOf(networkName)) removeBridgeIfUnused(host.route, bridgeName);
  } finally {
    lock.close();
  }
}

/** Ports that were made for a network, by their alias. */
function portsOf(networkName: string, bridge: LinkState, host: HostNetlink): LinkState[] {
  const prefix = aliasPrefixOf(networkName);
  return listBridgePorts(host.route, bridge.ifindex).filter(({ alias }) => alias.startsWith(prefix));
}
