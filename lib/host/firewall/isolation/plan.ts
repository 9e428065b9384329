/**
 * Isolation, as nf_tables objects: what a list of networks needs, worked out without asking the kernel.
 *
 * For network `web` on bridge `br-web` with gateway 10.1.0.1, and an internal one on `br-db` with 10.2.0.1, the table
 * says, in nft's language (the sets of IPv6 are left out):
 *
 * ```
 * table inet fairlead {
 *   set isolation-bridges { type ifname; elements = { "br-web" comment "<hash> web", "br-db" comment "<hash> db" } }
 *   set isolation-internal-bridges { type ifname; elements = { "br-db" } }
 *   set isolation-inside { type ifname . ifname; elements = { "br-web" . "br-web", "br-db" . "br-db" } }
 *   set isolation-closed4 { type ifname; elements = { "br-web" } }
 *   set isolation-gateways4 { type ipv4_addr; elements = { 10.1.0.1, 10.2.0.1 } }
 *   set isolation-own4 { type ifname . ipv4_addr; elements = { "br-web" . 10.1.0.1, "br-db" . 10.2.0.1 } }
 *
 *   chain isolation-forward { type filter hook forward priority filter; policy accept;
 *     iifname . oifname @isolation-inside accept
 *     iifname @isolation-internal-bridges counter drop
 *     oifname @isolation-internal-bridges counter drop
 *     ct status dnat accept
 *     iifname @isolation-bridges oifname @isolation-bridges counter drop
 *     ct state established,related accept
 *     meta nfproto ipv4 oifname @isolation-closed4 counter drop
 *     meta nfproto ipv6 oifname @isolation-closed6 counter drop }
 *
 *   chain isolation-input { type filter hook input priority filter; policy accept;
 *     iifname != @isolation-bridges accept
 *     ct state established,related accept
 *     iifname @isolation-internal-bridges goto isolation-internal
 *     ip daddr @isolation-gateways4 iifname . ip daddr != @isolation-own4 counter drop
 *     ip6 daddr @isolation-gateways6 iifname . ip6 daddr != @isolation-own6 counter drop }
 *
 *   chain isolation-internal {
 *     icmpv6 type nd-neighbor-solicit accept
 *     icmpv6 type nd-neighbor-advert accept
 *     iifname . ip daddr @isolation-own4 goto isolation-gateway
 *     iifname . ip6 daddr @isolation-own6 goto isolation-gateway
 *     counter drop }
 *   chain isolation-gateway {
 *     icmp type echo-request accept
 *     icmpv6 type echo-request accept
 *     udp dport 53 accept
 *     tcp dport 53 accept
 *     counter drop }
 * }
 * ```
 *
 * A network is elements, never rules: packets meet as many rules with one network as with a thousand. A network whose
 * containers shall not reach each other (icc=false) has no element in `isolation-inside`: what the host would forward
 * from its bridge back to it meets the last rule.
 *
 * A closed network is entered by published ports alone: what anybody else routes to its containers, by way of this host, is
 * dropped, unless it belongs to what a container began. So a port that is published on 127.0.0.1, or not at all, is not reached
 * by its container's address. Packets of the host itself are not forwarded.
 *
 * `ct status dnat` are packets of connections to published ports, and their replies. They cross: whoever publishes a port
 * wants to be reached. Nothing is published from an internal network.
 *
 * Verdicts of others count, too: a packet that is accepted here may be dropped in the table of somebody else.
 */
import { addressToBytes } from "../../../addr/address.ts";
import { u16be } from "../../../netlink/attribute.ts";
import {
  type BaseChain,
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
  NF_IP_PRI_FILTER,
} from "../../../netlink/nftables/chain.ts";
import { concatenate, IFNAME, IPV4_ADDR, IPV6_ADDR, ifnameKey } from "../../../netlink/nftables/datatype.ts";
import type { ElementSpec } from "../../../netlink/nftables/element.ts";
import { cmp } from "../../../netlink/nftables/expr/cmp.ts";
import { counter } from "../../../netlink/nftables/expr/counter.ts";
import {
  IPS_DST_NAT,
  NF_CT_STATE_ESTABLISHED,
  NF_CT_STATE_RELATED,
} from "../../../netlink/nftables/expr/ct.ts";
import { NFT_REG_1, NFT_REG_2, verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import { lookup } from "../../../netlink/nftables/expr/lookup.ts";
import {
  meta,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_OIFNAME,
} from "../../../netlink/nftables/expr/meta.ts";
import { NFT_PAYLOAD_TRANSPORT_HEADER, payload, TH_DPORT } from "../../../netlink/nftables/expr/payload.ts";
import { addressField, matchCtState, matchCtStatus, matchFamily } from "../../../netlink/nftables/match.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import { INSIDE } from "../table.ts";
import {
  BRIDGES,
  type IsolationChain,
  type IsolationSpec,
  isolationComment,
  OWN,
  ownKey,
  sortedGateways,
} from "./in-place.ts";

const INTERNAL: SetSpec = { ...INSIDE, name: "isolation-internal-bridges", key: [IFNAME] };
const WITHIN: SetSpec = { ...INSIDE, name: "isolation-inside", key: [IFNAME, IFNAME] };
const CLOSED = {
  4: { ...INSIDE, name: "isolation-closed4", key: [IFNAME] },
  6: { ...INSIDE, name: "isolation-closed6", key: [IFNAME] },
} as const satisfies Record<4 | 6, SetSpec>;
const GATEWAYS = {
  4: { ...INSIDE, name: "isolation-gateways4", key: [IPV4_ADDR] },
  6: { ...INSIDE, name: "isolation-gateways6", key: [IPV6_ADDR] },
} as const satisfies Record<4 | 6, SetSpec>;
/** Every set, in the order in which they are made. */
export const SETS: readonly SetSpec[] = [
  ...[BRIDGES, INTERNAL, WITHIN, CLOSED[4], CLOSED[6]],
  ...[GATEWAYS[4], OWN[4], GATEWAYS[6], OWN[6]],
];

// Source: RFC 792, RFC 4443, RFC 4861; IANA "Protocol Numbers".
const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_ICMPV6 = 58;
const ICMP_ECHO_REQUEST = 8;
const ICMPV6_ECHO_REQUEST = 128;
const ND_NEIGHBOUR_SOLICIT = 135;
const ND_NEIGHBOUR_ADVERT = 136;
const DNS_PORT = 53;

/** ICMP and ICMPv6 have their type in the first byte. */
const ICMP_TYPE = { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 1 } as const;

export interface IsolationChainPlan {
  readonly name: IsolationChain;
  /** Absent: it is only gone to. */
  readonly base?: BaseChain;
  readonly rules: readonly (readonly Expression[])[];
}

/** The chains with all their rules; those that others go to come first. The same for any number of networks. */
export function isolationChains(): readonly IsolationChainPlan[] {
  const filter = { type: "filter", priority: NF_IP_PRI_FILTER } as const;
  return [
    { name: "isolation-gateway", rules: gatewayRules() },
    { name: "isolation-internal", rules: internalRules() },
    { name: "isolation-forward", base: { ...filter, hook: NF_INET_FORWARD }, rules: forwardRules() },
    { name: "isolation-input", base: { ...filter, hook: NF_INET_LOCAL_IN }, rules: inputRules() },
  ];
}

const accept = (): Expression => immediateVerdict(verdict.accept);
const drop = (): Expression[] => [counter(), immediateVerdict(verdict.drop)];
const goTo = (chain: IsolationChain): Expression => immediateVerdict(verdict.goto(chain));

function forwardRules(): Expression[][] {
  return [
    [meta(NFT_META_IIFNAME, NFT_REG_1), meta(NFT_META_OIFNAME, NFT_REG_2), isIn(WITHIN), accept()],
    [meta(NFT_META_IIFNAME, NFT_REG_1), isIn(INTERNAL), ...drop()],
    [meta(NFT_META_OIFNAME, NFT_REG_1), isIn(INTERNAL), ...drop()],
    [...matchCtStatus(IPS_DST_NAT), accept()],
    [
      ...[meta(NFT_META_IIFNAME, NFT_REG_1), isIn(BRIDGES)],
      ...[meta(NFT_META_OIFNAME, NFT_REG_1), isIn(BRIDGES)],
      ...drop(),
    ],
    [...matchCtState(NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED), accept()],
    [...matchFamily(4), meta(NFT_META_OIFNAME, NFT_REG_1), isIn(CLOSED[4]), ...drop()],
    [...matchFamily(6), meta(NFT_META_OIFNAME, NFT_REG_1), isIn(CLOSED[6]), ...drop()],
  ];
}

function inputRules(): Expression[][] {
  return [
    [meta(NFT_META_IIFNAME, NFT_REG_1), isNotIn(BRIDGES), accept()],
    [...matchCtState(NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED), accept()],
    [meta(NFT_META_IIFNAME, NFT_REG_1), isIn(INTERNAL), goTo("isolation-internal")],
    [...destinationIn(4), ...ownDestination(4), isNotIn(OWN[4]), ...drop()],
    [...destinationIn(6), ...ownDestination(6), isNotIn(OWN[6]), ...drop()],
  ];
}

/** Without neighbour discovery IPv6 has no gateway. IPv4 asks by ARP, which does not come here. */
function internalRules(): Expression[][] {
  return [
    [...matchType(IPPROTO_ICMPV6, ND_NEIGHBOUR_SOLICIT), accept()],
    [...matchType(IPPROTO_ICMPV6, ND_NEIGHBOUR_ADVERT), accept()],
    [...matchFamily(4), ...ownDestination(4), isIn(OWN[4]), goTo("isolation-gateway")],
    [...matchFamily(6), ...ownDestination(6), isIn(OWN[6]), goTo("isolation-gateway")],
    drop(),
  ];
}

function gatewayRules(): Expression[][] {
  const port = (protocol: number) => [
    ...matchProtocol(protocol),
    payload(TH_DPORT, NFT_REG_1),
    cmp(NFT_REG_1, u16be.encode(DNS_PORT)),
  ];
  return [
    [...matchType(IPPROTO_ICMP, ICMP_ECHO_REQUEST), accept()],
    [...matchType(IPPROTO_ICMPV6, ICMPV6_ECHO_REQUEST), accept()],
    [...port(IPPROTO_UDP), accept()],
    [...port(IPPROTO_TCP), accept()],
    drop(),
  ];
}

function isIn({ name }: SetSpec): Expression {
  return lookup({ set: name, sreg: NFT_REG_1 });
}

function isNotIn({ name }: SetSpec): Expression {
  return lookup({ set: name, sreg: NFT_REG_1, inverted: true });
}

/** `meta l4proto …` */
function matchProtocol(protocol: number): Expression[] {
  return [meta(NFT_META_L4PROTO, NFT_REG_1), cmp(NFT_REG_1, Uint8Array.of(protocol))];
}

/** `icmp type …`, `icmpv6 type …`: each in its own family, as nft has it. */
function matchType(protocol: typeof IPPROTO_ICMP | typeof IPPROTO_ICMPV6, type: number): Expression[] {
  const family = matchFamily(protocol === IPPROTO_ICMP ? 4 : 6);
  return [
    ...family,
    ...matchProtocol(protocol),
    payload(ICMP_TYPE, NFT_REG_1),
    cmp(NFT_REG_1, Uint8Array.of(type)),
  ];
}

/** `ip daddr @isolation-gateways4` */
function destinationIn(family: 4 | 6): Expression[] {
  return [...matchFamily(family), payload(addressField(family, "daddr"), NFT_REG_1), isIn(GATEWAYS[family])];
}

/** `iifname . ip daddr` into register 1 and what follows it. */
function ownDestination(family: 4 | 6): Expression[] {
  return [meta(NFT_META_IIFNAME, NFT_REG_1), payload(addressField(family, "daddr"), NFT_REG_2)];
}

export interface SetElements {
  readonly set: SetSpec;
  readonly elements: readonly ElementSpec[];
}

/**
 * What each set holds for these networks; no key twice in one.
 * @throws invalid-config when a name cannot be used.
 */
export function isolationElements(specs: readonly IsolationSpec[]): SetElements[] {
  const bridgesOf = (wanted: (spec: IsolationSpec) => boolean) =>
    specs.filter(wanted).map(({ bridge }) => ifnameKey(bridge));
  const bridges = specs.map((spec) => ({ key: ifnameKey(spec.bridge), comment: isolationComment(spec) }));
  const inside = bridgesOf(({ separate }) => !separate).map((key) => ({ key: concatenate([key, key]) }));
  return [
    { set: BRIDGES, elements: bridges },
    { set: INTERNAL, elements: bridgesOf(({ internal }) => internal).map((key) => ({ key })) },
    { set: WITHIN, elements: inside },
    ...([4, 6] as const).map((family) => ({
      set: CLOSED[family],
      elements: bridgesOf(({ closed }) => closed?.includes(family) ?? false).map((key) => ({ key })),
    })),
    ...([4, 6] as const).flatMap((family) => gatewayElements(specs, family)),
  ];
}

/** Networks of different address spaces may have the same gateway address, which is then one element. */
function gatewayElements(specs: readonly IsolationSpec[], family: 4 | 6): SetElements[] {
  const owned = specs.flatMap((spec) =>
    sortedGateways(spec)
      .filter((address) => address.family === family)
      .map((address) => ({ bridge: spec.bridge, address })),
  );
  const distinct = sortedGateways({ gateways: owned.map(({ address }) => address) });
  return [
    { set: GATEWAYS[family], elements: distinct.map((address) => ({ key: addressToBytes(address) })) },
    { set: OWN[family], elements: owned.map(({ bridge, address }) => ({ key: ownKey(bridge, address) })) },
  ];
}
