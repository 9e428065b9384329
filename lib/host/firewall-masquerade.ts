/** Masquerading of networks: the verbs. What they make is described in `firewall-masquerade-plan.ts`. */
import { formatPrefix, prefixesOverlap } from "../addr/prefix.ts";
import { FairleadError } from "../errors.ts";
import { deleteChain, newChain } from "../netlink/nftables/chain.ts";
import { deleteElements, newElements } from "../netlink/nftables/element.ts";
import type { Expression } from "../netlink/nftables/expr/expression.ts";
import { type IntervalSpec, intervalElements } from "../netlink/nftables/interval.ts";
import type { NFTables } from "../netlink/nftables/nftables.ts";
import { newRule } from "../netlink/nftables/rule.ts";
import { deleteSet, newSet, type SetSpec } from "../netlink/nftables/set.ts";
import { deleteTable, newTable } from "../netlink/nftables/table.ts";
import type { NetlinkRequest } from "../netlink/request.ts";
import {
  isChainOf,
  isMasqueradeInPlace,
  type MasqueradeSpec,
  TABLE,
} from "./firewall-masquerade-in-place.ts";
import {
  allLanes,
  type BaseChainPlan,
  chainKey,
  FORWARD,
  type Lane,
  type MasqueradeEntry,
  type MasqueradePlan,
  POSTROUTING,
  planBaseChains,
  planMasquerade,
} from "./firewall-masquerade-plan.ts";
import {
  chainsOf,
  keyText,
  type LaneEntry,
  type MasqueradeState,
  type NetworkChain,
  readMasquerade,
  readRules,
  withHeldPrefixes,
} from "./firewall-masquerade-state.ts";
import { holds } from "./firewall-rules-compare.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/**
 * Masquerades what leaves the network, in either family: packets from its prefixes to anywhere but its prefixes and
 * multicast get the address of the link that they leave by.
 *
 * Idempotent, and safe when many processes do it at once. Prefixes are added to those that the network has on the same
 * bridge: containers of one network may be in different subnets of it. What was there for it on another bridge, or without
 * one, is replaced in the same transaction.
 *
 * @throws FairleadError subnet-overlap when another network has one of the prefixes on the same bridge (or, both
 *   without one, at all); invalid-config, kernel-refused, unavailable.
 */
export function ensureMasquerade(nft: NFTables, spec: MasqueradeSpec): void {
  if (isMasqueradeInPlace(nft, spec)) return;
  planMasquerade(spec);
  nft.update(`ensure masquerading of network ${spec.networkName}`, () => requestsToEnsure(nft, spec));
}

function requestsToEnsure(nft: NFTables, spec: MasqueradeSpec): Requests {
  const state = readMasquerade(nft);
  const plan = planMasquerade(withHeldPrefixes(spec, state));
  const present = state.chains.find(({ name }) => name === plan.chain.name);
  if (isChainOf(plan, present)) return [];
  const stale = chainsOf(state, plan.networkName);
  for (const entry of plan.entries) refuseOverlap(entry, state, stale);
  return [
    ...requestsForTable(nft, plan, state),
    ...requestsToForget(state, stale),
    ...requestsForNetwork(plan),
  ];
}

function refuseOverlap(entry: MasqueradeEntry, state: MasqueradeState, stale: readonly NetworkChain[]): void {
  const { prefix, bridge } = entry;
  const other = state.entries.find(
    (held) =>
      held.lane === entry.lane &&
      held.bridge === bridge &&
      prefixesOverlap(held.prefix, prefix) &&
      !stale.some(({ name }) => name === held.chain),
  );
  if (other === undefined) return;
  const owner =
    state.networks.find(({ name }) => name === other.chain)?.networkName ?? `chain ${other.chain}`;
  const where = bridge === undefined ? "" : ` on bridge ${bridge}`;
  throw new FairleadError({
    code: "subnet-overlap",
    operation: "masquerade prefix",
    object: formatPrefix(prefix),
    reason: `network ${owner} masquerades ${formatPrefix(other.prefix)}${where} already`,
    hint: "give the network another subnet, or a bridge of its own",
    details: { prefix: formatPrefix(prefix), otherPrefix: formatPrefix(other.prefix), otherNetwork: owner },
  });
}

/** The table, its base chains, and the lanes that the plan needs, as far as they are not there. */
function requestsForTable(nft: NFTables, { entries }: MasqueradePlan, state: MasqueradeState): Requests {
  const lanes = allLanes().filter(
    (lane) => state.sets.has(lane.map.name) || entries.some((entry) => entry.lane === lane),
  );
  const sets = lanes.flatMap(({ map, set }) => [map, set]).filter(({ name }) => !state.sets.has(name));
  return [
    newTable(TABLE),
    ...sets.map((set, at) => newSet({ ...set, id: at + 1 })),
    ...planBaseChains(lanes).flatMap((plan) => requestsForBaseChain(nft, state, plan)),
  ];
}

function requestsForBaseChain(
  nft: NFTables,
  state: MasqueradeState,
  { chain, rules }: BaseChainPlan,
): Requests {
  const exists = state.chains.some(({ name }) => name === chain.name);
  const present = exists ? readRules(nft, chain.name) : [];
  const missing = rules.filter((rule) => !present.some((held) => holds(held, rule)));
  return [...(exists ? [] : [newChain(chain)]), ...missing.map((rule) => ruleOf(chain.name, rule))];
}

function ruleOf(chain: string, expressions: readonly Expression[]): NetlinkRequest {
  return newRule({ family: TABLE.family, table: TABLE.name, chain, expressions });
}

/** The network's chain with its rules, and its prefixes. */
function requestsForNetwork({ chain, rules, entries }: MasqueradePlan): Requests {
  return [
    newChain(chain),
    ...rules.map((rule) => ruleOf(chain.name, rule)),
    ...changeLanes(entries, (lane) => lane.map, newElements),
    ...changeLanes(entries.map(keyOnly), (lane) => lane.set, newElements),
  ];
}

function keyOnly({ lane, interval: { key, keyEnd } }: LaneChange): LaneChange {
  return { lane, interval: { key, keyEnd } };
}

/** Takes back chains of networks, what points to them, and keys of sets that belong to no network then. */
function requestsToForget({ entries, keys }: MasqueradeState, chains: readonly NetworkChain[]): Requests {
  const names = new Set(chains.map(({ name }) => name));
  const isForgotten = ({ chain }: LaneEntry) => names.has(chain);
  const remaining = new Set(entries.filter((entry) => !isForgotten(entry)).map(keyText));
  const orphans = keys.filter((key) => !remaining.has(keyText(key)));
  return [
    ...changeLanes(entries.filter(isForgotten), (lane) => lane.map, deleteElements),
    ...changeLanes(orphans, (lane) => lane.set, deleteElements),
    ...chains.map(({ name }) => deleteChain(chainKey(name))),
  ];
}

interface LaneChange {
  readonly lane: Lane;
  readonly interval: IntervalSpec;
}

/** One request for each map, or each set, that `changes` touch. */
function changeLanes(
  changes: readonly LaneChange[],
  setOf: (lane: Lane) => SetSpec,
  change: typeof newElements,
): Requests {
  return allLanes().flatMap((lane) => {
    const intervals = changes.filter((each) => each.lane === lane).map(({ interval }) => interval);
    const set = setOf(lane);
    const elements = intervals.flatMap((interval) => intervalElements(set, interval));
    if (elements.length === 0) return [];
    return [change({ family: set.family, table: set.table, set: set.name }, elements)];
  });
}

/**
 * Takes back what {@link ensureMasquerade} made for the network; with the last network, everything that
 * masquerading made, and the table if nothing else is in it. Idempotent.
 *
 * Closing the connection's socket takes some 13 ms afterwards, if something was there.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeMasquerade(nft: NFTables, networkName: string): void {
  nft.update(`remove masquerading of network ${networkName}`, () => {
    const state = readMasquerade(nft);
    const chains = chainsOf(state, networkName);
    if (chains.length === 0) return [];
    return chains.length < state.networks.length
      ? requestsToForget(state, chains)
      : requestsToForgetAll(state, chains);
  });
}

function requestsToForgetAll(state: MasqueradeState, chains: readonly NetworkChain[]): Requests {
  const bases = [POSTROUTING, FORWARD].filter((base) => state.chains.some(({ name }) => name === base.name));
  const sets = allLanes()
    .flatMap(({ map, set }) => [map, set])
    .filter(({ name }) => state.sets.has(name));
  if (state.objectsInTable === chains.length + bases.length + sets.length) return [deleteTable(TABLE)];
  // What refers to something goes before it: rules before sets, elements before chains.
  return [
    ...bases.map(deleteChain),
    ...sets.map(deleteSet),
    ...chains.map(({ name }) => deleteChain(chainKey(name))),
  ];
}

/**
 * The networks that are masqueraded, in no particular order.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function listMasquerade(nft: NFTables): MasqueradeSpec[] {
  const { networks, entries } = nft.read("list masqueraded networks", () => readMasquerade(nft));
  return networks.map(({ name, networkName }) => {
    const own = entries.filter(({ chain }) => chain === name);
    const bridge = own.find((entry) => entry.bridge !== undefined)?.bridge;
    const prefixes = own.map(({ prefix }) => prefix);
    return { networkName, prefixes, ...(bridge !== undefined && { bridge }) };
  });
}
