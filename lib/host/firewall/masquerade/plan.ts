/**
 * Masquerading, as nf_tables objects: what a network needs, worked out without asking the kernel.
 *
 * For network `web` on bridge `cni0` with 10.1.0.0/16 the table says, in nft's language:
 *
 * ```
 * table inet fairlead {
 *   map bridge-masquerade4 { type ifname . ipv4_addr : verdict; flags interval
 *     elements = { "cni0" . 10.1.0.0/16 : goto masq-<network>-<content> } }
 *   set bridge-masqueraded4 { type ifname . ipv4_addr; flags interval; elements = { "cni0" . 10.1.0.0/16 } }
 *
 *   chain masq-<network>-<content> { comment "web"
 *     ip daddr 10.1.0.0/16 return
 *     ip daddr 224.0.0.0/4 return
 *     masquerade }
 *
 *   chain postrouting-masquerade { type nat hook postrouting priority srcnat; policy accept;
 *     iifname . ip saddr vmap @bridge-masquerade4 }
 *   chain forward-invalid { type filter hook forward priority filter; policy accept;
 *     ct state invalid iifname . ip saddr @bridge-masqueraded4 iifname . ip daddr != @bridge-masqueraded4 drop }
 * }
 * ```
 *
 * A map with its set and its two rules is called a lane here. There is one for each family, and for each of two
 * ways to tell where a packet comes from: by bridge and prefix, so that networks of different address spaces may
 * use the same prefix on different bridges; or, where a network has no bridge, by prefix alone.
 *
 * `forward-invalid` closes a leak. Connection tracking does not know an `invalid` packet (often a late RST), so
 * NAT passes it by, and it would leave the host with a container's address as its source. Dropped is only what
 * would have been masqueraded: forwarded packets from a masqueraded prefix that leave the network. The set repeats
 * the keys of the map, because not every kernel lets a rule ask for a map's key without following its verdict, and
 * the `masquerade` that this leads to is not allowed in this hook.
 */
import { addressToBytes } from "../../../addr/address.ts";
import { firstAddress, lastAddress, type Prefix, parsePrefix } from "../../../addr/prefix.ts";
import type { ChainKey, ChainSpec } from "../../../netlink/nftables/chain.ts";
import {
  NF_INET_FORWARD,
  NF_INET_POST_ROUTING,
  NF_IP_PRI_FILTER,
  NF_IP_PRI_NAT_SRC,
} from "../../../netlink/nftables/chain.ts";
import {
  concatenate,
  type Datatype,
  IFNAME,
  IPV4_ADDR,
  IPV6_ADDR,
  ifnameKey,
  VERDICT,
} from "../../../netlink/nftables/datatype.ts";
import { counter } from "../../../netlink/nftables/expr/counter.ts";
import { NF_CT_STATE_INVALID } from "../../../netlink/nftables/expr/ct.ts";
import { NFT_REG_1, NFT_REG_2, NFT_REG_VERDICT, verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import { lookup } from "../../../netlink/nftables/expr/lookup.ts";
import { masq } from "../../../netlink/nftables/expr/masq.ts";
import { meta, NFT_META_IIFNAME } from "../../../netlink/nftables/expr/meta.ts";
import { payload } from "../../../netlink/nftables/expr/payload.ts";
import type { IntervalSpec } from "../../../netlink/nftables/interval.ts";
import {
  type AddressField,
  addressField,
  matchCtState,
  matchFamily,
  matchPrefix,
} from "../../../netlink/nftables/match.ts";
import { NFT_SET_INTERVAL, type SetSpec } from "../../../netlink/nftables/set.ts";
import { INSIDE } from "../table.ts";
import { familiesOf, type MasqueradeIdentity, type MasqueradeSpec, masqueradeIdentity } from "./in-place.ts";

/** A chain of the table, by name. */
export function chainKey(name: string): ChainKey {
  return { ...INSIDE, name };
}

export const POSTROUTING: ChainSpec = {
  ...INSIDE,
  name: "postrouting-masquerade",
  base: { type: "nat", hook: NF_INET_POST_ROUTING, priority: NF_IP_PRI_NAT_SRC },
};
export const FORWARD: ChainSpec = {
  ...INSIDE,
  name: "forward-invalid",
  base: { type: "filter", hook: NF_INET_FORWARD, priority: NF_IP_PRI_FILTER },
};

/** Packets to these are never masqueraded. Source: RFC 5771 §3, RFC 4291 §2.7. */
const MULTICAST = { 4: "224.0.0.0/4", 6: "ff00::/8" } as const;

/** A verdict map, the set of its keys, and the rules that use them. */
export interface Lane {
  readonly family: 4 | 6;
  readonly byBridge: boolean;
  readonly map: SetSpec;
  readonly set: SetSpec;
}

let madeLanes: readonly Lane[] | undefined;

/** Every lane, always the same objects; made when first asked for, because most ADDs ask for none. */
export function allLanes(): readonly Lane[] {
  madeLanes ??= [laneOf(4, true), laneOf(6, true), laneOf(4, false), laneOf(6, false)];
  return madeLanes;
}

/** The lane of a family, for networks with or without a bridge. */
function laneFor(family: 4 | 6, byBridge: boolean): Lane {
  return allLanes().find((lane) => lane.family === family && lane.byBridge === byBridge) as Lane;
}

function laneOf(family: 4 | 6, byBridge: boolean): Lane {
  const address: Datatype = family === 4 ? IPV4_ADDR : IPV6_ADDR;
  const keys = { ...INSIDE, key: byBridge ? [IFNAME, address] : [address], flags: NFT_SET_INTERVAL };
  const prefix = byBridge ? "bridge-" : "";
  return {
    family,
    byBridge,
    map: { ...keys, name: `${prefix}masquerade${family}`, data: [VERDICT] },
    set: { ...keys, name: `${prefix}masqueraded${family}` },
  };
}

/** A base chain and what it has to hold, in any order. */
export interface BaseChainPlan {
  readonly chain: ChainSpec;
  readonly rules: readonly (readonly Expression[])[];
}

/** The base chains for these lanes. */
export function planBaseChains(lanes: readonly Lane[]): BaseChainPlan[] {
  return [
    { chain: POSTROUTING, rules: lanes.map(masqueradeRule) },
    { chain: FORWARD, rules: lanes.map(dropInvalidRule) },
  ];
}

/** The rule of {@link POSTROUTING} for a lane. */
function masqueradeRule(lane: Lane): Expression[] {
  return [
    ...matchFamily(lane.family),
    ...loadKey(lane, "saddr"),
    lookup({ set: lane.map.name, sreg: NFT_REG_1, dreg: NFT_REG_VERDICT }),
  ];
}

/** The rule of {@link FORWARD} for a lane. */
function dropInvalidRule(lane: Lane): Expression[] {
  return [
    ...matchCtState(NF_CT_STATE_INVALID),
    ...matchFamily(lane.family),
    ...loadKey(lane, "saddr"),
    lookup({ set: lane.set.name, sreg: NFT_REG_1 }),
    ...loadKey(lane, "daddr"),
    lookup({ set: lane.set.name, sreg: NFT_REG_1, inverted: true }),
    counter(),
    immediateVerdict(verdict.drop),
  ];
}

/** `[iifname .] ip saddr` into register 1 and what follows it: a link's name fills register 1. */
function loadKey({ family, byBridge }: Lane, field: AddressField): Expression[] {
  const location = addressField(family, field);
  if (!byBridge) return [payload(location, NFT_REG_1)];
  return [meta(NFT_META_IIFNAME, NFT_REG_1), payload(location, NFT_REG_2)];
}

/** All that one network needs. */
export interface MasqueradePlan extends MasqueradeIdentity {
  readonly chain: ChainSpec & { readonly comment: string };
  /** The rules of the chain. */
  readonly rules: readonly (readonly Expression[])[];
  /** One for each prefix, in the lane that it belongs to. */
  readonly entries: readonly MasqueradeEntry[];
}

export interface MasqueradeEntry {
  readonly lane: Lane;
  readonly prefix: Prefix;
  readonly bridge: string | undefined;
  /** What the map holds. The set holds the same without the verdict. */
  readonly interval: IntervalSpec;
}

/**
 * The plan for a network.
 *
 * @throws invalid-config when there is no prefix, or a name cannot be used.
 */
export function planMasquerade(spec: MasqueradeSpec): MasqueradePlan {
  const identity = masqueradeIdentity(spec);
  const { networkName, prefixes, chainName } = identity;
  return {
    ...identity,
    chain: { ...INSIDE, name: chainName, comment: networkName },
    rules: chainRules(prefixes),
    entries: prefixes.map((prefix) => entryOf(prefix, spec.bridge, chainName)),
  };
}

function chainRules(prefixes: readonly Prefix[]): Expression[][] {
  const exempt = [...prefixes, ...familiesOf(prefixes).map((family) => parsePrefix(MULTICAST[family]))];
  return [
    ...exempt.map((prefix) => [...matchPrefix(prefix, "daddr"), immediateVerdict(verdict.return)]),
    [masq()],
  ];
}

function entryOf(prefix: Prefix, bridge: string | undefined, chain: string): MasqueradeEntry {
  const lane = laneFor(prefix.address.family, bridge !== undefined);
  const keyOf = (address: Uint8Array) =>
    bridge === undefined ? address : concatenate([ifnameKey(bridge), address]);
  const key = keyOf(addressToBytes(firstAddress(prefix)));
  const keyEnd = keyOf(addressToBytes(lastAddress(prefix)));
  return { lane, prefix, bridge, interval: { key, keyEnd, verdict: verdict.goto(chain) } };
}
