/**
 * What is attached to this node, and which networks it has, by what is here: links, caches of results, conflists, bridges.
 * For a service whose store does not know (docs/backup.md), and to tell which leases are nobody's.
 */
import { formatPrefix } from "../../lib/addr/prefix.ts";
import { isObject, type Json, type JsonObject } from "../../lib/cni/json.ts";
import { listAddresses } from "../../lib/host/addressing/addresses.ts";
import { nameText } from "../../lib/host/attachment/alias.ts";
import { type AttachedLink, listAttached } from "../../lib/host/attachment/attached.ts";
import { findLink } from "../../lib/host/links.ts";
import type { FoundAddress, FoundAttachment, FoundNetwork } from "../../lib/ipam/api.ts";
import { bridgeIfname, OPTION } from "../../lib/ipam/network-options.ts";
import { statPath } from "../../lib/linux/files/stat.ts";
import type { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { type CachedAttachment, ResultCache, resultOf } from "../../lib/runtime/cache.ts";
import type { Conflist, PluginConfig } from "../../lib/runtime/conflist.ts";
import { loadConflists } from "../../lib/runtime/conflist-directory.ts";
import { isNotedNetns } from "../../lib/runtime/stale.ts";

const BRIDGE = "fairlead-bridge";
const IPAM = "fairlead-ipam";

export interface Found {
  readonly networks: readonly FoundNetwork[];
  readonly attachments: readonly FoundAttachment[];
  /** Of attachments whose key cannot be told. */
  readonly addresses: readonly FoundAddress[];
}

export interface FoundPlaces {
  readonly confDirectory: string;
  readonly cacheDirectory: string;
}

/** Looks around. What goes away meanwhile is left out. @throws FairleadError kernel-refused, io-failure */
export function findAttached(connection: NetlinkConnection, places: FoundPlaces): Found {
  const links = listAttached(connection).filter(({ addresses }) => addresses.length > 0);
  const cached = new ResultCache(places.cacheDirectory).list();
  const namesOf = new Map(cached.map((entry) => [nameText(entry), cachedNames(entry)]));
  const known = links.flatMap(({ key, addresses, mac }): FoundAttachment[] => {
    const names = key === null ? [] : (namesOf.get(nameText(key)) ?? []);
    return key === null ? [] : [{ key, addresses, mac, ...(names.length > 0 && { names }) }];
  });
  const keys = new Set(known.map(({ key }) => nameText(key)));
  const others = cached.filter((entry) => !keys.has(nameText(entry))).flatMap(attachmentWithoutLink);
  return {
    networks: findNetworks(connection, places.confDirectory),
    attachments: [...known, ...others],
    addresses: links.filter(({ key }) => key === null).flatMap(addressesOfUnknown),
  };
}

function addressesOfUnknown({ hostIfname, addresses }: AttachedLink): FoundAddress[] {
  const reason = `in use behind ${hostIfname}`;
  return addresses.map((text) => ({ address: text.split("/")[0] ?? "", reason }));
}

/** Of a plugin that leaves no link on the host: it is there as long as its namespace is. */
function attachmentWithoutLink(entry: CachedAttachment): FoundAttachment[] {
  const [plugin] = entry.conflist.plugins;
  if (plugin === undefined || plugin.type === BRIDGE || ipamTypeOf(plugin) !== IPAM) return [];
  const { networkName, containerId, ifname } = entry;
  const addresses = resultOf(entry)?.ips.map(({ address }) => address) ?? [];
  if (addresses.length === 0 || !isNetnsThere(entry)) return [];
  return [{ key: { networkName, containerId, ifname }, addresses, names: cachedNames(entry) }];
}

/** A path under which another namespace is now is that of another container. */
export function isNetnsThere({ netns, notes }: CachedAttachment): boolean {
  if (netns === "" || statPath(netns) === null) return false;
  return !notes?.["netnsIdentity"] || isNotedNetns(notes, netns);
}

function ipamTypeOf({ raw }: PluginConfig): Json | undefined {
  const { ipam } = raw;
  return isObject(ipam) ? ipam["type"] : undefined;
}

/** What the attachment was made with, as far as names go. */
function cachedNames({
  cniArgs = [],
  capabilityArgs = {},
  conflist,
  networkName,
}: CachedAttachment): string[] {
  const pod = cniArgs.filter(([key]) => key === "K8S_POD_NAME").map(([, value]) => value);
  const { args } = conflist.plugins[0]?.raw ?? {};
  const given = isObject(args) && isObject(args["cni"]) ? args["cni"]["names"] : [];
  const { aliases } = capabilityArgs;
  const own = isObject(aliases) ? aliases[networkName] : aliases;
  return [...new Set([...pod, ...textsIn(given), ...textsIn(own)])];
}

function textsIn(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function findNetworks(connection: NetlinkConnection, directory: string): FoundNetwork[] {
  return loadConflists(directory).networks.flatMap(({ conflist }) => networkOf(connection, conflist) ?? []);
}

/** A network of the service, by its conflist, with the addresses that its bridge has. Null: none, or without a bridge. */
function networkOf(connection: NetlinkConnection, { name, raw, plugins }: Conflist): FoundNetwork | null {
  const id = isObject(raw["fairlead"]) ? raw["fairlead"]["networkId"] : undefined;
  const plugin = plugins[0]?.type === BRIDGE ? plugins[0].raw : null;
  if (typeof id !== "string" || plugin === null) return null;
  const link = findLink(connection, String(plugin["bridge"]));
  if (link === null) return null;
  const { subnets } = isObject(raw["fairlead"]) ? raw["fairlead"] : {};
  const given = listAddresses(connection, link.ifindex).map(formatPrefix).filter(isGiven);
  const gateways = given.length > 0 ? given : textsIn(subnets);
  if (gateways.length === 0) return null;
  return { id, name, gateways, internal: plugin["internal"] === true, options: optionsOf(id, plugin) };
}

/** Link-local addresses are the kernel's own. */
function isGiven(text: string): boolean {
  return !text.startsWith("fe80:");
}

function optionsOf(id: string, plugin: JsonObject): Record<string, string> {
  const { bridge, portIsolation, ipMasq, internal, mtu, hostBinding, sourceCheck, probe } = plugin;
  const isOpen = (family: 4 | 6) => plugin[`directRouting${family}`] === true;
  const isDefault = bridge === bridgeIfname({ id, options: {} });
  return {
    ...(!isDefault && { [OPTION.bridgeName]: String(bridge) }),
    ...(portIsolation === true && { [OPTION.icc]: "false" }),
    ...(ipMasq === false && internal !== true && { [OPTION.ipMasquerade]: "false" }),
    ...(typeof mtu === "number" && { [OPTION.mtu]: String(mtu) }),
    ...(typeof hostBinding === "string" && { [OPTION.hostBinding]: hostBinding }),
    ...(sourceCheck === false && { [OPTION.sourceCheck]: "off" }),
    ...(probe === true && { [OPTION.probe]: "on" }),
    ...(isOpen(4) && { [OPTION.gatewayMode4]: "nat-unprotected" }),
    ...(isOpen(6) && { [OPTION.gatewayMode6]: "nat-unprotected" }),
    // Of both families: what a network does not have makes no difference.
    ...(plugin["isGateway"] === false && {
      [OPTION.gatewayMode4]: "isolated",
      [OPTION.gatewayMode6]: "isolated",
    }),
  };
}
