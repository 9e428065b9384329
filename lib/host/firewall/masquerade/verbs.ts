/** Masquerading of networks: the verbs. What they make is described in `firewall-masquerade-plan.ts`. */
import { formatPrefix, prefixEquals, prefixesOverlap } from "../../../addr/prefix.ts";
import { FairleadError } from "../../../errors.ts";
import { deleteChain, newChain } from "../../../netlink/nftables/chain.ts";
import { deleteElements, newElements } from "../../../netlink/nftables/element.ts";
import { verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { type IntervalSpec, intervalElements } from "../../../netlink/nftables/interval.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { newRule } from "../../../netlink/nftables/rule.ts";
import { deleteSet, newSet, type SetSpec } from "../../../netlink/nftables/set.ts";
import { deleteTable, newTable } from "../../../netlink/nftables/table.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";
import { holds } from "../rules-compare.ts";
import { INSIDE, TABLE } from "../table.ts";
import { isChainOf, isMasqueradeInPlace, type MasqueradeSpec, masqueradeIdentity } from "./in-place.ts";
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
} from "./plan.ts";
import {
  chainsOf,
  keyText,
  type LaneEntry,
  type MasqueradeState,
  type NetworkChain,
  readMasquerade,
  readRules,
  withHeldPrefixes,
} from "./state.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/**
 * Masquerades what leaves the network, in either family: packets from its prefixes to anywhere but its prefixes and
 * multicast get the address of the link that they leave by.
 *
 * Idempotent, and safe when many processes do it at once. Prefixes are added to those that the network has on the same
 * bridge: containers of one network may be in different subnets of it. What was there for it on another bridge, or without
 * one, is replaced in the same transaction.
 *
 * Where another network has the very same prefix on the same bridge, its packets are masqueraded already. Then the network gets its
 * chain alone, which takes the prefix over in the transaction that removes the other network.
 *
 * @throws FairleadError subnet-overlap when another network has a prefix that overlaps one of these on the same bridge (or, both
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
  const stale = chainsOf(state, plan.networkName);
  const others = state.entries.filter(({ chain }) => !stale.some(({ name }) => name === chain));
  const own = plan.entries.filter((entry) => !others.some((other) => servesAlso(other, entry)));
  if (isChainOf({ ...plan, elements: own.length }, present)) return [];
  for (const entry of own) refuseOverlap(entry, state, others);
  return [
    ...requestsForTable(nft, plan, state),
    ...requestsToForget(state, stale, plan.entries),
    ...requestsForNetwork({ ...plan, entries: own }),
  ];
}

/** The same prefix on the same bridge. Without a bridge nobody can tell whose packets they are. */
function servesAlso(other: LaneEntry, { lane, prefix, bridge }: MasqueradeEntry): boolean {
  return (
    bridge !== undefined &&
    other.lane === lane &&
    other.bridge === bridge &&
    prefixEquals(other.prefix, prefix)
  );
}

function refuseOverlap(entry: MasqueradeEntry, state: MasqueradeState, others: readonly LaneEntry[]): void {
  const { prefix, bridge } = entry;
  const other = others.find(
    (held) => held.lane === entry.lane && held.bridge === bridge && prefixesOverlap(held.prefix, prefix),
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
  return newRule({ ...INSIDE, chain, expressions });
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

/**
 * Takes back chains of networks, what points to them, and keys of sets that belong to no network then. A prefix that another network
 * on the bridge has, too, goes over to that one, unless it is made anew.
 */
function requestsToForget(
  state: MasqueradeState,
  chains: readonly NetworkChain[],
  madeAnew: readonly MasqueradeEntry[] = [],
): Requests {
  const { entries, keys } = state;
  const names = new Set(chains.map(({ name }) => name));
  const isForgotten = ({ chain }: LaneEntry) => names.has(chain);
  const forgotten = entries.filter(isForgotten);
  const anew = new Set(madeAnew.map(keyText));
  const heirs = state.networks.filter(({ name }) => !names.has(name));
  const passedOn = forgotten
    .filter((entry) => !anew.has(keyText(entry)))
    .flatMap((entry) => inherited(entry, heirs, forgotten));
  const remaining = new Set([...entries.filter((entry) => !isForgotten(entry)), ...passedOn].map(keyText));
  const orphans = keys.filter((key) => !remaining.has(keyText(key)));
  return [
    ...changeLanes(forgotten, (lane) => lane.map, deleteElements),
    ...changeLanes(passedOn, (lane) => lane.map, newElements),
    ...changeLanes(orphans, (lane) => lane.set, deleteElements),
    ...chains.map(({ name }) => deleteChain(chainKey(name))),
  ];
}

/** What a network without entries of its own shares: the prefixes of another one's chain, on the bridge that its chain is named after. */
function entriesShared(network: NetworkChain, entries: readonly LaneEntry[]): readonly LaneEntry[] {
  const groups = Map.groupBy(entries, ({ chain, bridge = "" }) => `${chain} ${bridge}`);
  const isShared = ([first, ...rest]: readonly LaneEntry[]) =>
    first?.bridge !== undefined && isNamedAfter(network, [first, ...rest], first.bridge);
  return [...groups.values()].find(isShared) ?? [];
}

function isNamedAfter(
  { name, networkName }: NetworkChain,
  entries: readonly LaneEntry[],
  bridge: string,
): boolean {
  const prefixes = entries.map(({ prefix }) => prefix);
  return masqueradeIdentity({ networkName, prefixes, bridge }).chainName === name;
}

/** The entry with the chain of a network that has all of `forgotten` on this bridge, too: its chain's name says so. */
function inherited(
  { lane, bridge, interval }: LaneEntry,
  heirs: readonly NetworkChain[],
  forgotten: readonly LaneEntry[],
): LaneChange[] {
  if (bridge === undefined) return [];
  const onBridge = forgotten.filter((entry) => entry.bridge === bridge);
  const heir = heirs.find((network) => isNamedAfter(network, onBridge, bridge));
  if (heir === undefined) return [];
  const { key, keyEnd } = interval;
  return [{ lane, interval: { key, keyEnd, verdict: verdict.goto(heir.name) } }];
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
  return networks.map((network) => {
    const { name, networkName } = network;
    const led = entries.filter(({ chain }) => chain === name);
    const own = led.length > 0 ? led : entriesShared(network, entries);
    const bridge = own.find((entry) => entry.bridge !== undefined)?.bridge;
    const prefixes = own.map(({ prefix }) => prefix);
    return { networkName, prefixes, ...(bridge !== undefined && { bridge }) };
  });
}
