/** Isolation of networks from one another: the verbs. What they make is described in `firewall-isolation-plan.ts`. */
import { FairleadError } from "../../../errors.ts";
import { deleteChain, newChain } from "../../../netlink/nftables/chain.ts";
import { deleteElements, type Element, element, newElements } from "../../../netlink/nftables/element.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { flushChain, newRule } from "../../../netlink/nftables/rule.ts";
import { deleteSet, newSet } from "../../../netlink/nftables/set.ts";
import { deleteTable, newTable } from "../../../netlink/nftables/table.ts";
import { decodeComment, NFTNL_UDATA_SET_ELEM_COMMENT } from "../../../netlink/nftables/userdata.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";
import { checkFirewall } from "../check.ts";
import { INSIDE, TABLE } from "../table.ts";
import { type IsolationSpec, isIsolationInPlace, isolationComment } from "./in-place.ts";
import { type IsolationChainPlan, isolationElements, SETS, type SetElements } from "./plan.ts";
import { type ChainState, type IsolationState, readIsolation } from "./state.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/**
 * Keeps the network apart from all others that are isolated, in both families.
 *
 * Idempotent, and safe when many processes do it at once. Gateways are added to those that the network has: containers of
 * one network may have different ones. What was there for it with another bridge or other wishes is replaced in the same
 * transaction. When it fails, nothing was changed.
 *
 * @throws FairleadError in-use when another network has the bridge, or somebody else's set or chain has a name of ours;
 *   invalid-config, kernel-refused, unavailable.
 */
export function ensureIsolation(nft: NFTables, spec: IsolationSpec): void {
  if (isIsolationInPlace(nft, spec)) return;
  isolationComment(spec);
  nft.update(`isolate network ${spec.networkName}`, () => {
    const state = readIsolation(nft);
    const others = withoutNetworks(state.networks, [spec]);
    refuseSharedBridge(spec, others);
    const held = state.networks.find(({ networkName }) => networkName === spec.networkName);
    return requestsToReach(state, [...others, withHeldGateways(spec, held)]);
  });
}

function withHeldGateways(wanted: IsolationSpec, held: IsolationSpec | undefined): IsolationSpec {
  if (held?.bridge !== wanted.bridge) return wanted;
  return { ...wanted, gateways: [...wanted.gateways, ...held.gateways] };
}

/**
 * Like {@link ensureIsolation}, of several networks at once, but looks at every element and every rule, and takes away
 * gateways that are in no spec. One transaction if something is wrong, none otherwise. A network whose bridge another one
 * has is left out.
 *
 * @returns whether something was wrong.
 * @throws FairleadError in-use when somebody else's set or chain has a name of ours; kernel-refused, unavailable.
 */
export function repairIsolation(nft: NFTables, specs: readonly IsolationSpec[]): boolean {
  let wasWrong = false;
  nft.update("repair isolation of networks", () => {
    const requests = requestsToRepair(nft, specs);
    wasWrong = requests.length > 0;
    return requests;
  });
  return wasWrong;
}

function requestsToRepair(nft: NFTables, specs: readonly IsolationSpec[]): Requests {
  const state = readIsolation(nft);
  if (specs.length === 0 && state.networks.length === 0) return [];
  const others = withoutNetworks(state.networks, specs);
  const taken = new Set(others.map(({ bridge }) => bridge));
  return requestsToReach(state, [...others, ...specs.filter(({ bridge }) => !taken.has(bridge))]);
}

function withoutNetworks(held: readonly IsolationSpec[], specs: readonly IsolationSpec[]): IsolationSpec[] {
  const names = new Set(specs.map(({ networkName }) => networkName));
  return held.filter(({ networkName }) => !names.has(networkName));
}

function refuseSharedBridge({ networkName, bridge }: IsolationSpec, others: readonly IsolationSpec[]): void {
  const other = others.find((held) => held.bridge === bridge);
  if (other === undefined) return;
  throw new FairleadError({
    code: "in-use",
    operation: "isolate network",
    object: networkName,
    reason: `network ${other.networkName} is isolated on the same bridge ${bridge}`,
    hint: `give the network a bridge of its own, or remove ${other.networkName}`,
    details: { bridge, otherNetwork: other.networkName },
  });
}

/** From what is there to exactly what these networks need. None when it is there. */
function requestsToReach(state: IsolationState, networks: readonly IsolationSpec[]): Requests {
  const changes = isolationElements(networks).map((wanted) => elementChanges(state, wanted));
  const requests = [
    ...changes.flatMap(({ surplus }) => surplus),
    ...SETS.filter((set) => !state.elements.has(set)).map((set, at) => newSet({ ...set, id: at + 1 })),
    ...[...state.chains].flatMap(([plan, present]) => requestsForChain(plan, present)),
    ...changes.flatMap(({ missing }) => missing),
  ];
  return requests.length === 0 ? [] : [newTable(TABLE), ...requests];
}

function requestsForChain({ name, base, rules }: IsolationChainPlan, present: ChainState): Requests {
  if (present === "in place") return [];
  return [
    present === "missing"
      ? newChain({ ...INSIDE, name, ...(base && { base }) })
      : flushChain({ ...INSIDE, chain: name }),
    ...rules.map((expressions) => newRule({ ...INSIDE, chain: name, expressions })),
  ];
}

interface ElementChanges {
  /** Takes away what should not be there. */
  readonly surplus: Requests;
  readonly missing: Requests;
}

function elementChanges(state: IsolationState, { set, elements }: SetElements): ElementChanges {
  const present = state.elements.get(set) ?? [];
  const wanted = elements.map(element);
  const there = new Set(present.map(identityOf));
  const due = new Set(wanted.map(identityOf));
  const key = { ...INSIDE, set: set.name };
  const surplus = present.filter((one) => !due.has(identityOf(one)));
  const missing = wanted.filter((one) => !there.has(identityOf(one)));
  return {
    surplus: surplus.length === 0 ? [] : [deleteElements(key, surplus.map(keyOnly))],
    missing: missing.length === 0 ? [] : [newElements(key, missing)],
  };
}

/** Key and comment: an element with another comment is taken away and made anew. */
function identityOf({ key, userdata }: Element): string {
  return `${key?.value} ${decodeComment(userdata, NFTNL_UDATA_SET_ELEM_COMMENT) ?? ""}`;
}

function keyOnly({ key }: Element): Element {
  return element({ key: key?.value ?? new Uint8Array(0) });
}

/**
 * Takes back what {@link ensureIsolation} made for the network; with the last network, everything that isolation made,
 * and the table if nothing else is in it. Idempotent.
 *
 * Closing the connection's socket takes some 13 ms afterwards, if something was there.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeIsolation(nft: NFTables, networkName: string): void {
  nft.update(`end isolation of network ${networkName}`, () => {
    const state = readIsolation(nft);
    const others = state.networks.filter((held) => held.networkName !== networkName);
    if (others.length === state.networks.length) return [];
    return others.length > 0 ? requestsToReach(state, others) : requestsToForgetAll(state);
  });
}

function requestsToForgetAll(state: IsolationState): Requests {
  const chains = [...state.chains].filter(([, present]) => present !== "missing").map(([plan]) => plan);
  const sets = [...state.elements.keys()];
  if (state.objectsInTable === chains.length + sets.length) return [deleteTable(TABLE)];
  // What refers to something goes before it: rules before the chains that they go to, and before sets.
  return [
    ...chains.map(({ name }) => flushChain({ ...INSIDE, chain: name })),
    ...chains.map(({ name }) => deleteChain({ ...INSIDE, name })),
    ...sets.map(({ family, table, name }) => deleteSet({ family, table, name })),
  ];
}

/**
 * The networks that are isolated, in no particular order.
 * @throws FairleadError in-use, kernel-refused, unavailable.
 */
export function listIsolation(nft: NFTables): readonly IsolationSpec[] {
  return nft.read("list isolated networks", () => readIsolation(nft).networks);
}

/**
 * Makes sure that the network is isolated as `spec` says, down to every expression of every rule.
 *
 * @throws FairleadError check-failed, which says what is missing or different; in-use, invalid-config, kernel-refused,
 *   unavailable.
 */
export function checkIsolation(nft: NFTables, spec: IsolationSpec): void {
  const check = {
    operation: "check isolation of network",
    object: spec.networkName,
    table: "inet fairlead",
    remedy: "the agent mends it, or attach a container again",
  };
  checkFirewall(nft, check, () => problemWith(readIsolation(nft), spec));
}

function problemWith(state: IsolationState, spec: IsolationSpec): string | null {
  const lacking = isolationElements([spec]).find(({ set, elements }) => {
    const there = new Set((state.elements.get(set) ?? []).map(identityOf));
    return elements.some((wanted) => !there.has(identityOf(element(wanted))));
  });
  if (lacking) return `set ${lacking.set.name} lacks what the network needs`;
  const broken = [...state.chains].find(([, present]) => present !== "in place");
  return broken ? `chain ${broken[0].name} is ${broken[1]}` : null;
}
