/**
 * Taking back rules that another program made with iptables, by the comments that they carry.
 *
 * What iptables-nft writes are chains and rules of nf_tables, in tables `ip nat` and `ip6 nat`. Its match `comment` is one of
 * xtables' own: the text and a NUL, padded. A jump is native.
 *
 * The tables of iptables-legacy are reached by socket options that iptables alone knows the layout of. They stay;
 * {@link hasLegacyNat} tells whether there are any.
 *
 * Source: include/uapi/linux/netfilter/xt_comment.h; iptables 1.8, iptables/nft.c add_match.
 */
import { readFileIfExists } from "../../../linux/files/files.ts";
import { deleteChain } from "../../../netlink/nftables/chain.ts";
import { NFT_GOTO, NFT_JUMP } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6 } from "../../../netlink/nftables/message.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { deleteRule, flushChain, getRules, type Rule } from "../../../netlink/nftables/rule.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";

const TABLE = "nat";
const FAMILIES = [NFPROTO_IPV4, NFPROTO_IPV6] as const;

/** Rules to look for, and what may go with them. */
export interface CommentedRules {
  /** Chains of table `nat` that hold them. */
  readonly chains: readonly string[];
  /** Whole comments. */
  readonly comments: readonly string[];
  /** How the names of chains begin that such rules lead to, and that nobody else uses. */
  readonly ownChains: string;
}

/**
 * Removes the rules, and the chains of their own that they lead to. Returns how many rules there were. Idempotent.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeCommentedRules(nft: NFTables, wanted: CommentedRules): number {
  let removed = 0;
  for (const family of FAMILIES) {
    nft.update(`remove rules of ${wanted.comments[0] ?? ""}`, () => {
      const rules = wanted.chains.flatMap((chain) => nft.list(getRules({ family, table: TABLE, chain })));
      const own = rules.filter((rule) => wanted.comments.some((comment) => carries(rule, comment)));
      removed += own.length;
      return requestsToRemove(family, own, wanted.ownChains);
    });
  }
  return removed;
}

function requestsToRemove(
  family: (typeof FAMILIES)[number],
  rules: readonly Rule[],
  ownChains: string,
): NetlinkRequest[] {
  const targets = new Set(rules.flatMap(targetsOf).filter((chain) => chain.startsWith(ownChains)));
  return [
    ...rules.flatMap(({ chain = "", handle }) =>
      handle === undefined ? [] : [deleteRule({ family, table: TABLE, chain, handle })],
    ),
    ...[...targets].flatMap((chain) => [
      flushChain({ family, table: TABLE, chain }),
      deleteChain({ family, table: TABLE, name: chain }),
    ]),
  ];
}

function targetsOf({ expressions = [] }: Rule): string[] {
  return expressions.flatMap((expression) => {
    if (expression.name !== "immediate") return [];
    const { code, chain } = expression.data?.data?.verdict ?? {};
    return (code === NFT_JUMP || code === NFT_GOTO) && chain !== undefined ? [chain] : [];
  });
}

function carries({ expressions = [] }: Rule, comment: string): boolean {
  return expressions.some((expression) => commentIn(expression) === comment);
}

/** The text of a match `comment`; null for every other expression. */
function commentIn(expression: Expression): string | null {
  if (expression.name !== "match" || expression.data?.name !== "comment") return null;
  const { info = new Uint8Array() } = expression.data;
  const end = info.indexOf(0);
  return new TextDecoder().decode(end < 0 ? info : info.subarray(0, end));
}

/** True when iptables-legacy has made a table `nat` of either family. */
export function hasLegacyNat(): boolean {
  return ["ip_tables_names", "ip6_tables_names"].some((name) => {
    const bytes = readFileIfExists(`/proc/self/net/${name}`);
    return bytes !== null && new TextDecoder().decode(bytes).split("\n").includes(TABLE);
  });
}
