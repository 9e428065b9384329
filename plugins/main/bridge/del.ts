/**
 * DEL: published ports and the link first, then the address, so that nobody is given an address that is still in use.
 *
 * Works from the key alone: without the container's namespace, without a previous result, twice, after a reboot, and
 * whatever has become of the configuration since.
 */

import { parseInterfaceAddress } from "../../../lib/addr/prefix.ts";
import { Attempts } from "../../../lib/attempts.ts";
import type { AttachmentKey, DelRequest } from "../../../lib/cni/request.ts";
import { asFairleadError } from "../../../lib/errors.ts";
import { removeWayTo } from "../../../lib/host/addressing/way-to-container.ts";
import { takeWordBack } from "../../../lib/host/attachment/unfinished-adds.ts";
import { findPublished } from "../../../lib/host/firewall/ports/unpublish.ts";
import { findSourceCheck, removeMacSpoofCheck } from "../../../lib/host/firewall/source/mac-spoof.ts";
import { removeHostLink } from "../../../lib/host/link-reaper.ts";
import { findLink, type LinkState } from "../../../lib/host/links.ts";
import { HostNetlink } from "../../../lib/host/netlink.ts";
import { openNetnsIfExists } from "../../../lib/linux/namespaces/netns.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { releaseAddresses } from "../../addresses/ipam-removal.ts";
import { findRemains, removeReferenceRules } from "../../addresses/reference-remains.ts";
import { aliasOf, hostIfnameOf } from "../../attachment-names.ts";
import { declaredBy } from "../../configuration/declared-gateways.ts";
import { processExec } from "../../io.ts";
import { PUBLISHING_SOCKET, unpublish } from "../../published-ports.ts";
import { type RemovalKeys, readRemovalKeys } from "./config.ts";

/** What is to go: names that follow from the key, and what of the configuration can be read. */
interface Removal extends RemovalKeys {
  readonly key: AttachmentKey;
  readonly hostIfname: string;
  readonly alias: string;
}

export function del(request: DelRequest): void {
  const removal = planRemoval(request);
  // Whatever the network publishes by now: this attachment may have published a thousand ports.
  const host = new HostNetlink(PUBLISHING_SOCKET);
  const attempts = new Attempts();
  try {
    const rules = findRules(removal, host, request.log);
    if (rules.ports) attempts.run(() => unpublish(removal.key, host));
    let isForeign = false;
    attempts.run(() => {
      isForeign = findRemains(request, removal.key).length > 0;
    });
    attempts.run(() => {
      if (removePair(request.netns, removal, host) === "foreign") isForeign = true;
    });
    if (isForeign) attempts.run(() => removeReferenceRules(request, removal.key, host));
    attempts.run(() => removeWays(request, host));
    if (rules.sourceCheck) attempts.run(() => removeMacSpoofCheck(host.nft, removal.hostIfname));
    // An interface that would not go still uses its address, and a port that would not go still leads to it.
    if (!attempts.failed) attempts.run(() => releaseAddresses(request, processExec));
    if (!attempts.failed) attempts.run(() => takeWordBack(removal.key));
  } finally {
    host.close();
  }
  attempts.throwIfFailed("delete attachment", removal.alias);
}

function planRemoval({ key, config, log }: DelRequest): Removal {
  return { ...readRemovalKeys(config.raw, log), key, hostIfname: hostIfnameOf(key), alias: aliasOf(key) };
}

interface Rules {
  readonly ports: boolean;
  readonly sourceCheck: boolean;
}

/** What the attachment has in the firewall: one exchange, whatever the configuration says that there should be. */
function findRules(
  { key, hostIfname, wantsRules }: Removal,
  host: HostNetlink,
  log: DelRequest["log"],
): Rules {
  try {
    const [ports, sourceCheck] = host.nft.findAll([findPublished(key), findSourceCheck(hostIfname)]);
    return { ports: ports !== undefined, sourceCheck: sourceCheck !== undefined };
  } catch (thrown) {
    // Where rules are wanted, not to see them is a failure, which the attempts to remove them report.
    if (wantsRules) return { ports: true, sourceCheck: true };
    log(`going on without looking for rules: ${asFairleadError(thrown, "read nftables").message}`);
    return { ports: false, sourceCheck: false };
  }
}

/** Where another bridge may have the same subnet the host may have ways to the container of their own. */
function removeWays({ config, prevResult }: DelRequest, host: HostNetlink): void {
  if (prevResult === null || !declaredBy(config.raw).declaresParts()) return;
  for (const { address } of prevResult.ips) removeWayTo(host.route, parseInterfaceAddress(address).address);
}

/** Returns who made the pair. */
function removePair(netns: string | null, removal: Removal, host: HostNetlink): "own" | "foreign" | "nobody" {
  const own = findOwnPort(removal, host);
  const link = own ?? (netns === null ? null : findForeignPort(netns, removal, host));
  if (link === null) return "nobody";
  removeHostLink(host.route, link.ifindex);
  return own ? "own" : "foreign";
}

/**
 * The alias says whose the link is: names are hashes, and a hash can meet another one. A link without one is ours too: its
 * ADD ended between making the link and naming it.
 */
function findOwnPort({ hostIfname, alias }: Removal, host: HostNetlink): LinkState | null {
  const link = findLink(host.route, hostIfname);
  return link !== null && (link.alias === alias || link.alias === "") ? link : null;
}

/**
 * The host end of a pair that another plugin made, before the configuration was changed to ours, or before us in the chain.
 *
 * Nothing but its place tells that it belongs to this attachment: it is the peer of the container's interface, a port of
 * this network's bridge, and no attachment of ours. An interface of that name from another network stays.
 */
function findForeignPort(path: string, { key, bridge: name }: Removal, host: HostNetlink): LinkState | null {
  if (name === null) return null;
  const end = findContainerEnd(path, key.ifname);
  if (end?.kind !== "veth" || end.link === null) return null;
  const port = findLink(host.route, end.link);
  const bridge = port && findLink(host.route, name);
  const isPeer = port?.kind === "veth" && port.link === end.ifindex;
  return isPeer && bridge && port.master === bridge.ifindex && port.alias === "" ? port : null;
}

function findContainerEnd(path: string, ifname: string): LinkState | null {
  const netns = openNetnsIfExists(path);
  if (netns === null) return null;
  try {
    const container = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    try {
      return findLink(container, ifname);
    } finally {
      container.close();
    }
  } finally {
    netns.close();
  }
}
