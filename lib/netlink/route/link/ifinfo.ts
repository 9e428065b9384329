/**
 * What every link has, whatever its kind: `struct ifinfomsg` and the attributes IFLA_*.
 *
 * Apart from `route/link.ts`, because the peer inside a veth's own data is a link again.
 *
 * Source: include/uapi/linux/if_link.h, include/uapi/linux/rtnetlink.h struct ifinfomsg, include/uapi/linux/if.h.
 */
import {
  attribute,
  attributeTable,
  bytes,
  hardwareAddress,
  i32,
  pad,
  repeated,
  struct,
  u8,
  u16,
  u32,
  zstring,
} from "../../attribute.ts";

/** Administratively up. */
export const IFF_UP = 0x1;
export const IFF_PROMISC = 0x100;

/** Value of `operstate`. Source: include/uapi/linux/if.h, RFC 2863 §3.1.14. */
export const IF_OPER_UP = 6;

/** `flags` takes effect only where `changeMask` has a one. */
export const ifinfomsg = struct("ifinfomsg", {
  family: u8,
  _pad: pad(1),
  /** ARPHRD_*: 1 for Ethernet, 772 for loopback. */
  linkType: u16,
  ifindex: i32,
  flags: u32,
  changeMask: u32,
});

/** Value of `addressGenerationMode`: how IPv6 makes the link-local address. Source: if_link.h. */
export const IN6_ADDR_GEN_MODE_EUI64 = 0;

const inetTable = attributeTable("link inet", () => ({
  /** u32 array, indexed by IPV4_DEVCONF_* minus one. */
  configuration: attribute("IFLA_INET_CONF", 1, bytes),
}));

const inet6Table = attributeTable("link inet6", () => ({
  flags: attribute("IFLA_INET6_FLAGS", 1, u32),
  /** s32 array, indexed by DEVCONF_*. */
  configuration: attribute("IFLA_INET6_CONF", 2, bytes),
  statistics: attribute("IFLA_INET6_STATS", 3, bytes),
  cacheInfo: attribute("IFLA_INET6_CACHEINFO", 5, bytes),
  icmpStatistics: attribute("IFLA_INET6_ICMP6STATS", 6, bytes),
  token: attribute("IFLA_INET6_TOKEN", 7, bytes),
  addressGenerationMode: attribute("IFLA_INET6_ADDR_GEN_MODE", 8, u8),
  raMtu: attribute("IFLA_INET6_RA_MTU", 9, u32),
}));

/** Here the attribute type is the address family itself. A message of AF_BRIDGE has another layout. */
const afSpecTable = attributeTable("link families", () => ({
  inet: attribute("AF_INET", 2, inetTable),
  inet6: attribute("AF_INET6", 10, inet6Table),
}));

const propertyTable = attributeTable("link properties", () => ({
  alternativeNames: repeated("IFLA_ALT_IFNAME", 53, zstring),
}));

/** Every attribute of a link but IFLA_LINKINFO. The same rows for every table that has them. */
export function linkRows() {
  sharedRows ??= makeRows();
  return sharedRows;
}

let sharedRows: ReturnType<typeof makeRows> | undefined;

const makeRows = () => ({
  address: attribute("IFLA_ADDRESS", 1, hardwareAddress),
  broadcast: attribute("IFLA_BROADCAST", 2, hardwareAddress),
  ifname: attribute("IFLA_IFNAME", 3, zstring),
  /** Bytes of layer 3 that fit one frame. */
  mtu: attribute("IFLA_MTU", 4, u32),
  /** ifindex of the link below (macvlan, vlan), or of the peer (veth): in the netns `linkNetnsId`, if that is set. */
  link: attribute("IFLA_LINK", 5, u32),
  qdisc: attribute("IFLA_QDISC", 6, zstring),
  /** struct rtnl_link_stats, which grows with the kernel. */
  statistics: attribute("IFLA_STATS", 7, bytes),
  /** ifindex of the bridge (or bond, VRF) that the link is a port of. Writing 0 takes it out. */
  master: attribute("IFLA_MASTER", 10, u32),
  /** Packets. */
  transmitQueueLength: attribute("IFLA_TXQLEN", 13, u32),
  map: attribute("IFLA_MAP", 14, bytes),
  weight: attribute("IFLA_WEIGHT", 15, u32),
  operstate: attribute("IFLA_OPERSTATE", 16, u8),
  linkMode: attribute("IFLA_LINKMODE", 17, u8),
  /** Write only: moves the link to the netns of this process. */
  netNsPid: attribute("IFLA_NET_NS_PID", 19, u32),
  /** Free text, up to 255 bytes. Ignored in the request that makes the link. */
  alias: attribute("IFLA_IFALIAS", 20, zstring),
  virtualFunctions: attribute("IFLA_NUM_VF", 21, u32),
  /** struct rtnl_link_stats64, which grows with the kernel. */
  statistics64: attribute("IFLA_STATS64", 23, bytes),
  families: attribute("IFLA_AF_SPEC", 26, afSpecTable),
  group: attribute("IFLA_GROUP", 27, u32),
  /** Write only: moves the link to, or makes it in, the netns of this file descriptor. */
  netNsFd: attribute("IFLA_NET_NS_FD", 28, u32),
  /** Of a get request: RTEXT_FILTER_*. */
  extendedMask: attribute("IFLA_EXT_MASK", 29, u32),
  promiscuity: attribute("IFLA_PROMISCUITY", 30, u32),
  transmitQueues: attribute("IFLA_NUM_TX_QUEUES", 31, u32),
  receiveQueues: attribute("IFLA_NUM_RX_QUEUES", 32, u32),
  carrier: attribute("IFLA_CARRIER", 33, u8),
  carrierChanges: attribute("IFLA_CARRIER_CHANGES", 35, u32),
  /** Identifies the netns of `link`, for this netns; -1 when it has no such number. */
  linkNetnsId: attribute("IFLA_LINK_NETNSID", 37, i32),
  protoDown: attribute("IFLA_PROTO_DOWN", 39, u8),
  gsoMaxSegments: attribute("IFLA_GSO_MAX_SEGS", 40, u32),
  gsoMaxSize: attribute("IFLA_GSO_MAX_SIZE", 41, u32),
  newNetnsId: attribute("IFLA_NEW_NETNSID", 45, i32),
  /** Of a request: the netns to act in. Of a reply: the netns that was acted in. */
  targetNetnsId: attribute("IFLA_TARGET_NETNSID", 46, i32),
  carrierUpCount: attribute("IFLA_CARRIER_UP_COUNT", 47, u32),
  carrierDownCount: attribute("IFLA_CARRIER_DOWN_COUNT", 48, u32),
  newIfindex: attribute("IFLA_NEW_IFINDEX", 49, i32),
  minMtu: attribute("IFLA_MIN_MTU", 50, u32),
  maxMtu: attribute("IFLA_MAX_MTU", 51, u32),
  properties: attribute("IFLA_PROP_LIST", 52, propertyTable),
  alternativeName: attribute("IFLA_ALT_IFNAME", 53, zstring),
  permanentAddress: attribute("IFLA_PERM_ADDRESS", 54, hardwareAddress),
  parentDeviceName: attribute("IFLA_PARENT_DEV_NAME", 56, zstring),
  parentDeviceBus: attribute("IFLA_PARENT_DEV_BUS_NAME", 57, zstring),
  groMaxSize: attribute("IFLA_GRO_MAX_SIZE", 58, u32),
  tsoMaxSize: attribute("IFLA_TSO_MAX_SIZE", 59, u32),
  tsoMaxSegments: attribute("IFLA_TSO_MAX_SEGS", 60, u32),
  allmulti: attribute("IFLA_ALLMULTI", 61, u32),
  gsoIpv4MaxSize: attribute("IFLA_GSO_IPV4_MAX_SIZE", 63, u32),
  groIpv4MaxSize: attribute("IFLA_GRO_IPV4_MAX_SIZE", 64, u32),
  /** The link cannot leave its netns. */
  netnsImmutable: attribute("IFLA_NETNS_IMMUTABLE", 67, u8),
  headroomBytes: attribute("IFLA_HEADROOM", 68, u16),
  tailroomBytes: attribute("IFLA_TAILROOM", 69, u16),
});
