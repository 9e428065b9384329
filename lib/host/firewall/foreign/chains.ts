/** Base chains of somebody else's on the way of packets to and from containers, as the kernel has them. */
import {
  type Chain,
  getAllChains,
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
} from "../../../netlink/nftables/chain.ts";
import { listElements } from "../../../netlink/nftables/elements.ts";
import { NF_ACCEPT } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { familyName, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from "../../../netlink/nftables/message.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { getRules, type Rule } from "../../../netlink/nftables/rule.ts";
import { getSet, NFT_SET_INTERVAL, NFT_SET_TIMEOUT } from "../../../netlink/nftables/set.ts";
import { decodeComment } from "../../../netlink/nftables/userdata.ts";
import { TABLE } from "../table.ts";
import { hex, type Ruleset, type SetContent } from "./verdict.ts";

const FAMILIES: ReadonlySet<number> = new Set([NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6]);
/** A table with more rules is judged by its policies alone: to read it would take longer than names may wait. */
const MOST_RULES = 2_000;
/** How the comments of our rules in chains of others begin. */
export const OWN_COMMENT = "fairlead: ";

export interface ForeignChain {
  readonly family: number;
  readonly table: string;
  readonly name: string;
  readonly hook: "input" | "forward";
  /** NF_ACCEPT or NF_DROP. */
  readonly policy: number;
  /** Whether iptables must be able to list it: then only what it knows may be put in. */
  readonly isOfIptables: boolean;
}

/** `inet filter input`, as nft writes it. */
export function chainText({ family, table, name }: Pick<ForeignChain, "family" | "table" | "name">): string {
  return `${familyName(family)} ${table} ${name}`;
}

/** Those on the hooks `input` and `forward` that are not Fairlead's, in no particular order. */
export function listForeignChains(nft: NFTables): ForeignChain[] {
  return nft.list(getAllChains()).flatMap((chain) => foreignChain(chain) ?? []);
}

function foreignChain({ family, table = "", name = "", hook, policy, type }: Chain): ForeignChain | null {
  const isOurs = table === TABLE.name && family === TABLE.family;
  const hookName = HOOKS.get(hook?.number ?? -1);
  if (isOurs || type !== "filter" || hookName === undefined || !FAMILIES.has(family)) return null;
  const isOfIptables = family !== NFPROTO_INET && table === "filter" && name === hookName.toUpperCase();
  return { family, table, name, hook: hookName, policy: policy ?? NF_ACCEPT, isOfIptables };
}

const HOOKS: ReadonlyMap<number, ForeignChain["hook"]> = new Map([
  [NF_INET_LOCAL_IN, "input"],
  [NF_INET_FORWARD, "forward"],
]);

/** What our rules in chains of others say that they are for; null for rules of others. */
export function ownPurpose({ userdata }: Pick<Rule, "userdata">): string | null {
  const comment = decodeComment(userdata);
  return comment?.startsWith(OWN_COMMENT) ? comment.slice(OWN_COMMENT.length) : null;
}

/** The rules around one chain, read when they are first asked for. */
export class KernelRuleset implements Ruleset {
  readonly #nft: NFTables;
  readonly #table: Pick<ForeignChain, "family" | "table">;
  readonly #chains = new Map<string, readonly Rule[]>();
  readonly #sets = new Map<string, SetContent>();
  readonly #withOwn: boolean;
  #rules = 0;

  /** @param withOwn whether our own rules count. */
  constructor(nft: NFTables, table: Pick<ForeignChain, "family" | "table">, withOwn: boolean) {
    this.#nft = nft;
    this.#table = table;
    this.#withOwn = withOwn;
  }

  rulesOf(chain: string): readonly (readonly Expression[])[] {
    if (this.#rules > MOST_RULES) return [];
    const rules = this.#chains.get(chain) ?? this.#read(chain);
    return rules
      .filter((rule) => this.#withOwn || ownPurpose(rule) === null)
      .map(({ expressions = [] }) => expressions);
  }

  setOf(name: string): SetContent {
    const known = this.#sets.get(name);
    if (known !== undefined) return known;
    const content = this.#readSet(name);
    this.#sets.set(name, content);
    return content;
  }

  #read(chain: string): readonly Rule[] {
    const rules = this.#nft.list(getRules({ ...this.#table, chain }));
    this.#rules += rules.length;
    this.#chains.set(chain, rules);
    return rules;
  }

  #readSet(name: string): SetContent {
    const { family, table } = this.#table;
    const set = this.#nft.find(getSet({ family, table, name }));
    if (set === undefined || ((set.flags ?? 0) & (NFT_SET_INTERVAL | NFT_SET_TIMEOUT)) !== 0) return null;
    const elements = listElements(this.#nft, { family, table, set: name });
    return new Map(
      elements.map(({ key, data }) => [hex(key?.value ?? new Uint8Array(0)), data?.verdict ?? null]),
    );
  }
}
