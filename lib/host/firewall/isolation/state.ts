/** Isolation as the kernel has it: what is read before something is changed. */
import { type Address, addressFromBytes } from "../../../addr/address.ts";
import { FairleadError } from "../../../errors.ts";
import { zstring } from "../../../netlink/attribute.ts";
import { type Chain, getChains } from "../../../netlink/nftables/chain.ts";
import { concatenatedLength, IFNAME } from "../../../netlink/nftables/datatype.ts";
import type { Element } from "../../../netlink/nftables/element.ts";
import { listElements } from "../../../netlink/nftables/elements.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { getRules } from "../../../netlink/nftables/rule.ts";
import {
  getSets,
  NFT_SET_INTERVAL,
  NFT_SET_MAP,
  type NftSet,
  type SetSpec,
} from "../../../netlink/nftables/set.ts";
import { getTable } from "../../../netlink/nftables/table.ts";
import { decodeComment, NFTNL_UDATA_SET_ELEM_COMMENT } from "../../../netlink/nftables/userdata.ts";
import { holds } from "../rules-compare.ts";
import { INSIDE, TABLE } from "../table.ts";
import { type IsolationSpec, networkOfComment } from "./in-place.ts";
import { type IsolationChainPlan, isolationChains, SETS } from "./plan.ts";

export type ChainState = "missing" | "different" | "in place";

export interface IsolationState {
  /** Everything in the table, ours or not; 0 when there is no table. */
  readonly objectsInTable: number;
  /** The elements of each set that is there. */
  readonly elements: ReadonlyMap<SetSpec, readonly Element[]>;
  readonly chains: ReadonlyMap<IsolationChainPlan, ChainState>;
  /** The networks, as far as their elements tell. */
  readonly networks: readonly IsolationSpec[];
}

/**
 * Reads it all, in several requests: consistent only inside `NFTables.update` or `NFTables.read`.
 *
 * @throws in-use when a set or chain of our name is not what it should be: somebody else's.
 */
export function readIsolation(nft: NFTables): IsolationState {
  const present = nft.list(getSets(INSIDE));
  const found = SETS.filter((set) => present.some((other) => isOurs(set, other)));
  const elements = new Map(found.map((set) => [set, listElements(nft, { ...INSIDE, set: set.name })]));
  const chains = nft.list(getChains(INSIDE));
  return {
    objectsInTable: nft.find(getTable(TABLE))?.use ?? 0,
    elements,
    chains: new Map(isolationChains().map((plan) => [plan, chainState(nft, chains, plan)])),
    networks: networksOf(elements),
  };
}

/** Whether `present` is the set, by name. */
function isOurs(set: SetSpec, present: NftSet): boolean {
  if (present.name !== set.name) return false;
  const isAlike =
    present.keyLength === concatenatedLength(set.key) &&
    ((present.flags ?? 0) & (NFT_SET_MAP | NFT_SET_INTERVAL)) === 0;
  if (isAlike) return true;
  throw inTheWay("set", set.name);
}

function chainState(nft: NFTables, chains: readonly Chain[], plan: IsolationChainPlan): ChainState {
  const present = chains.find(({ name }) => name === plan.name);
  if (present === undefined) return "missing";
  const { hook, type } = present;
  const isAlike = hook?.number === plan.base?.hook && hook?.priority === plan.base?.priority;
  if (!isAlike || (plan.base && type !== plan.base.type)) throw inTheWay("chain", plan.name);
  const rules = nft.list(getRules({ ...INSIDE, chain: plan.name }));
  const same =
    rules.length === plan.rules.length &&
    plan.rules.every((rule, at) => holds(rules[at]?.expressions ?? [], rule));
  return same ? "in place" : "different";
}

function inTheWay(kind: string, name: string): FairleadError {
  return new FairleadError({
    code: "in-use",
    operation: `make nftables ${kind}`,
    object: `inet ${TABLE.name} ${name}`,
    reason: `there is a ${kind} of that name that Fairlead did not make`,
    hint: `remove it: nft delete ${kind} inet ${TABLE.name} ${name}`,
  });
}

function networksOf(elements: ReadonlyMap<SetSpec, readonly Element[]>): IsolationSpec[] {
  const of = (name: string) => [...elements].find(([set]) => set.name === name)?.[1] ?? [];
  const internal = new Set(of("isolation-internal-bridges").map(bridgeOf));
  const inside = new Set(of("isolation-inside").map(bridgeOf));
  const closedTo = ([4, 6] as const).map(
    (family) => [family, new Set(of(`isolation-closed${family}`).map(bridgeOf))] as const,
  );
  const own = Map.groupBy([...of("isolation-own4"), ...of("isolation-own6")], bridgeOf);
  return of("isolation-bridges").flatMap((element) => {
    const networkName = networkOfComment(decodeComment(element.userdata, NFTNL_UDATA_SET_ELEM_COMMENT));
    const bridge = bridgeOf(element);
    if (networkName === null) return [];
    const gateways = (own.get(bridge) ?? []).map(gatewayOf);
    const closed = closedTo.filter(([, bridges]) => bridges.has(bridge)).map(([family]) => family);
    const flags = { internal: internal.has(bridge), separate: !inside.has(bridge) };
    return [{ networkName, bridge, gateways, ...flags, ...(closed.length > 0 && { closed }) }];
  });
}

function keyOf({ key }: Element): Uint8Array {
  return key?.value ?? new Uint8Array(0);
}

/** The first field of the key. */
function bridgeOf(element: Element): string {
  return zstring.decode(keyOf(element).subarray(0, IFNAME.length));
}

/** The second field of the key. */
function gatewayOf(element: Element): Address {
  return addressFromBytes(keyOf(element).slice(IFNAME.length));
}
