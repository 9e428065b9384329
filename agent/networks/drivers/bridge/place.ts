/**
 * Bridges of networks on this node: made before the first container comes, so that names can be answered on their
 * gateway addresses, and removed after the last one went.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "../../../../lib/errors.ts";
import { bridgeAliasOf, keptBridgeAliasOf, keptBridgeOf } from "../../../../lib/host/bridge/identity.ts";
import { ensureIsolation, listIsolation } from "../../../../lib/host/firewall/isolation/verbs.ts";
import { findLink, type LinkState } from "../../../../lib/host/links.ts";
import { tryLockBridge, whileHeld } from "../../../../lib/host/locks/bridges.ts";
import { LOCK_DIRECTORY } from "../../../../lib/host/locks/bytes.ts";
import { removeNetworkRules, removeOwnBridge, sweepSources } from "../../../../lib/host/network/removal.ts";
import {
  ensureMtuOfOwn,
  ensureNetworkBridge,
  isolationOf,
  masquerade,
  serveAsGateway,
} from "../../../../lib/host/network/verbs.ts";
import { disableIpv6 } from "../../../../lib/host/settings.ts";
import type { LockMode } from "../../../../lib/linux/files/lock-file.ts";
import { setLink } from "../../../../lib/netlink/route/link.ts";
import type { NodeNetlink } from "../node-netlink.ts";
import type { NodeBridge } from "./plan.ts";

/** Longest wait for a bridge's lock, and how long between two looks: the process answers names meanwhile. */
const LOCK_WAIT_MS = 2_000;
const LOCK_PAUSE_MS = 10;

/**
 * Makes everything that the network has on the node besides its conflist. Idempotent.
 *
 * @throws FairleadError already-exists, in-use, timeout, kernel-refused, …
 */
export async function ensureNodeBridge(host: NodeNetlink, wanted: NodeBridge): Promise<void> {
  await clearFormerBridge(host, wanted);
  await withLock(wanted.bridge, "shared", () => {
    const link = makeBridge(host, wanted);
    if (wanted.isolated) disableIpv6(wanted.bridge, host.log);
    // Before the host forwards anything.
    ensureIsolation(host.nft, isolationOf(wanted));
    const { gateways: addresses, internal } = wanted;
    serveAsGateway(host.route, { link, addresses, forwards: !internal, log: host.log });
    if (wanted.masquerades) masquerade(host.nft, wanted);
  });
}

/**
 * Removes a bridge of that name that was kept for a network of this service which is no more, as after its store was
 * replaced. One with ports stays: its containers have addresses that the new network knows nothing of.
 */
async function clearFormerBridge(host: NodeNetlink, { bridge, networkId }: NodeBridge): Promise<void> {
  const kept = keptBridgeOf(findLink(host.route, bridge)?.alias ?? "");
  if (kept === null || kept.service !== host.service || kept.networkId === networkId) return;
  const isolated = listIsolation(host.nft).filter((one) => one.bridge === bridge);
  await removeNodeBridge(host, { bridge, networkNames: isolated.map(({ networkName }) => networkName) });
}

function makeBridge(host: NodeNetlink, { networkId, networkName, bridge, mtu }: NodeBridge): LinkState {
  const alias = keptBridgeAliasOf({ networkId, service: host.service });
  const { link } = ensureNetworkBridge(host.route, {
    name: bridge,
    ...(mtu !== null && { mtu }),
    alias,
  });
  const kept = keptBridgeOf(link.alias);
  if (kept !== null && kept.networkId !== networkId) throw bridgeOfAnother(bridge, kept.networkId);
  // Made by an ADD, after a reboot or while no agent ran. One without our alias is the administrator's, and stays that.
  if (link.alias === bridgeAliasOf(networkName) || (kept !== null && link.alias !== alias)) {
    host.route.execute([setLink({ ifindex: link.ifindex }, { alias })]);
  }
  if (mtu !== null) ensureMtuOfOwn(host.route, link, mtu);
  return link;
}

function bridgeOfAnother(bridge: string, networkId: string): FairleadError {
  return new FairleadError({
    code: "in-use",
    operation: "make bridge",
    object: bridge,
    reason: `it is kept for network ${networkId}: one that was removed and still has containers, or one of another service`,
    hint: "remove these containers, or give one of the networks another bridge name",
  });
}

/** A bridge, and the networks whose rules refer to it. */
export interface BridgeOfNetworks {
  readonly bridge: string;
  readonly networkNames: readonly string[];
}

/**
 * Removes the bridge if it has no ports, and then the rules. Returns false when it has some: to be tried again.
 * @throws FairleadError timeout, kernel-refused, …
 */
export async function removeNodeBridge(
  host: NodeNetlink,
  { bridge, networkNames }: BridgeOfNetworks,
): Promise<boolean> {
  return withLock(bridge, "exclusive", () => {
    const isOurs = (alias: string) => isMadeFor(alias, { service: host.service, networkNames });
    if (!removeOwnBridge(host.route, { bridge, isOurs })) return false;
    for (const networkName of networkNames) removeNetworkRules(host.nft, networkName);
    sweepSources(host);
    return true;
  });
}

/** Whether the bridge is kept by this service's agent, or was made by the ADD of one of these networks. */
function isMadeFor(
  alias: string,
  { service, networkNames }: { readonly service: string; readonly networkNames: readonly string[] },
): boolean {
  if (keptBridgeOf(alias)?.service === service) return true;
  return networkNames.some((networkName) => alias === bridgeAliasOf(networkName));
}

async function withLock<T>(bridgeName: string, mode: LockMode, action: () => T): Promise<T> {
  const spec = { directory: LOCK_DIRECTORY, bridgeName };
  for (let waitedMs = 0; ; waitedMs += LOCK_PAUSE_MS) {
    const lock = tryLockBridge(spec, mode);
    if (lock) return whileHeld(lock, action);
    if (waitedMs >= LOCK_WAIT_MS) throw lockTimeout(bridgeName);
    await sleep(LOCK_PAUSE_MS);
  }
}

function lockTimeout(bridgeName: string): FairleadError {
  return new FairleadError({
    code: "timeout",
    operation: "lock bridge",
    object: bridgeName,
    reason: `others have used it for ${LOCK_WAIT_MS} ms`,
    hint: `see who does with: fuser -v ${LOCK_DIRECTORY}/bridges`,
  });
}
