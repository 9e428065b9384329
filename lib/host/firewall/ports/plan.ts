/**
 * Published ports, as nf_tables objects, worked out without asking the kernel.
 *
 * A port is an element of a map, never a rule: the list that a packet is compared to does not grow. In nft's language,
 * with container 10.1.0.2 of network `web` on bridge `cni0` publishing its port 80 as 8080 of every address:
 *
 * ```
 * table inet fairlead {
 *   map portmap4 { type inet_proto . inet_service : ipv4_addr . inet_service
 *     elements = { tcp . 8080 comment "web/c1/eth0" : 10.1.0.2 . 80 } }
 *   map portmap-bound4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service }
 *   set portmap-kept4 { type inet_proto . ipv4_addr . inet_service }
 *   set portmap-masquerade4 { type ipv4_addr }
 *   set portmap-self4 { type ipv4_addr . ipv4_addr; elements = { 10.1.0.2 . 10.1.0.2 comment "web/c1/eth0" } }
 *                                                       (and all these again, for IPv6)
 *   set portmap-hairpin { type ifname . ifname; elements = { "cni0" . "cni0" } }
 *   set portmap-attachments { type ifname; elements = { "3f9c0d21b7a4e58" comment "web/c1/eth0 tcp/0.0.0.0:8080" } }
 *
 *   chain portmap-dnat {
 *     meta nfproto ipv4 meta l4proto . ip daddr . th dport @portmap-kept4 return
 *     meta nfproto ipv4 dnat ip to meta l4proto . ip daddr . th dport map @portmap-bound4
 *     meta nfproto ipv4 dnat ip to meta l4proto . th dport map @portmap4          (and again, for IPv6) }
 *   chain portmap-prerouting { type nat hook prerouting priority dstnat; fib daddr type local jump portmap-dnat }
 *   chain portmap-output { type nat hook output priority -100; fib daddr type local jump portmap-dnat }
 *   chain portmap-postrouting { type nat hook postrouting priority srcnat
 *     ct status dnat iifname . oifname @portmap-hairpin masquerade
 *     ct status dnat ip saddr 127.0.0.0/8 oifname . oifname @portmap-hairpin masquerade
 *     ct status dnat ip saddr . ip daddr @portmap-self4 masquerade
 *     ct status dnat ip daddr @portmap-masquerade4 masquerade                     (and again, for IPv6) }
 *   chain portmap-loopback { type filter hook prerouting priority raw
 *     iifname != "lo" ip daddr 127.0.0.0/8 drop
 *     iifname != "lo" ip saddr 127.0.0.0/8 drop }
 * }
 * ```
 *
 * `portmap-postrouting` hides the client's address only where an answer would not find its way back through this host:
 * from the loopback, and where the client is on the same link as the container. All other clients are seen by the
 * container as who they are. The container itself as a client has a rule of its own: on a host with br_netfilter, what
 * comes from a bridge and goes back to it is not routed but bridged, and then there is no `iifname` in this hook.
 *
 * `portmap-loopback` is the price of `route_localnet`, without which 127.0.0.1 cannot be translated: with it, a container
 * could reach what the host serves on its loopback alone (CVE-2020-8558). Loopback addresses have no business on a wire.
 * Source: RFC 1122 §3.2.1.3.
 */
import {
  type Address,
  addressFromBytes,
  addressToBytes,
  type Family,
  formatAddress,
} from "../../../addr/address.ts";
import { parsePrefix } from "../../../addr/prefix.ts";
import { u16be, u32 } from "../../../netlink/attribute.ts";
import { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from "../../../netlink/conntrack/message.ts";
import {
  type BaseChain,
  type ChainSpec,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
  NF_IP_PRI_NAT_DST,
  NF_IP_PRI_NAT_SRC,
  NF_IP_PRI_RAW,
} from "../../../netlink/nftables/chain.ts";
import {
  concatenate,
  type Datatype,
  IFNAME,
  INET_PROTO,
  INET_SERVICE,
  IPV4_ADDR,
  IPV6_ADDR,
  ifnameKey,
} from "../../../netlink/nftables/datatype.ts";
import { bitwise } from "../../../netlink/nftables/expr/bitwise.ts";
import { cmp, NFT_CMP_NEQ } from "../../../netlink/nftables/expr/cmp.ts";
import { ct, IPS_DST_NAT, NFT_CT_STATUS } from "../../../netlink/nftables/expr/ct.ts";
import { NFT_REG_1, NFT_REG_2, NFT_REG32_01, verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import {
  fib,
  NFT_FIB_RESULT_ADDRTYPE,
  NFTA_FIB_F_DADDR,
  RTN_LOCAL,
} from "../../../netlink/nftables/expr/fib.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import { lookup } from "../../../netlink/nftables/expr/lookup.ts";
import { masq } from "../../../netlink/nftables/expr/masq.ts";
import {
  meta,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_OIFNAME,
} from "../../../netlink/nftables/expr/meta.ts";
import {
  NF_NAT_RANGE_MAP_IPS,
  NF_NAT_RANGE_PROTO_SPECIFIED,
  NFT_NAT_DNAT,
  nat,
} from "../../../netlink/nftables/expr/nat.ts";
import { payload, TH_DPORT } from "../../../netlink/nftables/expr/payload.ts";
import {
  type AddressField,
  addressField,
  matchFamily,
  matchPrefix,
} from "../../../netlink/nftables/match.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6 } from "../../../netlink/nftables/message.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import { INSIDE } from "../table.ts";
import { type HostPort, isOfEveryAddress, PORT_PROTOCOLS, type PortProtocol } from "./holder.ts";

/** One port of this host that leads to one of a container, both of one family. */
export interface PublishedPort extends HostPort {
  readonly containerAddress: Address;
  readonly containerPort: number;
}

const FAMILIES: readonly Family[] = [4, 6];
/** Fields of a key begin at a register each. */
const REGISTER_BYTES = 4;

export const PROTOCOL_NUMBERS: Readonly<Record<PortProtocol, number>> = {
  tcp: IPPROTO_TCP,
  udp: IPPROTO_UDP,
  sctp: IPPROTO_SCTP,
};

function addressType(family: Family): Datatype {
  return family === 4 ? IPV4_ADDR : IPV6_ADDR;
}

/** The sets and maps of one family. */
export interface PortLane {
  readonly family: Family;
  /** Ports of every address. */
  readonly every: SetSpec;
  /** Ports of one address. */
  readonly bound: SetSpec;
  /** What an attachment would have, if another one of the same container did not have it. First field: whose. */
  readonly standby: SetSpec;
  /** What is not translated although `every` has it: Fairlead's own services on the host. */
  readonly kept: SetSpec;
  /** Containers from which every client is hidden. */
  readonly masquerade: SetSpec;
  /** Containers that may be clients of themselves: their address, twice. */
  readonly self: SetSpec;
}

function laneOf(family: Family): PortLane {
  const address = addressType(family);
  const target = { data: [address, INET_SERVICE] };
  const boundKey = [INET_PROTO, address, INET_SERVICE];
  return {
    family,
    every: { ...INSIDE, name: `portmap${family}`, key: [INET_PROTO, INET_SERVICE], ...target },
    bound: { ...INSIDE, name: `portmap-bound${family}`, key: boundKey, ...target },
    standby: { ...INSIDE, name: `portmap-standby${family}`, key: [IFNAME, ...boundKey], ...target },
    kept: { ...INSIDE, name: `portmap-kept${family}`, key: boundKey },
    masquerade: { ...INSIDE, name: `portmap-masquerade${family}`, key: [address] },
    self: { ...INSIDE, name: `portmap-self${family}`, key: [address, address] },
  };
}

let madeLanes: readonly PortLane[] | undefined;

/** Both lanes, always the same objects; made when first asked for, because most plugins ask for none. */
export function portLanes(): readonly PortLane[] {
  madeLanes ??= FAMILIES.map(laneOf);
  return madeLanes;
}

export function laneFor(family: Family): PortLane {
  return portLanes()[family === 4 ? 0 : 1] as PortLane;
}

/** Links of which clients and containers are masqueraded towards each other: `cni0 . cni0`. */
export const HAIRPIN: SetSpec = { ...INSIDE, name: "portmap-hairpin", key: [IFNAME, IFNAME] };
/** One element an attachment: see `firewall-portmap-holder.ts`. */
export const ATTACHMENTS: SetSpec = { ...INSIDE, name: "portmap-attachments", key: [IFNAME] };
/** Containers more than one attachment of which asks for one port. */
export const SHARED: SetSpec = { ...INSIDE, name: "portmap-shared", key: [IFNAME] };

/** Every set and map. */
export function portmapSets(): SetSpec[] {
  const ofLane = ({ every, bound, standby, kept, masquerade, self }: PortLane) => [
    every,
    bound,
    standby,
    kept,
    masquerade,
    self,
  ];
  return [...portLanes().flatMap(ofLane), HAIRPIN, ATTACHMENTS, SHARED];
}

/** A chain and all the rules that it has to hold, in order. */
export interface PortChain {
  readonly chain: ChainSpec;
  readonly rules: readonly (readonly Expression[])[];
}

const DNAT_CHAIN: ChainSpec = { ...INSIDE, name: "portmap-dnat" };

/** The chains, such that what is jumped to comes first. */
export function portmapChains(): PortChain[] {
  const named = (name: string, base: BaseChain): ChainSpec => ({
    ...INSIDE,
    name: `portmap-${name}`,
    base,
  });
  const nat = (hook: number, priority: number) => ({ type: "nat", hook, priority }) as const;
  const filter = (hook: number, priority: number) => ({ type: "filter", hook, priority }) as const;
  return [
    { chain: DNAT_CHAIN, rules: portLanes().flatMap(dnatRules) },
    { chain: named("prerouting", nat(NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST)), rules: [localRule()] },
    { chain: named("output", nat(NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST)), rules: [localRule()] },
    { chain: named("postrouting", nat(NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC)), rules: masqueradeRules() },
    { chain: named("loopback", filter(NF_INET_PRE_ROUTING, NF_IP_PRI_RAW)), rules: loopbackRules() },
  ];
}

/**
 * How many uses the kernel counts of each chain that {@link portmapChains} describes: its rules, and what jumps to it.
 * Written down, because to make the rules just to count them would take longer than all else about an ADD.
 */
export const PORTMAP_CHAIN_USES: Readonly<Record<string, number>> = {
  [DNAT_CHAIN.name]: 6 + 2,
  "portmap-prerouting": 1,
  "portmap-output": 1,
  "portmap-postrouting": 6,
  "portmap-loopback": 2,
};

/** Loads protocol, address and port into the registers from the first on. */
function loadKey(family: Family, withAddress: boolean): Expression[] {
  const addressRegisters = withAddress ? addressType(family).length / REGISTER_BYTES : 0;
  const portRegister = NFT_REG32_01 + addressRegisters;
  return [
    meta(NFT_META_L4PROTO, NFT_REG_1),
    ...(withAddress ? [payload(addressField(family, "daddr"), NFT_REG32_01)] : []),
    payload(TH_DPORT, portRegister),
  ];
}

function dnatRules({ family, every, bound, kept }: PortLane): Expression[][] {
  const translate = ({ name }: SetSpec) => [
    lookup({ set: name, sreg: NFT_REG_1, dreg: NFT_REG_1 }),
    natTo(family),
  ];
  const returns = [lookup({ set: kept.name, sreg: NFT_REG_1 }), immediateVerdict(verdict.return)];
  return [
    [...matchFamily(family), ...loadKey(family, true), ...returns],
    [...matchFamily(family), ...loadKey(family, true), ...translate(bound)],
    [...matchFamily(family), ...loadKey(family, false), ...translate(every)],
  ];
}

/** The register behind an address that begins at the first. */
function registerAfterAddress(family: Family): number {
  return family === 4 ? NFT_REG32_01 : NFT_REG_2;
}

/** The address is in the first register, the port behind it. All attributes as the kernel lists them. */
function natTo(family: Family): Expression {
  const port = registerAfterAddress(family);
  return nat({
    type: NFT_NAT_DNAT,
    family: family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
    addrMinRegister: NFT_REG_1,
    addrMaxRegister: NFT_REG_1,
    protoMinRegister: port,
    protoMaxRegister: port,
    flags: NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED,
  });
}

/** `fib daddr type local jump portmap-dnat`. */
function localRule(): Expression[] {
  return [
    fib({ flags: NFTA_FIB_F_DADDR, result: NFT_FIB_RESULT_ADDRTYPE, dreg: NFT_REG_1 }),
    cmp(NFT_REG_1, u32.encode(RTN_LOCAL)),
    immediateVerdict(verdict.jump(DNAT_CHAIN.name)),
  ];
}

/** `ct status dnat`. */
function matchTranslated(): Expression[] {
  const [mask, none] = [u32.encode(IPS_DST_NAT), u32.encode(0)];
  return [ct(NFT_CT_STATUS, NFT_REG_1), bitwise(NFT_REG_1, mask), cmp(NFT_REG_1, none, NFT_CMP_NEQ)];
}

function matchHairpin(firstName: number): Expression[] {
  return [
    meta(firstName, NFT_REG_1),
    meta(NFT_META_OIFNAME, NFT_REG_2),
    lookup({ set: HAIRPIN.name, sreg: NFT_REG_1 }),
  ];
}

const IPV4_LOOPBACK = "127.0.0.0/8";

function masqueradeRules(): Expression[][] {
  const fromLoopback = matchPrefix(parsePrefix(IPV4_LOOPBACK), "saddr");
  const towards = ({ family, masquerade }: PortLane) => [
    ...matchTranslated(),
    ...matchFamily(family),
    payload(addressField(family, "daddr"), NFT_REG_1),
    lookup({ set: masquerade.name, sreg: NFT_REG_1 }),
    masq(),
  ];
  const towardsSelf = ({ family, self }: PortLane) => [
    ...matchTranslated(),
    ...matchFamily(family),
    payload(addressField(family, "saddr"), NFT_REG_1),
    payload(addressField(family, "daddr"), registerAfterAddress(family)),
    lookup({ set: self.name, sreg: NFT_REG_1 }),
    masq(),
  ];
  return [
    [...matchTranslated(), ...matchHairpin(NFT_META_IIFNAME), masq()],
    [...matchTranslated(), ...fromLoopback, ...matchHairpin(NFT_META_OIFNAME), masq()],
    ...portLanes().map(towardsSelf),
    ...portLanes().map(towards),
  ];
}

function loopbackRules(): Expression[][] {
  const drop = (field: AddressField) => [
    meta(NFT_META_IIFNAME, NFT_REG_1),
    cmp(NFT_REG_1, ifnameKey("lo"), NFT_CMP_NEQ),
    ...matchPrefix(parsePrefix(IPV4_LOOPBACK), field),
    immediateVerdict(verdict.drop),
  ];
  return [drop("daddr"), drop("saddr")];
}

/** The map that an active port is in. */
export function mapOf(port: HostPort): SetSpec {
  const { every, bound } = laneFor(port.hostAddress.family);
  return isOfEveryAddress(port) ? every : bound;
}

function fieldsOf({ protocol, hostAddress, hostPort }: HostPort, withAddress: boolean): Uint8Array[] {
  const number = Uint8Array.of(PROTOCOL_NUMBERS[protocol]);
  return [number, ...(withAddress ? [addressToBytes(hostAddress)] : []), u16be.encode(hostPort)];
}

/** Key of a port in {@link mapOf}. */
export function portKey(port: HostPort): Uint8Array {
  return concatenate(fieldsOf(port, !isOfEveryAddress(port)));
}

/** Key of a port in `kept` and, after its holder's, in `standby`: always with the address. */
export function portKeyWithAddress(port: HostPort): Uint8Array {
  return concatenate(fieldsOf(port, true));
}

/** What a port maps to. */
export function portTarget({ containerAddress, containerPort }: PublishedPort): Uint8Array {
  return concatenate([addressToBytes(containerAddress), u16be.encode(containerPort)]);
}

/** The addresses that ports lead to, each once. */
export function targetsOf(ports: readonly PublishedPort[]): Address[] {
  const byText = new Map(
    ports.map(({ containerAddress }) => [formatAddress(containerAddress), containerAddress]),
  );
  return [...byText.values()];
}

/** Key of a container in `self`. */
export function selfKey(address: Address): Uint8Array {
  return concatenate([addressToBytes(address), addressToBytes(address)]);
}

/** Key of a link in {@link HAIRPIN}. */
export function hairpinKey(ifname: string): Uint8Array {
  return concatenate([ifnameKey(ifname), ifnameKey(ifname)]);
}

/** Reads an element of `every`, `bound` or (less its holder's key) `standby`; null for a protocol of somebody else. */
export function readPort(family: Family, key: Uint8Array, target: Uint8Array): PublishedPort | null {
  const protocol = PORT_PROTOCOLS.find((name) => PROTOCOL_NUMBERS[name] === key[0]);
  const addressBytes = family === 4 ? IPV4_ADDR.length : IPV6_ADDR.length;
  if (protocol === undefined || target.length !== addressBytes + REGISTER_BYTES) return null;
  const hasAddress = key.length > 2 * REGISTER_BYTES;
  const afterAddress = REGISTER_BYTES + (hasAddress ? addressBytes : 0);
  return {
    protocol,
    hostAddress: hasAddress
      ? addressFromBytes(key.slice(REGISTER_BYTES, afterAddress))
      : { family, value: 0n },
    hostPort: u16be.decode(key.slice(afterAddress, afterAddress + 2)),
    containerAddress: addressFromBytes(target.slice(0, addressBytes)),
    containerPort: u16be.decode(target.slice(addressBytes, addressBytes + 2)),
  };
}
