/**
 * Links of kind "veth": two links, each the other's wire.
 *
 * Source: include/uapi/linux/veth.h; drivers/net/veth.c veth_newlink.
 */
import { attribute, attributeTable, type Codec } from "../../attribute.ts";
import { familyMessage } from "../../family-message.ts";
import { ifinfomsg, linkRows } from "./ifinfo.ts";

const peerLink = familyMessage(ifinfomsg, attributeTable("veth peer", linkRows));

/** What the other end is to have: a link message of its own inside an attribute. Header fields may be left out. */
export type VethPeer = Parameters<typeof peerLink.encode>[0];

const peerMessage: Codec<VethPeer> = peerLink;

/**
 * IFLA_INFO_DATA of a veth. Write only: what the kernel tells of a veth names the peer in IFLA_LINK.
 *
 * The peer may be made in another netns (`netNsFd`) under its final name. It cannot be made up: with IFF_UP in its
 * flags the kernel answers ENOTCONN, because the first end does not exist yet.
 */
export const vethTable = attributeTable("veth", () => ({
  /** Its payload begins with a struct, not an attribute: without NLA_F_NESTED. */
  peer: attribute("VETH_INFO_PEER", 1, peerMessage),
}));
