/**
 * Bridges of networks on this node: made before the first container comes, so that names can be answered on their
 * gateway addresses, and removed after the last one went.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "../../lib/errors.ts";
import { ensureBridge, ensureGatewayAddresses, removeBridgeIfUnused } from "../../lib/host/bridge.ts";
import {
  bridgeAliasOf,
  bridgeMacOf,
  isFairleadBridge,
  keptBridgeAliasOf,
  keptBridgeOf,
} from "../../lib/host/bridge-identity.ts";
import { LOCK_DIRECTORY, tryLockBridge } from "../../lib/host/bridge-lock.ts";
import { ensureMasquerade, listMasquerade, removeMasquerade } from "../../lib/host/firewall.ts";
import { ensureIsolation, listIsolation, removeIsolation } from "../../lib/host/firewall-isolation.ts";
import type { IsolationSpec } from "../../lib/host/firewall-isolation-in-place.ts";
import { sweepSourceChecks } from "../../lib/host/firewall-source.ts";
import { findLink, type LinkState, listLinksOfKind } from "../../lib/host/links.ts";
import { ensureForwarding, ignoreAdvertisementsAsGateway } from "../../lib/host/settings.ts";
import type { Network } from "../../lib/ipam/api.ts";
import { OPTION } from "../../lib/ipam/network-options.ts";
import type { LockMode } from "../../lib/linux/lock-file.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, openNetlinkSocket } from "../../lib/linux/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import { setLink } from "../../lib/netlink/route/link.ts";
import type { NodeBridge } from "./conflist.ts";

/** Longest wait for a bridge's lock, and how long between two looks: the process answers names meanwhile. */
const LOCK_WAIT_MS = 2_000;
const LOCK_PAUSE_MS = 10;

/**
 * Sockets to the kernel. They stay open, because closing one that removed nftables objects takes 13 ms, and are opened
 * anew after a failure, whose late answers might wait in them.
 */
export class NodeNetlink {
  /** Whose networks these are: other services may have some on this host, too. */
  readonly service: string;
  /** Told what of the host's settings could not be had. */
  readonly log: (message: string) => void;
  #route: NetlinkConnection | null = null;
  #netfilter: NetlinkConnection | null = null;

  constructor(service: string, log: (message: string) => void) {
    this.service = service;
    const told = new Set<string>();
    // Once: the same is tried again every few seconds.
    this.log = (message) => {
      if (!told.has(message)) log(message);
      told.add(message);
    };
  }

  get route(): NetlinkConnection {
    this.#route ??= new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
    return this.#route;
  }

  get nft(): NFTables {
    this.#netfilter ??= new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER));
    return new NFTables(this.#netfilter);
  }

  /** Closes the sockets; the next use opens others. */
  close(): void {
    this.#route?.close();
    this.#netfilter?.close();
    this.#route = null;
    this.#netfilter = null;
  }
}

/** How the network is kept apart from others. */
export function isolationOf({
  networkName,
  bridge,
  gateways,
  internal,
  separate,
  closed,
}: NodeBridge): IsolationSpec {
  return {
    networkName,
    bridge,
    gateways: gateways.map(({ address }) => address),
    internal,
    separate,
    closed,
  };
}

/**
 * Makes everything that the network has on the node besides its conflist. Idempotent.
 *
 * @throws FairleadError already-exists, in-use, timeout, kernel-refused, …
 */
export async function ensureNodeBridge(host: NodeNetlink, wanted: NodeBridge): Promise<void> {
  await clearFormerBridge(host, wanted);
  await withLock(wanted.bridge, "shared", () => {
    const link = makeBridge(host, wanted);
    // Of a bridge that was there, too: a container's advertisement would give the host a default route.
    ignoreAdvertisementsAsGateway(wanted.bridge, host.log);
    ensureGatewayAddresses(host.route, { link, addresses: wanted.gateways });
    ensureIsolation(host.nft, isolationOf(wanted));
    if (!wanted.internal) {
      for (const family of new Set(wanted.gateways.map(({ address }) => address.family)))
        ensureForwarding(host.route, family);
    }
    const { networkName, prefixes, bridge } = wanted;
    if (wanted.masquerades && prefixes.length > 0)
      ensureMasquerade(host.nft, { networkName, prefixes, bridge });
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
  const { link } = ensureBridge(host.route, {
    name: bridge,
    mac: () => bridgeMacOf(bridge),
    ...(mtu !== null && { mtu }),
    alias,
  });
  const kept = keptBridgeOf(link.alias);
  if (kept !== null && kept.networkId !== networkId) throw bridgeOfAnother(bridge, kept.networkId);
  // Made by an ADD, after a reboot or while no agent ran. One without our alias is the administrator's, and stays that.
  if (link.alias === bridgeAliasOf(networkName) || (kept !== null && link.alias !== alias)) {
    host.route.execute([setLink({ ifindex: link.ifindex }, { alias })]);
  }
  // Only of a bridge of ours: one that the administrator made may be meant for more than this network.
  if (mtu !== null && link.mtu !== mtu && isFairleadBridge(link.alias))
    host.route.execute([setLink({ ifindex: link.ifindex }, { mtu })]);
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

/** What a network that is gone left behind. */
export interface Leftover {
  readonly bridge: string;
  /** Names whose rules refer to the bridge. */
  readonly networkNames: readonly string[];
}

/**
 * Removes the bridge if it has no ports, and then the rules. Returns false when it has some: to be tried again.
 * @throws FairleadError timeout, kernel-refused, …
 */
export async function removeNodeBridge(
  host: NodeNetlink,
  { bridge, networkNames }: Leftover,
): Promise<boolean> {
  return withLock(bridge, "exclusive", () => {
    const link = findLink(host.route, bridge);
    const isOurs = link !== null && isMadeFor(link.alias, { service: host.service, networkNames });
    if (isOurs && !removeBridgeIfUnused(host.route, bridge)) return false;
    for (const networkName of networkNames) {
      removeIsolation(host.nft, networkName);
      removeMasquerade(host.nft, networkName);
    }
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

/** What is known about networks that are there, and that are not. */
export interface Census {
  /** Networks that are gone for certain, by ID. */
  readonly isGone: (networkId: string) => boolean;
  readonly knownNames: ReadonlySet<string>;
  /** Names of networks that are gone for certain. */
  readonly goneNames: ReadonlySet<string>;
}

/**
 * Bridges that were kept or made for networks that are gone; rules of networks that are gone, and rules of isolation without a bridge.
 *
 * An ADD makes the bridge first and the rules after, so rules without a bridge are nobody's.
 */
export function findLeftovers(host: NodeNetlink, census: Census): Leftover[] {
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

/** Takes back source checks of ports that are gone, of every network: DEL leaves them to us. */
export function sweepSources(host: NodeNetlink): void {
  let pairs: ReadonlySet<string> | null = null;
  sweepSourceChecks(host.nft, (ifname) => {
    pairs ??= new Set(listLinksOfKind(host.route, "veth").map((link) => link.ifname));
    return pairs.has(ifname) || findLink(host.route, ifname) !== null;
  });
}

async function withLock<T>(bridgeName: string, mode: LockMode, action: () => T): Promise<T> {
  const spec = { directory: LOCK_DIRECTORY, bridgeName };
  for (let waitedMs = 0; ; waitedMs += LOCK_PAUSE_MS) {
    const lock = tryLockBridge(spec, mode);
    if (lock) {
      try {
        return action();
      } finally {
        lock.close();
      }
    }
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

/** Makes sure that the link is there which containers of a macvlan network are to be on. @throws FairleadError not-found */
export function requireParent(host: NodeNetlink, { driver, options, name }: Network): void {
  const parent = driver === "macvlan" ? (options[OPTION.parent] ?? "") : "";
  if (parent === "" || findLink(host.route, parent) !== null) return;
  throw new FairleadError({
    code: "not-found",
    operation: "find parent of macvlan network",
    object: name,
    reason: `this host has no link ${parent}, so no container can be attached`,
    hint: `make it (ip link), or make the network anew with another parent`,
  });
}
