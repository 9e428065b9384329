/**
 * Links: what `ip link` shows and changes.
 *
 * Source: include/uapi/linux/rtnetlink.h; net/core/rtnetlink.c.
 */
import { attribute, attributeTable, type ValueOf } from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import { type CreateMode, createFlags, type NetlinkRequest } from "../request.ts";
import { AF_UNSPEC, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from "./family.ts";
import type { BridgePortData } from "./link/bridge.ts";
import { IFF_UP, ifinfomsg, linkRows } from "./link/ifinfo.ts";
import { linkInfoTable } from "./link/link-info.ts";

export * from "./link/ifinfo.ts";

export const linkTable = attributeTable("link", () => ({
  ...linkRows(),
  linkInfo: attribute("IFLA_LINKINFO", 18, linkInfoTable),
}));

export const linkMessage = familyMessage(ifinfomsg, linkTable);

/** A link as the kernel tells it. */
export type Link = ValueOf<typeof linkMessage>;

/** What a link is to have, or to change to. */
export type LinkChange = Parameters<typeof linkMessage.encode>[0];

/** Names one link in the netns of the socket. */
export type LinkReference = { readonly ifindex: number } | { readonly ifname: string };

/** Spread into a {@link LinkChange}: sets the link up, touching no other flag. */
export const LINK_UP = { flags: IFF_UP, changeMask: IFF_UP } as const;

/** Spread into a {@link LinkChange}: sets the link down. */
export const LINK_DOWN = { flags: 0, changeMask: IFF_UP } as const;

/** Leaves the statistics of IPv6 and of virtual functions out of an answer; the link's own stay. Source: rtnetlink.h. */
export const RTEXT_FILTER_SKIP_STATS = 1 << 3;

/** "veth1a2b", or "ifindex 7" where the name is not known. */
export function linkText(reference: LinkReference): string {
  return "ifname" in reference ? reference.ifname : `ifindex ${reference.ifindex}`;
}

function decodeLink({ payload }: { readonly payload: Uint8Array }): Link {
  return linkMessage.decode(payload);
}

/**
 * Makes a link. `linkInfo.kind` says which; `ifname` may be left out, the kernel then picks one.
 *
 * One request can make it, name it, make it a port of `master`, and set it up ({@link LINK_UP}). The kernel ignores
 * `alias` here: it takes a {@link setLink}.
 */
export function newLink(
  link: LinkChange & { readonly ifname: string },
  mode: CreateMode = "create",
): NetlinkRequest {
  const kind = link.linkInfo?.kind;
  return {
    type: RTM_NEWLINK,
    flags: createFlags(mode),
    payload: linkMessage.encode(link),
    operation: kind === undefined ? "create link" : `create ${kind} link`,
    object: link.ifname,
  };
}

/**
 * Changes an existing link. To rename it, give its ifindex as the reference and the new name as the change.
 *
 * The kernel applies the parts one after the other: after a refusal, some may have taken effect.
 */
export function setLink(reference: LinkReference, change: LinkChange): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: 0,
    payload: linkMessage.encode({ ...change, ...reference }),
    operation: "change link",
    object: linkText(reference),
  };
}

/** Changes what the bridge keeps about one of its ports: hairpin, isolation, flooding, learning. */
export function setBridgePort(reference: LinkReference, port: BridgePortData): NetlinkRequest {
  return {
    ...setLink(reference, { linkInfo: { slaveKind: "bridge", slaveData: port } }),
    operation: "change bridge port",
  };
}

/**
 * Deletes a link, and a veth's peer with it.
 *
 * It returns when the kernel has unregistered it, which waits for an RCU grace period: 14 to 20 ms.
 */
export function deleteLink(reference: LinkReference): NetlinkRequest {
  return {
    type: RTM_DELLINK,
    flags: 0,
    payload: linkMessage.encode(reference),
    operation: "delete link",
    object: linkText(reference),
  };
}

/** Deletes all links of a group (IFLA_GROUP) at the price of one. Group 0, the default, is refused (EPERM). */
export function deleteLinkGroup(group: number): NetlinkRequest {
  return {
    type: RTM_DELLINK,
    flags: 0,
    payload: linkMessage.encode({ group }),
    operation: "delete links of group",
    object: `${group}`,
  };
}

/**
 * Asks for one link, without a dump. ENODEV when there is none.
 * @param netnsId of the netns to look in; default: the socket's. EINVAL when it has no such number.
 */
export function getLink(reference: LinkReference, netnsId?: number): NetlinkRequest<Link> {
  return {
    type: RTM_GETLINK,
    flags: 0,
    payload: linkMessage.encode({
      ...reference,
      extendedMask: RTEXT_FILTER_SKIP_STATS,
      ...(netnsId !== undefined && { targetNetnsId: netnsId }),
    }),
    operation: "get link",
    object: linkText(reference),
    decodeReply: decodeLink,
  };
}

/** Which links to list: all of those that match every member given. */
export interface LinkFilter {
  /** ifindex of the master. */
  readonly master?: number;
  /** "bridge", "veth", … */
  readonly kind?: string;
}

/** Lists links, for `dump`. */
export function getLinks({ master, kind }: LinkFilter = {}): NetlinkRequest<Link> {
  const linkInfo = kind === undefined ? undefined : { kind };
  return {
    type: RTM_GETLINK,
    flags: 0,
    payload: linkMessage.encode({
      family: AF_UNSPEC,
      extendedMask: RTEXT_FILTER_SKIP_STATS,
      master,
      linkInfo,
    }),
    operation: "list links",
    object: "",
    decodeReply: decodeLink,
    accepts: (link) =>
      (master === undefined || link.master === master) &&
      (kind === undefined || link.linkInfo?.kind === kind),
  };
}
