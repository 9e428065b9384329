/**
 * What every nf_tables message begins with, and the numbers that say what it is.
 *
 * Source: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h enum nf_tables_msg_types.
 */
import { type Codec, struct, u8, u16be } from "../attribute.ts";
import type { NetlinkMessage } from "../message.ts";
import { type NetlinkRequest, payloadOf } from "../request.ts";

/** Address families of a table. Source: linux/netfilter.h enum NFPROTO. */
export const NFPROTO_UNSPEC = 0;
export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_BRIDGE = 7;
export const NFPROTO_IPV6 = 10;

/**
 * `struct nfgenmsg`, after the netlink header.
 *
 * ```
 * | u8 family | u8 version = 0 | be16 res_id |
 * ```
 * `resourceId` is the subsystem in NFNL_MSG_BATCH_BEGIN and END; in answers it holds the low 16 bits of the
 * generation.
 */
export const nfgenmsg = struct("nfgenmsg", { family: u8, version: u8, resourceId: u16be });

/** A message type is the subsystem in the upper byte and the operation in the lower. */
export const NFNL_SUBSYS_NFTABLES = 10;

export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;

export const NFT_MSG_NEWTABLE = 0;
export const NFT_MSG_GETTABLE = 1;
export const NFT_MSG_DELTABLE = 2;
export const NFT_MSG_NEWCHAIN = 3;
export const NFT_MSG_GETCHAIN = 4;
export const NFT_MSG_DELCHAIN = 5;
export const NFT_MSG_NEWRULE = 6;
export const NFT_MSG_GETRULE = 7;
export const NFT_MSG_DELRULE = 8;
export const NFT_MSG_NEWSET = 9;
export const NFT_MSG_GETSET = 10;
export const NFT_MSG_DELSET = 11;
export const NFT_MSG_NEWSETELEM = 12;
export const NFT_MSG_GETSETELEM = 13;
export const NFT_MSG_DELSETELEM = 14;
export const NFT_MSG_NEWGEN = 15;
export const NFT_MSG_GETGEN = 16;
/** Since Linux 6.3: delete what may be absent. Before, the kernel answers EINVAL. */
export const NFT_MSG_DESTROYTABLE = 26;
export const NFT_MSG_DESTROYCHAIN = 27;
export const NFT_MSG_DESTROYSET = 29;
export const NFT_MSG_DESTROYSETELEM = 30;

/** `nlmsg_type` of an nf_tables operation. */
export function nftablesType(operation: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | operation;
}

/** A message's family beside its attributes, as every nf_tables object is passed around. */
export interface InFamily {
  /** NFPROTO_*. */
  readonly family: number;
}

interface MessageParts<T> {
  /** NFT_MSG_*. */
  readonly message: number;
  readonly family: number;
  readonly flags: number;
  readonly attributes: Uint8Array;
  readonly operation: string;
  readonly object: string;
  readonly decodeReply?: (reply: NetlinkMessage) => T;
  readonly accepts?: (reply: T) => boolean;
}

/** One nf_tables message, as a request. */
export function nftablesRequest<T = never>(parts: MessageParts<T>): NetlinkRequest<T> {
  const { message, family, attributes, ...rest } = parts;
  return {
    ...rest,
    type: nftablesType(message),
    payload: payloadOf(nfgenmsg.encode({ family }), attributes),
  };
}

/** Reads the attributes of an nf_tables message, and puts its family beside them. */
export function decodeObject<T>(table: Codec<T>, { payload }: NetlinkMessage): T & InFamily {
  const { family } = nfgenmsg.decodePrefix(payload);
  return { family, ...table.decode(payload.subarray(nfgenmsg.sizeBytes)) };
}

/** How an object is named in errors: `inet fairlead postrouting`, as one writes it for nft. */
export function objectName(family: number, ...names: readonly (string | undefined)[]): string {
  return [familyName(family), ...names.filter((name) => name !== undefined)].join(" ");
}

/** A family as nft writes it. */
export function familyName(family: number): string {
  return FAMILY_NAMES[family] ?? `family ${family}`;
}

const FAMILY_NAMES: Readonly<Record<number, string>> = {
  [NFPROTO_INET]: "inet",
  [NFPROTO_IPV4]: "ip",
  [NFPROTO_BRIDGE]: "bridge",
  [NFPROTO_IPV6]: "ip6",
};
