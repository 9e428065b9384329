/** Masquerading of a network compared with what the kernel has: CNI CHECK. */
import { formatPrefix } from "../../../addr/prefix.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { checkFirewall } from "../check.ts";
import { holds } from "../rules-compare.ts";
import type { MasqueradeSpec } from "./in-place.ts";
import {
  allLanes,
  type BaseChainPlan,
  type MasqueradeEntry,
  type MasqueradePlan,
  planBaseChains,
  planMasquerade,
} from "./plan.ts";
import { isSameKey, type MasqueradeState, readMasquerade, readRules, withHeldPrefixes } from "./state.ts";

/**
 * Makes sure that the network is masqueraded as `spec` says, down to every expression of every rule.
 *
 * @throws FairleadError check-failed, which says what is missing or different; invalid-config, kernel-refused,
 *   unavailable.
 */
export function checkMasquerade(nft: NFTables, spec: MasqueradeSpec): void {
  planMasquerade(spec);
  const check = {
    operation: "check masquerading of network",
    object: spec.networkName,
    table: "inet fairlead",
    remedy: "remove the network's masquerading and attach a container again",
  };
  checkFirewall(nft, check, () => problemWith(nft, spec));
}

function problemWith(nft: NFTables, spec: MasqueradeSpec): string | null {
  const state = readMasquerade(nft);
  const plan = planMasquerade(withHeldPrefixes(spec, state));
  if (!state.chains.some(({ name }) => name === plan.chainName)) return `chain ${plan.chainName} is missing`;
  return rulesProblem(nft, plan) ?? entriesProblem(plan, state) ?? baseChainsProblem(nft, plan, state);
}

function rulesProblem(nft: NFTables, { chainName, rules }: MasqueradePlan): string | null {
  const found = readRules(nft, chainName);
  const same = found.length === rules.length && rules.every((rule, at) => holds(found[at] ?? [], rule));
  return same ? null : `chain ${chainName} has other rules than it should`;
}

function entriesProblem({ chainName, entries }: MasqueradePlan, state: MasqueradeState): string | null {
  // Of two networks with one prefix on one bridge the chain of either will do.
  const chains = new Set([chainName, ...state.networks.map(({ name }) => name)]);
  const isInMap = (entry: MasqueradeEntry) =>
    state.entries.some((held) => chains.has(held.chain) && isSameKey(held, entry));
  const isInSet = (entry: MasqueradeEntry) => state.keys.some((held) => isSameKey(held, entry));
  const unmapped = entries.find((entry) => !isInMap(entry));
  if (unmapped) return `map ${unmapped.lane.map.name} lacks ${formatPrefix(unmapped.prefix)}`;
  const unlisted = entries.find((entry) => !isInSet(entry));
  return unlisted ? `set ${unlisted.lane.set.name} lacks ${formatPrefix(unlisted.prefix)}` : null;
}

function baseChainsProblem(
  nft: NFTables,
  { entries }: MasqueradePlan,
  state: MasqueradeState,
): string | null {
  const lanes = allLanes().filter((lane) => entries.some((entry) => entry.lane === lane));
  const problems = planBaseChains(lanes).map((plan) => baseChainProblem(nft, state, plan));
  return problems.find((problem) => problem !== null) ?? null;
}

function baseChainProblem(
  nft: NFTables,
  state: MasqueradeState,
  { chain, rules }: BaseChainPlan,
): string | null {
  const { name, base } = chain;
  const hook = state.chains.find((found) => found.name === name)?.hook;
  if (hook?.number !== base?.hook || hook?.priority !== base?.priority) {
    return `chain ${name} is missing, or on another hook`;
  }
  const found = readRules(nft, name);
  const complete = rules.every((rule) => found.some((held) => holds(held, rule)));
  return complete ? null : `chain ${name} lacks a rule`;
}
