/**
 * Links of kind "vxlan": Ethernet frames in UDP.
 *
 * Source: include/uapi/linux/if_link.h IFLA_VXLAN_*; drivers/net/vxlan/vxlan_core.c vxlan_policy and
 * vxlan_fill_info for layouts and byte order; RFC 7348.
 */
import type { Address } from "../../../addr/address.ts";
import {
  attribute,
  attributeTable,
  bytes,
  type Codec,
  decodeFailure,
  flag,
  ipAddress,
  struct,
  u8,
  u8Boolean,
  u16be,
  u32,
  u32be,
  type ValueOf,
} from "../../attribute.ts";

/** UDP source ports to spread flows over, both included; big-endian. */
const portRange = struct("ifla_vxlan_port_range", { low: u16be, high: u16be });

/**
 * Written as a flag (no payload), told as a u8. The kernel refuses a written u8: leave the attribute out rather than
 * writing false.
 */
const flagToldAsU8: Codec<boolean> = {
  encode: (value) => (value ? new Uint8Array(0) : new Uint8Array(1)),
  decode(payload) {
    if (payload.length > 1) throw decodeFailure(`expected at most 1 byte, got ${payload.length}`);
    return payload[0] !== 0;
  },
};

/** IFLA_INFO_DATA of a VXLAN link. */
export const vxlanTable = attributeTable("vxlan", () => ({
  /** VNI, 24 bits, host order. */
  vni: attribute("IFLA_VXLAN_ID", 1, u32),
  /** Where frames to unknown addresses go: a multicast group or one IPv4 VTEP. */
  group: attribute("IFLA_VXLAN_GROUP", 2, ipAddress),
  /** ifindex of the underlay link; sets the route lookup and the MTU. */
  link: attribute("IFLA_VXLAN_LINK", 3, u32),
  local: attribute("IFLA_VXLAN_LOCAL", 4, ipAddress),
  /** TTL of the outer packet; 0 lets the kernel choose. */
  ttl: attribute("IFLA_VXLAN_TTL", 5, u8),
  /** TOS of the outer packet; 1 copies the inner one. */
  tos: attribute("IFLA_VXLAN_TOS", 6, u8),
  /** Learns VTEPs from what arrives. */
  learning: attribute("IFLA_VXLAN_LEARNING", 7, u8Boolean),
  /** Seconds that a learned entry lives. */
  ageingSeconds: attribute("IFLA_VXLAN_AGEING", 8, u32),
  /** Most forwarding entries; 0 for no limit. */
  limit: attribute("IFLA_VXLAN_LIMIT", 9, u32),
  portRange: attribute("IFLA_VXLAN_PORT_RANGE", 10, portRange),
  /** Answers ARP and ND from the neighbour table. */
  proxy: attribute("IFLA_VXLAN_PROXY", 11, u8Boolean),
  /** Route short circuit. */
  shortCircuit: attribute("IFLA_VXLAN_RSC", 12, u8Boolean),
  notifyL2Miss: attribute("IFLA_VXLAN_L2MISS", 13, u8Boolean),
  notifyL3Miss: attribute("IFLA_VXLAN_L3MISS", 14, u8Boolean),
  /**
   * UDP port on which a VTEP receives.
   *
   * Wire: u16, big-endian, unlike the VNI beside it. Without this attribute Linux uses 8472, not IANA's 4789.
   */
  port: attribute("IFLA_VXLAN_PORT", 15, u16be),
  group6: attribute("IFLA_VXLAN_GROUP6", 16, ipAddress),
  local6: attribute("IFLA_VXLAN_LOCAL6", 17, ipAddress),
  udpChecksum: attribute("IFLA_VXLAN_UDP_CSUM", 18, u8Boolean),
  udpZeroChecksum6Transmit: attribute("IFLA_VXLAN_UDP_ZERO_CSUM6_TX", 19, u8Boolean),
  udpZeroChecksum6Receive: attribute("IFLA_VXLAN_UDP_ZERO_CSUM6_RX", 20, u8Boolean),
  remoteChecksumTransmit: attribute("IFLA_VXLAN_REMCSUM_TX", 21, u8Boolean),
  remoteChecksumReceive: attribute("IFLA_VXLAN_REMCSUM_RX", 22, u8Boolean),
  groupPolicy: attribute("IFLA_VXLAN_GBP", 23, flag),
  remoteChecksumNoPartial: attribute("IFLA_VXLAN_REMCSUM_NOPARTIAL", 24, flag),
  /** One link for all VNIs; each packet's metadata says which ("external"). */
  collectMetadata: attribute("IFLA_VXLAN_COLLECT_METADATA", 25, u8Boolean),
  /** IPv6 flow label of the outer packet, big-endian. */
  label: attribute("IFLA_VXLAN_LABEL", 26, u32be),
  genericProtocolExtension: attribute("IFLA_VXLAN_GPE", 27, flag),
  ttlInherit: attribute("IFLA_VXLAN_TTL_INHERIT", 28, flagToldAsU8),
  /** Don't-fragment bit of the outer IPv4 packet: 0 unset, 1 set, 2 as the inner one. */
  dontFragment: attribute("IFLA_VXLAN_DF", 29, u8),
  vniFilter: attribute("IFLA_VXLAN_VNIFILTER", 30, u8Boolean),
  localBypass: attribute("IFLA_VXLAN_LOCALBYPASS", 31, u8Boolean),
  labelPolicy: attribute("IFLA_VXLAN_LABEL_POLICY", 32, u32),
  reservedBits: attribute("IFLA_VXLAN_RESERVED_BITS", 33, bytes),
  multicastRoute: attribute("IFLA_VXLAN_MC_ROUTE", 34, u8Boolean),
}));

export type VxlanData = ValueOf<typeof vxlanTable>;

/** IANA's port for VXLAN. Source: RFC 7348 §5. */
export const VXLAN_PORT = 4789;

/** The attribute that holds the VTEP's own address: another one for each family. */
export function vxlanLocal(address: Address): Pick<VxlanData, "local" | "local6"> {
  return address.family === 4 ? { local: address } : { local6: address };
}

/** The attribute that holds the group or remote VTEP: another one for each family. */
export function vxlanGroup(address: Address): Pick<VxlanData, "group" | "group6"> {
  return address.family === 4 ? { group: address } : { group6: address };
}
