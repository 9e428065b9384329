/** Rules: expressions that run one after the other until one says no, or gives a verdict. */
import { attribute, attributeTable, bytes, u32be, u64be, type ValueOf, zstring } from "../attribute.ts";
import { NLM_F_APPEND, NLM_F_CREATE } from "../message.ts";
import type { NetlinkRequest } from "../request.ts";
import { type Expression, expressionList } from "./expr/expression.ts";
import {
  decodeObject,
  type InFamily,
  NFT_MSG_DELRULE,
  NFT_MSG_GETRULE,
  NFT_MSG_NEWRULE,
  nftablesRequest,
  objectName,
} from "./message.ts";
import { encodeComment, NFTNL_UDATA_RULE_COMMENT } from "./userdata.ts";

/**
 * What an extension of iptables is told besides its own data: some take only rules of one protocol.
 *
 * Source: nf_tables.h enum nft_rule_compat_attributes; net/netfilter/nft_compat.c nft_parse_compat.
 */
const compatTable = attributeTable("nft_rule_compat", {
  protocol: attribute("NFTA_RULE_COMPAT_PROTO", 1, u32be),
  flags: attribute("NFTA_RULE_COMPAT_FLAGS", 2, u32be),
});

/**
 * ```
 * |  ..|0001| NFTA_RULE_TABLE        |"fairlead\0"|
 * |  ..|0002| NFTA_RULE_CHAIN        |"postrouting\0"|
 * |000c|0003| NFTA_RULE_HANDLE       |u64, big-endian|  given by the kernel
 * |000c|0006| NFTA_RULE_POSITION     |u64, big-endian|  handle of the rule before it
 * |  ..|8004| NFTA_RULE_EXPRESSIONS  nested: list of expressions
 * |  ..|0007| NFTA_RULE_USERDATA     |00 05 "rest\0"|  comment
 * ```
 * Source: nf_tables.h enum nft_rule_attributes.
 */
export const ruleTable = attributeTable("nft_rule", {
  table: attribute("NFTA_RULE_TABLE", 1, zstring),
  chain: attribute("NFTA_RULE_CHAIN", 2, zstring),
  handle: attribute("NFTA_RULE_HANDLE", 3, u64be),
  expressions: attribute("NFTA_RULE_EXPRESSIONS", 4, expressionList),
  compat: attribute("NFTA_RULE_COMPAT", 5, compatTable),
  position: attribute("NFTA_RULE_POSITION", 6, u64be),
  userdata: attribute("NFTA_RULE_USERDATA", 7, bytes),
  id: attribute("NFTA_RULE_ID", 9, u32be),
  positionId: attribute("NFTA_RULE_POSITION_ID", 10, u32be),
  chainId: attribute("NFTA_RULE_CHAIN_ID", 11, u32be),
});

export type Rule = ValueOf<typeof ruleTable> & InFamily;

export interface RuleSpec extends InFamily {
  readonly table: string;
  readonly chain: string;
  readonly expressions: readonly Expression[];
  readonly comment?: string;
  /** IPPROTO_* that the rule is about, for an extension of iptables that asks. */
  readonly compatProtocol?: number | undefined;
}

/** Adds a rule at the end of a chain. Not idempotent: rules have no name. */
export function newRule(spec: RuleSpec): NetlinkRequest {
  return creation(spec, NLM_F_CREATE | NLM_F_APPEND);
}

/** Adds a rule at the beginning of a chain. Not idempotent. */
export function insertRule(spec: RuleSpec): NetlinkRequest {
  return creation(spec, NLM_F_CREATE);
}

function creation(spec: RuleSpec, flags: number): NetlinkRequest {
  const { family, table, chain, expressions, comment, compatProtocol: protocol } = spec;
  return nftablesRequest({
    message: NFT_MSG_NEWRULE,
    family,
    flags,
    attributes: ruleTable.encode({
      table,
      chain,
      expressions,
      ...(protocol !== undefined && { compat: { protocol, flags: 0 } }),
      ...(comment !== undefined && { userdata: encodeComment(comment, NFTNL_UDATA_RULE_COMMENT) }),
    }),
    operation: "create nftables rule in",
    object: objectName(family, table, chain),
  });
}

export interface ChainOfRules extends InFamily {
  readonly table: string;
  readonly chain: string;
}

/** The rules of a chain, in order, to be dumped. None if the chain does not exist. */
export function getRules({ family, table, chain }: ChainOfRules): NetlinkRequest<Rule> {
  return nftablesRequest<Rule>({
    message: NFT_MSG_GETRULE,
    family,
    flags: 0,
    attributes: ruleTable.encode({ table, chain }),
    operation: "list nftables rules of",
    object: objectName(family, table, chain),
    decodeReply: (reply) => decodeObject(ruleTable, reply),
    accepts: (rule) => rule.table === table && rule.chain === chain,
  });
}

export interface RuleKey extends ChainOfRules {
  readonly handle: bigint;
}

/** Deletes one rule; ENOENT if there is none. */
export function deleteRule(key: RuleKey): NetlinkRequest {
  return removal(NFT_MSG_DELRULE, key);
}

/** Deletes all rules of a chain; ENOENT if there is no such chain. */
export function flushChain(key: ChainOfRules): NetlinkRequest {
  return removal(NFT_MSG_DELRULE, key);
}

function removal(message: number, key: ChainOfRules & { readonly handle?: bigint }): NetlinkRequest {
  const { family, table, chain, handle } = key;
  return nftablesRequest({
    message,
    family,
    flags: 0,
    attributes: ruleTable.encode({ table, chain, handle }),
    operation: handle === undefined ? "flush nftables chain" : `delete nftables rule ${handle} of`,
    object: objectName(family, table, chain),
  });
}
