/**
 * Source checks, as nf_tables objects: what a list of attachments needs, worked out without asking the kernel.
 *
 * For an attachment with host end `veth1`, MAC address 02:ab:cd:ef:01:23, and the addresses 10.1.0.2 and fd00::2, the table
 * says, in nft's language:
 *
 * ```
 * table bridge fairlead {
 *   set source-ports { type ifname; elements = { "veth1" comment "<hash> fairlead:web/c1/eth0" } }
 *   set source-macs { type ifname . ether_addr; elements = { "veth1" . 02:ab:cd:ef:01:23 } }
 *   set source-own4 { type ifname . ether_addr . ipv4_addr; elements = { "veth1" . 02:ab:cd:ef:01:23 . 10.1.0.2 } }
 *   set source-own6 { type ifname . ether_addr . ipv6_addr;
 *     elements = { "veth1" . 02:ab:cd:ef:01:23 . fd00::2, "veth1" . 02:ab:cd:ef:01:23 . fe80::ab:cdff:feef:123 } }
 *
 *   chain source-check { type filter hook prerouting priority dstnat; policy accept;
 *     iifname != @source-ports accept
 *     meta protocol ip iifname . ether saddr . ip saddr @source-own4 accept
 *     iifname . ether saddr != @source-macs counter drop
 *     meta protocol ip6 goto source-check6
 *     meta protocol arp goto source-check-arp
 *     meta protocol ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
 *     meta protocol ip counter drop }
 *
 *   chain source-check6 {
 *     icmpv6 type nd-router-advert counter drop
 *     icmpv6 type nd-redirect counter drop
 *     icmpv6 type nd-neighbor-advert iifname . ether saddr . icmpv6 taddr != @source-own6 counter drop
 *     iifname . ether saddr . ip6 saddr @source-own6 accept
 *     ip6 saddr :: icmpv6 type nd-neighbor-solicit accept
 *     ip6 saddr :: icmpv6 type mld2-listener-report accept
 *     counter drop }
 *
 *   chain source-check-arp {
 *     iifname . arp saddr ether . arp saddr ip @source-own4 accept
 *     arp saddr ip 0.0.0.0 iifname . arp saddr ether @source-macs accept
 *     counter drop }
 * }
 * ```
 *
 * One set of rules serves all, and a packet with its right source meets two of them. From no address (0.0.0.0, ::) comes what is sent
 * to get one, or to find out whether somebody has it. What is neither IP nor ARP is bound to the MAC address alone.
 *
 * Source: RFC 826; RFC 5227 (probes); RFC 4862 §5.4.2; RFC 3810 §5.2.13; RFC 4861 §4.2, §4.4, §4.5.
 */
import { type Address, addressFromBytes, addressToBytes } from "../../../addr/address.ts";
import { validateIfname } from "../../../addr/ifname.ts";
import { macToBytes, parseInterfaceMac } from "../../../addr/mac.ts";
import { hashHex } from "../../../hash.ts";
import { u16be } from "../../../netlink/attribute.ts";
import {
  type BaseChain,
  NF_BR_PRI_NAT_DST_BRIDGED,
  NF_INET_PRE_ROUTING,
} from "../../../netlink/nftables/chain.ts";
import {
  concatenate,
  ETHER_ADDR,
  IFNAME,
  IPV4_ADDR,
  IPV6_ADDR,
  ifnameKey,
} from "../../../netlink/nftables/datatype.ts";
import type { ElementSpec } from "../../../netlink/nftables/element.ts";
import { cmp } from "../../../netlink/nftables/expr/cmp.ts";
import { counter } from "../../../netlink/nftables/expr/counter.ts";
import { NFT_REG_1, NFT_REG_2, verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import { lookup } from "../../../netlink/nftables/expr/lookup.ts";
import {
  meta,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_PROTOCOL,
} from "../../../netlink/nftables/expr/meta.ts";
import {
  ARP_SADDR_ETHER,
  ARP_SADDR_IP,
  ETHER_SADDR,
  IP_SADDR,
  IP6_SADDR,
  NFT_PAYLOAD_TRANSPORT_HEADER,
  type PayloadField,
  payload,
  TH_PORTS,
} from "../../../netlink/nftables/expr/payload.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import { COMMENT_MAXIMUM_BYTES } from "../../../netlink/nftables/userdata.ts";
import { INSIDE_BRIDGE } from "../table.ts";

/** One attachment, and all that it may send from. */
export interface SourceSpec {
  /** What the attachment is called, for whoever lists the rules. */
  readonly key: string;
  /** Its end on the host, a port of the bridge. */
  readonly hostIfname: string;
  readonly mac: string;
  /** At least one. With an IPv6 address among them, the link-local one that follows from `mac` is meant, too. */
  readonly addresses: readonly Address[];
}

export const PORTS: SetSpec = { ...INSIDE_BRIDGE, name: "source-ports", key: [IFNAME], id: 1 };
const MACS: SetSpec = { ...INSIDE_BRIDGE, name: "source-macs", key: [IFNAME, ETHER_ADDR], id: 2 };
export const OWN = {
  4: { ...INSIDE_BRIDGE, name: "source-own4", key: [IFNAME, ETHER_ADDR, IPV4_ADDR], id: 3 },
  6: { ...INSIDE_BRIDGE, name: "source-own6", key: [IFNAME, ETHER_ADDR, IPV6_ADDR], id: 4 },
} as const satisfies Record<4 | 6, SetSpec>;
/** In the order in which they are made. All keys begin with the port. */
export const SETS: readonly SetSpec[] = [PORTS, MACS, OWN[4], OWN[6]];

/**
 * The chains, each with what the kernel says uses it when all is in place: its rules, and the rules that go to it.
 * A test compares these numbers with the rules.
 */
export const CHAIN_USES = {
  "source-check6": 7 + 1,
  "source-check-arp": 3 + 1,
  "source-check": 7,
} as const satisfies Record<string, number>;

export type SourceChain = keyof typeof CHAIN_USES;
export const CHAIN_NAMES = Object.keys(CHAIN_USES) as readonly SourceChain[];

export interface SourceChainPlan {
  readonly name: SourceChain;
  /** Absent: it is only gone to. */
  readonly base?: BaseChain;
  readonly rules: readonly (readonly Expression[])[];
}

// Source: include/uapi/linux/if_ether.h; IANA "Protocol Numbers", "ICMPv6 Parameters".
const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
const IPPROTO_UDP = 17;
const IPPROTO_ICMPV6 = 58;
const ROUTER_ADVERT = 134;
const NEIGHBOUR_SOLICIT = 135;
const NEIGHBOUR_ADVERT = 136;
const REDIRECT = 137;
const MLD2_REPORT = 143;
const DHCP_SERVER_PORT = 67;
const DHCP_CLIENT_PORT = 68;

const ICMPV6_TYPE = { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 1 } as const;
const ND_TARGET = { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 8, length: 16 } as const;
/** The register behind a port (four registers) and a MAC address (two). Source: nf_tables.h enum nft_registers. */
const NFT_REG32_06 = 14;

/** The chains with all their rules; those that others go to come first. The same for any number of attachments. */
export function sourceChains(): readonly SourceChainPlan[] {
  const base: BaseChain = {
    type: "filter",
    hook: NF_INET_PRE_ROUTING,
    priority: NF_BR_PRI_NAT_DST_BRIDGED,
  };
  return [
    { name: "source-check6", rules: ipv6Rules() },
    { name: "source-check-arp", rules: arpRules() },
    { name: "source-check", base, rules: baseRules() },
  ];
}

const accept = (): Expression => immediateVerdict(verdict.accept);
const drop = (): Expression[] => [counter(), immediateVerdict(verdict.drop)];
const goTo = (chain: SourceChain): Expression => immediateVerdict(verdict.goto(chain));
const isIn = ({ name }: SetSpec): Expression => lookup({ set: name, sreg: NFT_REG_1 });
const isNotIn = ({ name }: SetSpec): Expression => lookup({ set: name, sreg: NFT_REG_1, inverted: true });
const port = (): Expression => meta(NFT_META_IIFNAME, NFT_REG_1);

/** `iifname . <field>`, for {@link MACS}. */
const portAnd = (field: PayloadField): Expression[] => [port(), payload(field, NFT_REG_2)];

/** `iifname . <mac> . <address>`, for {@link OWN}. */
const source = (mac: PayloadField, address: PayloadField): Expression[] => [
  ...portAnd(mac),
  payload(address, NFT_REG32_06),
];

function baseRules(): Expression[][] {
  return [
    [port(), isNotIn(PORTS), accept()],
    [...matchEtherType(ETH_P_IP), ...source(ETHER_SADDR, IP_SADDR), isIn(OWN[4]), accept()],
    [...portAnd(ETHER_SADDR), isNotIn(MACS), ...drop()],
    [...matchEtherType(ETH_P_IPV6), goTo("source-check6")],
    [...matchEtherType(ETH_P_ARP), goTo("source-check-arp")],
    [
      ...matchEtherType(ETH_P_IP),
      ...matchBytes(IP_SADDR, new Uint8Array(4)),
      ...matchProtocol(IPPROTO_UDP),
      ...matchBytes(TH_PORTS, Uint8Array.of(0, DHCP_CLIENT_PORT, 0, DHCP_SERVER_PORT)),
      accept(),
    ],
    [...matchEtherType(ETH_P_IP), ...drop()],
  ];
}

/** They say again what protocol it is, without which nft cannot list them in its own words. */
function ipv6Rules(): Expression[][] {
  const ipv6 = matchEtherType(ETH_P_IPV6);
  const nobody = [...ipv6, ...matchBytes(IP6_SADDR, new Uint8Array(16))];
  const advert = [...ipv6, ...matchIcmpv6(NEIGHBOUR_ADVERT)];
  return [
    [...ipv6, ...matchIcmpv6(ROUTER_ADVERT), ...drop()],
    [...ipv6, ...matchIcmpv6(REDIRECT), ...drop()],
    [...advert, ...source(ETHER_SADDR, ND_TARGET), isNotIn(OWN[6]), ...drop()],
    [...ipv6, ...source(ETHER_SADDR, IP6_SADDR), isIn(OWN[6]), accept()],
    [...nobody, ...matchIcmpv6(NEIGHBOUR_SOLICIT), accept()],
    [...nobody, ...matchIcmpv6(MLD2_REPORT), accept()],
    drop(),
  ];
}

function arpRules(): Expression[][] {
  const arp = matchEtherType(ETH_P_ARP);
  const nobody = [...arp, ...matchBytes(ARP_SADDR_IP, new Uint8Array(4))];
  return [
    [...arp, ...source(ARP_SADDR_ETHER, ARP_SADDR_IP), isIn(OWN[4]), accept()],
    [...nobody, ...portAnd(ARP_SADDR_ETHER), isIn(MACS), accept()],
    drop(),
  ];
}

function matchBytes(field: PayloadField, wanted: Uint8Array): Expression[] {
  return [payload(field, NFT_REG_1), cmp(NFT_REG_1, wanted)];
}

/** Also inside of a VLAN tag, which the kernel takes off before. */
function matchEtherType(type: number): Expression[] {
  return [meta(NFT_META_PROTOCOL, NFT_REG_1), cmp(NFT_REG_1, u16be.encode(type))];
}

function matchProtocol(protocol: number): Expression[] {
  return [meta(NFT_META_L4PROTO, NFT_REG_1), cmp(NFT_REG_1, Uint8Array.of(protocol))];
}

function matchIcmpv6(type: number): Expression[] {
  return [...matchProtocol(IPPROTO_ICMPV6), ...matchBytes(ICMPV6_TYPE, Uint8Array.of(type))];
}

/** Hexadecimal digits of the hash in a comment. */
const HASH_DIGITS = 16;

/** Text on the element of the port: a hash of all that it may send from, and as much of its name as fits. */
export function sourceComment(spec: SourceSpec): string {
  const content = sourceElements(spec).flatMap(({ set, keys }) => [set.name, ...keys.map(hex)]);
  const comment = `${hashHex(JSON.stringify([spec.key, ...content]), HASH_DIGITS)} ${spec.key}`;
  const bytes = new TextEncoder().encode(comment);
  return bytes.length <= COMMENT_MAXIMUM_BYTES ? comment : comment.slice(0, HASH_DIGITS);
}

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

interface SourceElements {
  readonly set: SetSpec;
  readonly keys: readonly Uint8Array[];
}

/** @throws FairleadError invalid-config for a name or a MAC address that cannot be. */
function sourceElements({ hostIfname, mac, addresses }: SourceSpec): SourceElements[] {
  const [name, ether] = [ifnameKey(validateIfname(hostIfname)), macToBytes(parseInterfaceMac(mac))];
  const own = addresses.some(({ family }) => family === 6) ? [...addresses, linkLocalOf(mac)] : addresses;
  const keysOf = (family: 4 | 6) => {
    const texts = new Map(
      own
        .filter((address) => address.family === family)
        .map((address) => concatenate([name, ether, addressToBytes(address)]))
        .map((key) => [hex(key), key]),
    );
    return [...texts.values()];
  };
  return [
    { set: PORTS, keys: [name] },
    { set: MACS, keys: [concatenate([name, ether])] },
    { set: OWN[4], keys: keysOf(4) },
    { set: OWN[6], keys: keysOf(6) },
  ];
}

export interface SetElements {
  readonly set: SetSpec;
  readonly elements: readonly ElementSpec[];
}

/** What each set holds for the attachment. @throws FairleadError invalid-config. */
export function elementsOf(spec: SourceSpec): SetElements[] {
  const comment = sourceComment(spec);
  return sourceElements(spec).map(({ set, keys }) => ({
    set,
    elements: keys.map((key) => (set === PORTS ? { key, comment } : { key })),
  }));
}

/** The address that a link with this MAC address gives itself. Source: RFC 4291 appendix A. */
function linkLocalOf(mac: string): Address {
  const [first = 0, ...rest] = macToBytes(mac);
  const bytes = new Uint8Array(16);
  bytes.set([0xfe, 0x80]);
  bytes.set([first ^ 0x02, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)], 8);
  return addressFromBytes(bytes);
}
