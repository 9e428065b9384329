/**
 * Links: find, change, remove.
 *
 * Every verb here and beside takes a connection, and acts in the netns that its socket was opened in.
 */
import { FairleadError } from "../errors.ts";
import { attribute, attributeTable } from "../netlink/attribute.ts";
import type { NetlinkConnection } from "../netlink/connection.ts";
import { familyMessage } from "../netlink/family-message.ts";
import { isAbsent, type NetlinkRequest } from "../netlink/request.ts";
import { linkInfoTable } from "../netlink/route/link/link-info.ts";
import {
  deleteLink,
  getLink,
  getLinks,
  IFF_PROMISC,
  IFF_UP,
  ifinfomsg,
  LINK_UP,
  type Link,
  type LinkFilter,
  type LinkReference,
  linkMessage,
  linkTable,
  linkText,
  setLink,
} from "../netlink/route/link.ts";

/** What is asked most about a link, with nothing left out. */
export interface LinkState {
  readonly ifindex: number;
  readonly ifname: string;
  /** Lower case with colons; empty for a link without a hardware address. */
  readonly mac: string;
  /** Bytes of layer 3. */
  readonly mtu: number;
  /** "bridge", "veth", "vxlan", …; empty for a physical one. */
  readonly kind: string;
  /** Administratively up, which says nothing about the carrier. */
  readonly isUp: boolean;
  readonly isPromiscuous: boolean;
  /** ifindex of the bridge that it is a port of; null when it is none. */
  readonly master: number | null;
  /** ifindex of the peer (veth) or of the link below; in the netns `linkNetnsId` when that is not null. */
  readonly link: number | null;
  readonly linkNetnsId: number | null;
  readonly alias: string;
  /** All that the kernel told. Decoded anew each time. */
  readonly raw: Link;
}

/**
 * The attributes that {@link LinkState} is made of. A link has some sixty, a bridge a hundred, and to decode all of
 * them takes longer than everything else about asking for it; so `raw` waits until somebody looks.
 */
const linkStateTable = attributeTable(
  "link",
  () => {
    const { address, alias, ifname, link, linkNetnsId, master, mtu } = linkTable.rows;
    const linkInfo = attribute("IFLA_LINKINFO", 18, kindTable);
    return { address, alias, ifname, link, linkNetnsId, master, mtu, linkInfo };
  },
  { dropsUnknown: true },
);
const kindTable = attributeTable("link info", () => ({ kind: linkInfoTable.rows.kind }), {
  dropsUnknown: true,
});
const linkStateMessage = familyMessage(ifinfomsg, linkStateTable);

/** Asks for one link. ENODEV when there is none. */
export function getLinkState(id: LinkId): NetlinkRequest<LinkState> {
  const { type, flags, payload, operation, object } = getLink(linkReference(id));
  return { type, flags, payload, operation, object, decodeReply: (reply) => readLinkState(reply.payload) };
}

function readLinkState(payload: Uint8Array): LinkState {
  const bytes = payload.slice(); // the payload lives no longer than this call
  const some = linkStateMessage.decode(bytes);
  return {
    ifindex: some.ifindex,
    ifname: some.ifname ?? "",
    mac: some.address ?? "",
    mtu: some.mtu ?? 0,
    kind: some.linkInfo?.kind ?? "",
    isUp: (some.flags & IFF_UP) !== 0,
    isPromiscuous: (some.flags & IFF_PROMISC) !== 0,
    master: some.master ?? null,
    link: some.link ?? null,
    linkNetnsId: some.linkNetnsId ?? null,
    alias: some.alias ?? "",
    get raw() {
      return linkMessage.decode(bytes);
    },
  };
}

/** A link's name, or its ifindex. */
export type LinkId = string | number;

/** The same, in the words of the netlink layer. */
function linkReference(id: LinkId): LinkReference {
  return typeof id === "string" ? { ifname: id } : { ifindex: id };
}

/** The link, or null when there is none. One round trip, no list. */
export function findLink(connection: NetlinkConnection, id: LinkId): LinkState | null {
  return connection.find(getLinkState(id)) ?? null;
}

/** @throws FairleadError not-found */
export function requireLink(connection: NetlinkConnection, id: LinkId): LinkState {
  const link = findLink(connection, id);
  if (link !== null) return link;
  throw new FairleadError({
    code: "not-found",
    operation: "find link",
    object: linkText(linkReference(id)),
    reason: "there is no such link in this network namespace",
    hint: "see which there are with: ip link",
  });
}

/**
 * Deletes a link, and a veth's peer with it. Returns whether there was one.
 *
 * Takes 14 to 20 ms, which the kernel spends waiting for all its processors. Idempotent, also against others that
 * delete the same link at the same time.
 */
export function removeLink(connection: NetlinkConnection, id: LinkId): boolean {
  const [result] = connection.attempt([deleteLink(linkReference(id))]);
  if (result.ok) return true;
  if (isAbsent(result.error)) return false;
  throw result.error;
}

/** Idempotent. @throws NetlinkError when there is no such link. */
export function setLinkUp(connection: NetlinkConnection, id: LinkId): void {
  connection.execute([setLink(linkReference(id), LINK_UP)]);
}

/** The ports of a bridge, in no order. */
export function listBridgePorts(connection: NetlinkConnection, bridgeIfindex: number): readonly LinkState[] {
  return listLinks(connection, { master: bridgeIfindex }, (link) => link.master === bridgeIfindex);
}

/** The links of a kind, in no order. */
export function listLinksOfKind(connection: NetlinkConnection, kind: string): readonly LinkState[] {
  return listLinks(connection, { kind }, (link) => link.kind === kind);
}

/** @param accepts because kernels that do not know a filter list everything. */
function listLinks(
  connection: NetlinkConnection,
  filter: LinkFilter,
  accepts: (link: LinkState) => boolean,
): readonly LinkState[] {
  const { type, flags, payload, operation, object } = getLinks(filter);
  const decodeReply = (reply: { readonly payload: Uint8Array }): LinkState => readLinkState(reply.payload);
  return connection.dump({ type, flags, payload, operation, object, decodeReply, accepts });
}

/** The kernel's limits for Ethernet links without hardware. Source: include/uapi/linux/if_ether.h ETH_MIN_MTU, ETH_MAX_MTU. */
const MTU_MINIMUM = 68;
const MTU_MAXIMUM = 65_535;

/**
 * Refuses an MTU that the kernel would refuse with a bare EINVAL.
 *
 * @throws FairleadError invalid-config
 */
export function checkMtu(ifname: string, mtu: number | undefined): void {
  if (mtu === undefined || (Number.isInteger(mtu) && mtu >= MTU_MINIMUM && mtu <= MTU_MAXIMUM)) return;
  throw new FairleadError({
    code: "invalid-config",
    operation: "set MTU of",
    object: ifname,
    reason: `${mtu} is not a number from ${MTU_MINIMUM} to ${MTU_MAXIMUM}`,
    hint: `correct "mtu" in the network configuration`,
  });
}
