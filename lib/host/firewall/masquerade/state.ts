/** Masquerading as the kernel has it: what is read before something is changed. */
import { type Address, addressBits, addressFromBytes } from "../../../addr/address.ts";
import { type Prefix, prefixOf } from "../../../addr/prefix.ts";
import { zstring } from "../../../netlink/attribute.ts";
import { type Chain, getChains } from "../../../netlink/nftables/chain.ts";
import { IFNAME } from "../../../netlink/nftables/datatype.ts";
import { listElements } from "../../../netlink/nftables/elements.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { type Interval, intervalsOf } from "../../../netlink/nftables/interval.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { getRules } from "../../../netlink/nftables/rule.ts";
import { getSets, type SetSpec } from "../../../netlink/nftables/set.ts";
import { getTable } from "../../../netlink/nftables/table.ts";
import { decodeComment, NFTNL_UDATA_CHAIN_COMMENT } from "../../../netlink/nftables/userdata.ts";
import { INSIDE, TABLE } from "../table.ts";
import { chainNamePrefix, type MasqueradeSpec, NETWORK_CHAIN } from "./in-place.ts";
import { allLanes, type Lane } from "./plan.ts";

/** The chain of one network. */
export interface NetworkChain {
  readonly name: string;
  readonly networkName: string;
}

/** One key, as a lane's set has it. */
interface LaneKey {
  readonly lane: Lane;
  readonly interval: Interval;
}

/** One prefix, as a lane's map has it. */
export interface LaneEntry extends LaneKey {
  readonly prefix: Prefix;
  readonly bridge?: string;
  /** Name of the chain that its packets go to. */
  readonly chain: string;
}

export interface MasqueradeState {
  /** Everything in the table, ours or not; 0 when there is no table. */
  readonly objectsInTable: number;
  readonly chains: readonly Chain[];
  readonly networks: readonly NetworkChain[];
  /** Names of the sets and maps of the table. */
  readonly sets: ReadonlySet<string>;
  readonly entries: readonly LaneEntry[];
  /** What the sets hold: the same as `entries`, if nobody interfered. */
  readonly keys: readonly LaneKey[];
}

/** Reads it all, in several requests: consistent only inside `NFTables.update` or `NFTables.read`. */
export function readMasquerade(nft: NFTables): MasqueradeState {
  const chains = nft.list(getChains(INSIDE));
  const sets = new Set(nft.list(getSets(INSIDE)).map(({ name = "" }) => name));
  return {
    objectsInTable: nft.find(getTable(TABLE))?.use ?? 0,
    chains,
    networks: chains.flatMap(networkChain),
    sets,
    entries: allLanes()
      .filter(({ map }) => sets.has(map.name))
      .flatMap((lane) => readMap(nft, lane)),
    keys: allLanes()
      .filter(({ set }) => sets.has(set.name))
      .flatMap((lane) => readSet(nft, lane)),
  };
}

function networkChain({ name = "", userdata }: Chain): NetworkChain[] {
  const networkName = decodeComment(userdata, NFTNL_UDATA_CHAIN_COMMENT);
  return name.startsWith(NETWORK_CHAIN) && networkName !== null ? [{ name, networkName }] : [];
}

function readMap(nft: NFTables, lane: Lane): LaneEntry[] {
  return readIntervals(nft, lane.map).map((interval) => {
    const { bridge, prefix } = readKeys(lane, interval);
    const chain = interval.element.data?.verdict?.chain ?? "";
    return { lane, interval, prefix, chain, ...(bridge !== undefined && { bridge }) };
  });
}

function readSet(nft: NFTables, lane: Lane): LaneKey[] {
  return readIntervals(nft, lane.set).map((interval) => ({ lane, interval }));
}

function readIntervals(nft: NFTables, { family, table, name }: SetSpec): Interval[] {
  return intervalsOf(listElements(nft, { family, table, set: name }));
}

/** Whether two keys are the same interval of the same lane. */
export function isSameKey(a: LaneInterval, b: LaneInterval): boolean {
  return keyText(a) === keyText(b);
}

/** The same text for the same interval of the same lane, to find one among many by. */
export function keyText({ lane, interval }: LaneInterval): string {
  return `${lane.map.name} ${interval.key} ${interval.keyEnd}`;
}

type KeyRange = Pick<Interval, "key" | "keyEnd">;

export interface LaneInterval {
  readonly lane: Lane;
  readonly interval: KeyRange;
}

function readKeys(lane: Lane, { key, keyEnd }: Interval): { bridge?: string; prefix: Prefix } {
  const at = lane.byBridge ? IFNAME.length : 0;
  const prefix = prefixBetween(addressFromBytes(key.subarray(at)), addressFromBytes(keyEnd.subarray(at)));
  return lane.byBridge ? { bridge: zstring.decode(key.subarray(0, at)), prefix } : { prefix };
}

/** The smallest prefix that holds both. */
function prefixBetween(first: Address, last: Address): Prefix {
  const differing = first.value ^ last.value;
  const freeBits = differing === 0n ? 0 : differing.toString(2).length;
  return prefixOf(first, addressBits(first.family) - freeBits);
}

/** The chains of one network: one, unless somebody else made more. */
export function chainsOf(state: MasqueradeState, networkName: string): readonly NetworkChain[] {
  const prefix = chainNamePrefix(networkName);
  return state.networks.filter((chain) => chain.name.startsWith(prefix) && chain.networkName === networkName);
}

/** The rules of one chain of the table, in order. */
export function readRules(nft: NFTables, chain: string): readonly (readonly Expression[])[] {
  const rules = nft.list(getRules({ ...INSIDE, chain }));
  return rules.map(({ expressions }) => expressions ?? []);
}

/** The same with the prefixes that the network has on its bridge already. */
export function withHeldPrefixes(spec: MasqueradeSpec, state: MasqueradeState): MasqueradeSpec {
  const { networkName, bridge, prefixes } = spec;
  if (bridge === undefined) return spec;
  const chains = new Set(chainsOf(state, networkName).map(({ name }) => name));
  const held = state.entries.filter((entry) => entry.bridge === bridge && chains.has(entry.chain));
  return { ...spec, prefixes: [...prefixes, ...held.map(({ prefix }) => prefix)] };
}
