/**
 * Connections as connection tracking knows them (ctnetlink): list those of a protocol, delete one.
 *
 * The header `struct nfgenmsg` carries the connection's address family.
 *
 * Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c.
 */

import type { Family } from "../../addr/address.ts";
import {
  attribute,
  attributeTable,
  ipAddress,
  nestedBytes,
  u8,
  u16be,
  u32,
  u32be,
  type ValueOf,
} from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6, nfgenmsg } from "../nftables/message.ts";
import type { NetlinkRequest } from "../request.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
/** Source: enum cntl_msg_types. */
const IPCTNL_MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;

/** Protocol numbers. Source: RFC 768, RFC 9293, RFC 9260 by way of IANA's registry. */
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_SCTP = 132;

/**
 * ```
 * |0008|0001| CTA_IP_V4_SRC  |7f000001|      |0014|0003| CTA_IP_V6_SRC
 * |0008|0002| CTA_IP_V4_DST  |7f000001|      |0014|0004| CTA_IP_V6_DST
 * ```
 */
const tupleAddresses = attributeTable("ctattr_ip", () => ({
  source4: attribute("CTA_IP_V4_SRC", 1, ipAddress),
  destination4: attribute("CTA_IP_V4_DST", 2, ipAddress),
  source6: attribute("CTA_IP_V6_SRC", 3, ipAddress),
  destination6: attribute("CTA_IP_V6_DST", 4, ipAddress),
}));

/** Ports are big-endian. What has no ports (ICMP) keeps its attributes among the unknown ones. */
const tupleProtocol = attributeTable("ctattr_l4proto", () => ({
  number: attribute("CTA_PROTO_NUM", 1, u8),
  sourcePort: attribute("CTA_PROTO_SRC_PORT", 2, u16be),
  destinationPort: attribute("CTA_PROTO_DST_PORT", 3, u16be),
}));

/** One direction of a connection. */
const tuple = attributeTable("ctattr_tuple", () => ({
  addresses: attribute("CTA_TUPLE_IP", 1, tupleAddresses),
  protocol: attribute("CTA_TUPLE_PROTO", 2, tupleProtocol),
  zone: attribute("CTA_TUPLE_ZONE", 3, u16be),
}));

/** Bits say which parts of the tuple beside them count. In host order, unlike all else here. Linux 5.8. */
const filterTable = attributeTable("ctattr_filter", () => ({
  originalFlags: attribute("CTA_FILTER_ORIG_FLAGS", 1, u32),
  replyFlags: attribute("CTA_FILTER_REPLY_FLAGS", 2, u32),
}));

/** Source: net/netfilter/nf_internals.h CTA_FILTER_F_CTA_PROTO_NUM. */
const CTA_FILTER_F_CTA_PROTO_NUM = 1 << 3;

/**
 * ```
 * |0034|8001| CTA_TUPLE_ORIG   nested: tuple    as the first packet had it
 * |0034|8002| CTA_TUPLE_REPLY  nested: tuple    as answers have it: its source is where DNAT led
 * |0008|0003| CTA_STATUS       |000001a8|  IPS_*
 * |0008|000c| CTA_ID           |da10bb9d|
 * |0008|0007| CTA_TIMEOUT      |0000001d|  seconds
 * ```
 * Source: enum ctattr_type. What Fairlead does not look at is kept as bytes.
 */
const connectionTable = attributeTable("ctattr", () => ({
  original: attribute("CTA_TUPLE_ORIG", 1, tuple),
  reply: attribute("CTA_TUPLE_REPLY", 2, tuple),
  status: attribute("CTA_STATUS", 3, u32be),
  protocolInfo: attribute("CTA_PROTOINFO", 4, nestedBytes),
  timeoutSeconds: attribute("CTA_TIMEOUT", 7, u32be),
  mark: attribute("CTA_MARK", 8, u32be),
  use: attribute("CTA_USE", 11, u32be),
  id: attribute("CTA_ID", 12, u32be),
  zone: attribute("CTA_ZONE", 18, u16be),
  filter: attribute("CTA_FILTER", 25, filterTable),
}));

export const connectionMessage = familyMessage(nfgenmsg, connectionTable);

/** One tracked connection. */
export type Connection = ValueOf<typeof connectionMessage>;

/**
 * Lists the connections of one family (the kernel filters within one only) and protocol, for `dump`. Walks the kernel's
 * whole table, which takes some milliseconds whatever is in it. Kernels before 5.8 do not know the filter and send all
 * protocols; the rest is left out here.
 */
export function getConnections(family: Family, protocolNumber: number): NetlinkRequest<Connection> {
  return {
    type: IPCTNL_MSG_CT_GET,
    flags: 0,
    payload: connectionMessage.encode({
      family: family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
      original: { protocol: { number: protocolNumber } },
      filter: { originalFlags: CTA_FILTER_F_CTA_PROTO_NUM, replyFlags: 0 },
    }),
    operation: "list connections",
    object: `of protocol ${protocolNumber}`,
    decodeReply: ({ payload }) => connectionMessage.decode(payload),
    accepts: ({ original }) => original?.protocol?.number === protocolNumber,
  };
}

/** Forgets one connection, as it was listed; ENOENT when it has ended, or another has taken its place. */
export function deleteConnection({ family, original, zone, id }: Connection): NetlinkRequest {
  return {
    type: IPCTNL_MSG_CT_DELETE,
    flags: 0,
    payload: connectionMessage.encode({ family, original, zone, id }),
    operation: "delete connection",
    object: `of protocol ${original?.protocol?.number ?? "?"}`,
  };
}
