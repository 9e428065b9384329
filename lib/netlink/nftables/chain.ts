/** Chains: lists of rules. A base chain hangs on a hook of the packet's way; a regular chain is jumped to. */
import {
  attribute,
  attributeTable,
  bytes,
  i32be,
  u32be,
  u64be,
  type ValueOf,
  zstring,
} from "../attribute.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../message.ts";
import type { NetlinkRequest } from "../request.ts";
import { counterTable } from "./expr/counter.ts";
import { NF_ACCEPT } from "./expr/data.ts";
import {
  decodeObject,
  type InFamily,
  NFPROTO_UNSPEC,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DESTROYCHAIN,
  NFT_MSG_GETCHAIN,
  NFT_MSG_NEWCHAIN,
  nftablesRequest,
  objectName,
} from "./message.ts";
import { getNamed, listNamed, type NamedKind, removeNamed } from "./named-object.ts";
import { encodeComment, NFTNL_UDATA_CHAIN_COMMENT } from "./userdata.ts";

/** Hooks. The bridge family has the same numbers. Source: linux/netfilter.h enum nf_inet_hooks. */
export const NF_INET_PRE_ROUTING = 0;
export const NF_INET_LOCAL_IN = 1;
export const NF_INET_FORWARD = 2;
export const NF_INET_LOCAL_OUT = 3;
export const NF_INET_POST_ROUTING = 4;

/** Where on a hook a base chain stands: the lower, the earlier. Source: linux/netfilter_ipv4.h enum nf_ip_hook_priorities. */
export const NF_IP_PRI_RAW = -300;
export const NF_IP_PRI_NAT_DST = -100;
export const NF_IP_PRI_FILTER = 0;
export const NF_IP_PRI_NAT_SRC = 100;
/** The same in the bridge family. Source: linux/netfilter_bridge.h enum nf_br_hook_priorities. */
export const NF_BR_PRI_NAT_DST_BRIDGED = -300;

/**
 * ```
 * |0008|0001| NFTA_HOOK_HOOKNUM   |00000004|  postrouting
 * |0008|0002| NFTA_HOOK_PRIORITY  |00000064|  srcnat; signed
 * ```
 * Source: nf_tables.h enum nft_hook_attributes.
 */
const hookTable = attributeTable("nft_hook", {
  number: attribute("NFTA_HOOK_HOOKNUM", 1, u32be),
  priority: attribute("NFTA_HOOK_PRIORITY", 2, i32be),
  device: attribute("NFTA_HOOK_DEV", 3, zstring),
});

/**
 * ```
 * |  ..|0001| NFTA_CHAIN_TABLE     |"fairlead\0"|
 * |  ..|0003| NFTA_CHAIN_NAME      |"postrouting\0"|
 * |  ..|0007| NFTA_CHAIN_TYPE      |"nat\0"|        base chains: type, policy, hook
 * |0008|0005| NFTA_CHAIN_POLICY    |00000001|       accept
 * |  ..|8004| NFTA_CHAIN_HOOK      nested: hook
 * |  ..|000c| NFTA_CHAIN_USERDATA  |00 04 "web\0"|  comment
 * ```
 * Source: nf_tables.h enum nft_chain_attributes.
 */
export const chainTable = attributeTable("nft_chain", {
  table: attribute("NFTA_CHAIN_TABLE", 1, zstring),
  handle: attribute("NFTA_CHAIN_HANDLE", 2, u64be),
  name: attribute("NFTA_CHAIN_NAME", 3, zstring),
  hook: attribute("NFTA_CHAIN_HOOK", 4, hookTable),
  policy: attribute("NFTA_CHAIN_POLICY", 5, u32be),
  /** How many rules it has, plus how many rules and map elements jump to it. */
  use: attribute("NFTA_CHAIN_USE", 6, u32be),
  type: attribute("NFTA_CHAIN_TYPE", 7, zstring),
  counters: attribute("NFTA_CHAIN_COUNTERS", 8, counterTable),
  flags: attribute("NFTA_CHAIN_FLAGS", 10, u32be),
  id: attribute("NFTA_CHAIN_ID", 11, u32be),
  userdata: attribute("NFTA_CHAIN_USERDATA", 12, bytes),
});

export type Chain = ValueOf<typeof chainTable> & InFamily;

const CHAIN: NamedKind<ValueOf<typeof chainTable>> = {
  noun: "chain",
  getMessage: NFT_MSG_GETCHAIN,
  codec: chainTable,
};

export interface ChainKey extends InFamily {
  readonly table: string;
  readonly name: string;
}

/** What makes a chain a base chain. */
export interface BaseChain {
  readonly type: "filter" | "nat" | "route";
  /** NF_INET_*. */
  readonly hook: number;
  readonly priority: number;
  /** NF_ACCEPT or NF_DROP; NF_ACCEPT when left out. */
  readonly policy?: number;
}

export interface ChainSpec extends ChainKey {
  /** Absent: a regular chain. */
  readonly base?: BaseChain;
  readonly comment?: string;
}

/** Makes the chain; EEXIST if it is there. */
export function newChain({ family, table, name, base, comment }: ChainSpec): NetlinkRequest {
  return nftablesRequest({
    message: NFT_MSG_NEWCHAIN,
    family,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    attributes: chainTable.encode({
      table,
      name,
      ...(base && {
        type: base.type,
        policy: base.policy ?? NF_ACCEPT,
        hook: { number: base.hook, priority: base.priority },
      }),
      ...(comment !== undefined && { userdata: encodeComment(comment, NFTNL_UDATA_CHAIN_COMMENT) }),
    }),
    operation: "create nftables chain",
    object: objectName(family, table, name),
  });
}

/** One chain, by name; ENOENT if there is none. */
export function getChain(key: ChainKey): NetlinkRequest<Chain> {
  return getNamed(CHAIN, key);
}

/** The chains of a table, to be dumped. None if the table does not exist. */
export function getChains(of: Pick<ChainKey, "family" | "table">): NetlinkRequest<Chain> {
  return listNamed(CHAIN, of);
}

/** The chains of all tables of all families, to be dumped. */
export function getAllChains(): NetlinkRequest<Chain> {
  return nftablesRequest<Chain>({
    message: NFT_MSG_GETCHAIN,
    family: NFPROTO_UNSPEC,
    flags: 0,
    attributes: chainTable.encode({}),
    operation: "list nftables chains",
    object: "",
    decodeReply: (reply) => decodeObject(chainTable, reply),
  });
}

/** Deletes the chain with its rules; ENOENT if there is none, EBUSY while something jumps to it. */
export function deleteChain(key: ChainKey): NetlinkRequest {
  return removeNamed(CHAIN, NFT_MSG_DELCHAIN, key);
}

/** Like {@link deleteChain}, but content if there is none. Linux 6.3; EINVAL before. */
export function destroyChain(key: ChainKey): NetlinkRequest {
  return removeNamed(CHAIN, NFT_MSG_DESTROYCHAIN, key);
}
