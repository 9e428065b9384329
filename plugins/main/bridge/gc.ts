/**
 * GC: removes what belongs to no valid attachment of this network: host links, source checks, addresses; and, when
 * nothing of the network is left on this machine, its masquerade rules and a bridge of our own making.
 */
import type { GcRequest } from "../../../lib/cni/request.ts";
import { combineErrors } from "../../../lib/errors.ts";
import { removeBridgeIfUnused } from "../../../lib/host/bridge.ts";
import { tryLockBridge } from "../../../lib/host/bridge-lock.ts";
import { removeMacSpoofCheck, removeMasquerade } from "../../../lib/host/firewall.ts";
import { findLink, type LinkState, listBridgePorts, removeLink } from "../../../lib/host/links.ts";
import { aliasOf, aliasPrefixOf } from "../../attachment-names.ts";
import { processExec } from "../../io.ts";
import { bindIpam } from "../../ipam-binding.ts";
import { readBridgeConfig } from "./config.ts";
import { bridgeAliasOf } from "./plan.ts";
import { HostNetlink, LOCK_DIRECTORY } from "./workspace.ts";

export function gc(request: GcRequest): void {
  const { networkName, raw } = request.config;
  const { bridge, macspoofchk } = readBridgeConfig(raw);
  const ipam = bindIpam(request, processExec);
  const errors: unknown[] = [];
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      errors.push(error);
    }
  };
  const host = new HostNetlink();
  try {
    for (const link of stalePorts(request, bridge, host)) {
      attempt(() => removeLink(host.route, link.ifindex));
      if (macspoofchk) attempt(() => removeMacSpoofCheck(host.nft, link.ifname));
    }
    attempt(() => ipam?.gc(request));
    if (request.validAttachments.length === 0) attempt(() => removeNetwork(networkName, bridge, host));
  } finally {
    host.close();
  }
  if (errors.length > 0) throw combineErrors("collect garbage of network", networkName, errors);
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
  const ours = listBridgePorts(host.route, bridge.ifindex).filter(({ alias }) =>
    alias.startsWith(aliasPrefixOf(networkName)),
  );
  return ours.filter(({ alias }) => !valid.has(alias));
}

/** What the network as a whole has on this machine. Skipped while somebody attaches to the bridge. */
function removeNetwork(networkName: string, bridgeName: string, host: HostNetlink): void {
  const lock = tryLockBridge({ directory: LOCK_DIRECTORY, bridgeName });
  if (lock === null) return;
  try {
    const bridge = findLink(host.route, bridgeName);
    if (
      bridge &&
      listBridgePorts(host.route, bridge.ifindex).some(({ alias }) =>
        alias.startsWith(aliasPrefixOf(networkName)),
      )
    )
      return;
    removeMasquerade(host.nft, networkName);
    if (bridge?.alias === bridgeAliasOf(networkName)) removeBridgeIfUnused(host.route, bridgeName);
  } finally {
    lock.close();
  }
}
