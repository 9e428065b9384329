/**
 * Published ports of one attachment: what `fairlead-portmap` does in a chain, and an interface plugin for its own.
 *
 * Both know an attachment by its key alone, so either takes back what the other has published.
 */
import type { Address } from "../lib/addr/address.ts";
import type { AttachmentKey, GcRequest, PluginRequest } from "../lib/cni/request.ts";
import type { Result } from "../lib/cni/result.ts";
import { FairleadError } from "../lib/errors.ts";
import { findDirectLink } from "../lib/host/addressing/routes.ts";
import { listAttachmentPorts } from "../lib/host/attachment/ports.ts";
import { removeUnusedPortmap } from "../lib/host/firewall/ports/chains.ts";
import { checkPublishedPorts } from "../lib/host/firewall/ports/check.ts";
import { forgetConnections } from "../lib/host/firewall/ports/connections.ts";
import { formatHostPort, isOfEveryAddress, type PortProtocol } from "../lib/host/firewall/ports/holder.ts";
import { isKeptForHost } from "../lib/host/firewall/ports/kept.ts";
import { describeListener, findListeners, type Listener } from "../lib/host/firewall/ports/listeners.ts";
import { PROTOCOL_NUMBERS, type PublishedPort, targetsOf } from "../lib/host/firewall/ports/plan.ts";
import { type PublishSpec, publishPorts } from "../lib/host/firewall/ports/publish.ts";
import { findOwnLink, unpublishPorts, unpublishStalePorts } from "../lib/host/firewall/ports/unpublish.ts";
import { findLink as findLinkByName } from "../lib/host/links.ts";
import type { HostNetlink } from "../lib/host/netlink.ts";
import { checkLoopbackRouting, routeLoopback } from "../lib/host/settings.ts";
import type { NetlinkSocketOptions } from "../lib/linux/sockets/netlink-socket.ts";
import { aliasOf, hostIfnameOf } from "./attachment-names.ts";
import { containerAddresses, type Mapping, planPorts } from "./configuration/port-mappings.ts";
import type { Workspace } from "./workspace.ts";

/** The netfilter socket of whoever publishes. Room for the largest transaction: MOST_PORTS of two families, commented. */
export const PUBLISHING_SOCKET: NetlinkSocketOptions = { sendBufferBytes: 4 * 1024 * 1024 };

/** What is to be published for one attachment. */
export interface Publication {
  readonly key: AttachmentKey;
  /** At least one. */
  readonly mappings: readonly Mapping[];
  /** Lets clients on the container's own link, and on the host's loopback, reach the ports. */
  readonly snat: boolean;
  /** Hides every client behind this host. */
  readonly masqueradeAll: boolean;
  /** Tells the container's addresses. */
  readonly result: Result;
  log: PluginRequest["log"];
}

/**
 * Decides, sees that nobody listens on the ports, and publishes them all at once.
 *
 * @throws FairleadError in-use, which names the holder or the program; invalid-config, unsupported-field, kernel-refused.
 *   What was done until then is on the undo stack.
 */
export function publish(publication: Publication, { host, undo }: Omit<Workspace, "log">): void {
  const { key } = publication;
  const { ports, findLink } = planPublication(publication);
  for (const port of ports) refuseListeners(port, key.containerId, host);
  const spec = { ...specOf(publication, ports, findLink(host)), ...ownLinkOf(key, host) };
  publishInstead(spec, host, publication.log);
  undo.push("unpublish ports", () => unpublishPorts(host.nft, key));
  // A port that is published while old connections pass it by would seem to work, for some.
  forgetFlows(ports, host);
  // Last, when the chain that keeps others out of the loopback is there.
  if (needsLoopback(spec)) routeLoopback(spec.link);
}

/** The link that this attachment has on the host, where it has one of ours. */
function ownLinkOf(key: AttachmentKey, host: HostNetlink): Pick<PublishSpec, "ownLink"> {
  const ownLink = hostIfnameOf(key);
  return findLinkByName(host.route, ownLink)?.alias === aliasOf(key) ? { ownLink } : {};
}

/** Holders that are gone may be in the way of one port each. */
const MOST_GONE = 64;

/** Publishes; takes ports over from attachments whose links are gone: a container was killed, and no DEL came. */
function publishInstead(spec: PublishSpec, host: HostNetlink, log: Publication["log"]): void {
  for (let attempt = 0; ; attempt += 1) {
    try {
      publishPorts(host.nft, spec);
      return;
    } catch (thrown) {
      const holder = attempt < MOST_GONE ? holderInTheWay(thrown) : null;
      if (holder === null || unpublishIfGone(holder, host) === null) throw thrown;
      log(`took published ports over from ${holder.networkName}/${holder.containerId}, whose link is gone`);
    }
  }
}

function holderInTheWay(thrown: unknown): AttachmentKey | null {
  if (!(thrown instanceof FairleadError) || thrown.code !== "in-use") return null;
  const { networkName, containerId, ifname } = thrown.details;
  const isKey = [networkName, containerId, ifname].every((part) => typeof part === "string");
  return isKey ? ({ networkName, containerId, ifname } as AttachmentKey) : null;
}

/**
 * Takes back what `holder` has published if its link is gone, and returns what that was called; null: it is there, or nobody can tell.
 * Not for whoever cannot be sure that no ADD for it is under way.
 */
export function unpublishIfGone(holder: AttachmentKey, host: HostNetlink): string | null {
  const link = goneLinkOf(holder, host);
  if (link !== null) unpublish(holder, host);
  return link;
}

/** Only when it had a link of ours when it published, and no link of this host is that one any more, whatever its name. */
function goneLinkOf(holder: AttachmentKey, { nft, route }: HostNetlink): string | null {
  const link = findOwnLink(nft, holder);
  if (link === null || findLinkByName(route, link) !== null) return null;
  const alias = aliasOf(holder);
  return [...listAttachmentPorts(route).values()].some((port) => port.alias === alias) ? null : link;
}

/** Makes sure that every port leads to the container, by the rules that `publish` made. @throws FairleadError check-failed. */
export function checkPublication(publication: Publication, host: HostNetlink): void {
  const { ports, findLink } = planPublication(publication);
  const spec = specOf(publication, ports, findLink(host));
  checkPublishedPorts(host.nft, spec);
  if (needsLoopback(spec)) checkLoopbackRouting(spec.link);
}

/** Takes back what the attachment has published, by its key alone. Idempotent. */
export function unpublish(key: AttachmentKey, host: HostNetlink): void {
  forgetFlows(unpublishPorts(host.nft, key), host);
}

/** Takes back what belongs to no valid attachment of the network; with the last one, everything that publishing made. */
export function unpublishStale({ config, validAttachments }: GcRequest, host: HostNetlink): void {
  forgetFlows(unpublishStalePorts(host.nft, config.networkName, validAttachments), host);
  if (validAttachments.length === 0) removeUnusedPortmap(host.nft);
}

interface PublicationPlan {
  readonly ports: readonly PublishedPort[];
  /** The link of the host that leads to the container; null: there is none, or nobody is to be masqueraded. */
  readonly findLink: (host: HostNetlink) => string | null;
}

function planPublication({ key, mappings, snat, result, log }: Publication): PublicationPlan {
  const addresses = containerAddresses(result, key.ifname);
  return {
    ports: planPorts(mappings, addresses),
    findLink: (host) => (snat ? findLinkTo(addresses, host, log) : null),
  };
}

function specOf(
  { key, masqueradeAll }: Publication,
  ports: readonly PublishedPort[],
  link: string | null,
): PublishSpec {
  return { holder: key, ports, link, masqueradeAll };
}

/** Whether clients on the host's loopback are to be led to the container. */
function needsLoopback(spec: PublishSpec): spec is PublishSpec & { readonly link: string } {
  return spec.link !== null && spec.ports.some(({ hostAddress }) => hostAddress.family === 4);
}

function findLinkTo(
  addresses: readonly Address[],
  host: HostNetlink,
  log: PluginRequest["log"],
): string | null {
  for (const address of addresses) {
    const link = findDirectLink(host.route, address);
    if (link !== null) return link.ifname;
  }
  log(
    "no link of this host leads straight to the container: its published ports do not answer to this host itself",
  );
  return null;
}

/** @throws FairleadError in-use, which names the program. */
function refuseListeners(port: PublishedPort, containerId: string, host: HostNetlink): void {
  const { protocol, hostAddress: address, hostPort } = port;
  const listener = findListeners({ protocol, address, port: hostPort }).find(
    (one) => !isReservation(one, containerId) && !isOurs(port, one, host),
  );
  if (listener === undefined) return;
  throw new FairleadError({
    code: "in-use",
    operation: "publish port",
    object: formatHostPort(port),
    reason: describeListener(listener),
    hint: "stop it, or publish another port",
    details: { port: formatHostPort(port), program: listener.program, processId: listener.processId },
  });
}

/** A shorter ID could be a part of anybody's command line. Runtimes' own have 64 digits. */
const SHORTEST_TELLING_ID = 12;

/** Some runtimes (podman's conmon) hold the port open on behalf of the container, so that nobody else takes it. */
function isReservation({ commandLine }: Listener, containerId: string): boolean {
  return containerId.length >= SHORTEST_TELLING_ID && commandLine.includes(containerId);
}

/** A service of Fairlead's on one address keeps its port there, and is in nobody's way elsewhere. */
function isOurs(port: PublishedPort, { address }: Listener, host: HostNetlink): boolean {
  return isOfEveryAddress(port) && isKeptForHost(host.nft, { ...port, hostAddress: address });
}

/** The protocols that have no beginning of a connection. */
const WITHOUT_HANDSHAKE: readonly PortProtocol[] = ["udp", "sctp"];

/** Makes clients of the ports be translated anew. Nothing to do, and no time spent, where all ports are TCP's. */
function forgetFlows(ports: readonly PublishedPort[], host: HostNetlink): void {
  for (const protocol of WITHOUT_HANDSHAKE) {
    const own = ports.filter((port) => port.protocol === protocol);
    if (own.length === 0) continue;
    forgetConnections(host, {
      families: [...new Set(own.map(({ hostAddress }) => hostAddress.family))],
      protocol: PROTOCOL_NUMBERS[protocol],
      hostPorts: new Set(own.map(({ hostPort }) => hostPort)),
      containerAddresses: targetsOf(own),
    });
  }
}
