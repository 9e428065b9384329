/**
 * Rules of ours in firewalls of others: what containers need is let through where it would be dropped. The verbs.
 *
 * A packet passes every base chain of a hook, and one that drops it is enough; so acceptance must be in the chain that drops. Our rules are
 * at its beginning, have a comment by which they are known, and go when the chain needs them no more. What they are: foreign-accept-plan.ts.
 */
import { Attempts } from "../../../attempts.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { deleteRule, getRules, insertRule, type Rule } from "../../../netlink/nftables/rule.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";
import {
  chainText,
  type ForeignChain,
  KernelRuleset,
  listForeignChains,
  OWN_COMMENT,
  ownPurpose,
} from "./chains.ts";
import { familiesOf, type LinkPattern, lineFor, NEEDS, type Need, rulesFor } from "./plan.ts";
import { type Outcome, outcomeOf } from "./verdict.ts";

/** A chain of somebody else's that drops what containers need. */
export interface Obstacle {
  readonly chain: ForeignChain;
  readonly outcome: Exclude<Outcome, "accepts">;
  /** What does not work. */
  readonly purposes: readonly string[];
  /** What would let it through, as one types it. */
  readonly lines: readonly string[];
}

interface Blocked {
  readonly need: Need;
  readonly pattern: LinkPattern;
  readonly outcome: Exclude<Outcome, "accepts">;
}

/** @throws FairleadError kernel-refused */
export function findObstacles(nft: NFTables, patterns: readonly LinkPattern[]): Obstacle[] {
  if (patterns.length === 0) return [];
  return listForeignChains(nft).flatMap((chain) => {
    const blocked = blockedIn(nft, chain, { patterns, withOwn: true });
    return blocked.length === 0 ? [] : [obstacleOf(chain, blocked)];
  });
}

/**
 * Makes our rules in every chain what they must be: there where the chain would drop without them, and nowhere else. Idempotent; one
 * transaction a chain, and none where all is well.
 *
 * @returns the chains that were changed. @throws FairleadError of all that could not be changed.
 */
export function ensureAccepted(nft: NFTables, patterns: readonly LinkPattern[]): string[] {
  const attempts = new Attempts();
  const changed: string[] = [];
  for (const chain of listForeignChains(nft)) {
    attempts.run(() => {
      if (changeChain(nft, chain, patterns)) changed.push(chainText(chain));
    });
  }
  attempts.throwIfFailed("let containers through", "firewalls of others");
  return changed;
}

/** Takes all our rules out of chains of others. Idempotent. Returns the chains that had some. */
export function removeAccepted(nft: NFTables): string[] {
  return ensureAccepted(nft, []);
}

function changeChain(nft: NFTables, chain: ForeignChain, patterns: readonly LinkPattern[]): boolean {
  let isChanged = false;
  nft.update(`let containers through chain ${chainText(chain)}`, () => {
    const requests = requestsFor(nft, chain, patterns);
    isChanged = requests.length > 0;
    return requests;
  });
  return isChanged;
}

function requestsFor(
  nft: NFTables,
  chain: ForeignChain,
  patterns: readonly LinkPattern[],
): readonly NetlinkRequest<unknown>[] {
  const blocked = blockedIn(nft, chain, { patterns, withOwn: false });
  const wanted = new Map(
    blocked
      .flatMap(({ need, pattern }) => rulesFor(need, chain, pattern))
      .map((rule) => [rule.comment, rule]),
  );
  const { family, table, name } = chain;
  const place = { family, table, chain: name };
  const own = nft.list(getRules(place)).filter((rule) => ownPurpose(rule) !== null);
  if (
    isAsWanted(own, wanted) &&
    (own.length === 0 || blockedIn(nft, chain, { patterns, withOwn: true }).length === 0)
  )
    return [];
  return [
    ...own.map(({ handle = 0n }) => deleteRule({ ...place, handle })),
    ...[...wanted]
      .reverse()
      .map(([comment, rule]) => insertRule({ ...place, ...rule, comment: `${OWN_COMMENT}${comment}` })),
  ];
}

function isAsWanted(own: readonly Rule[], wanted: ReadonlyMap<string, unknown>): boolean {
  return own.length === wanted.size && own.every((rule) => wanted.has(ownPurpose(rule) ?? ""));
}

function blockedIn(
  nft: NFTables,
  chain: ForeignChain,
  { patterns, withOwn }: { readonly patterns: readonly LinkPattern[]; readonly withOwn: boolean },
): Blocked[] {
  const ruleset = new KernelRuleset(nft, chain, withOwn);
  const base = { chain: chain.name, policy: chain.policy };
  return patterns.flatMap((pattern) =>
    NEEDS.filter(({ hook }) => hook === chain.hook).flatMap((need): Blocked[] => {
      const outcomes = familiesOf(need, chain, pattern).map((family) =>
        outcomeOf(ruleset, base, { ...need.packet(pattern.example), family }),
      );
      const outcome = outcomes.find((one) => one === "drops") ?? outcomes.find((one) => one === "may drop");
      return outcome === undefined ? [] : [{ need, pattern, outcome }];
    }),
  );
}

function obstacleOf(chain: ForeignChain, blocked: readonly Blocked[]): Obstacle {
  return {
    chain,
    outcome: blocked.some(({ outcome }) => outcome === "drops") ? "drops" : "may drop",
    purposes: [...new Set(blocked.map(({ need }) => need.purpose))],
    lines: [...new Set(blocked.map(({ need, pattern }) => lineFor(need, chain, pattern)))],
  };
}
