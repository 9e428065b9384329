/**
 * The layout of routes: `struct rtmsg`, RTA_*, and what is nested in them.
 *
 * Source: include/uapi/linux/rtnetlink.h; net/ipv4/fib_semantics.c for RTA_MULTIPATH and RTA_VIA.
 */
import { type Address, addressFromBytes, addressToBytes } from "../../addr/address.ts";
import {
  align4,
  attribute,
  attributeTable,
  bytes,
  type Codec,
  decodeFailure,
  i32,
  ipAddress,
  nestedBytes,
  struct,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  type ValueOf,
  zstring,
} from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import { concatBytes } from "../message.ts";
import { addressFamily } from "./family.ts";

/** Tables 1 to 252 are free; a `table` above 255 stands in RTA_TABLE alone. */
export const RT_TABLE_UNSPEC = 0;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

/** Who made a route. */
export const RTPROT_UNSPEC = 0;
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
/** Learned from a router advertisement. */
export const RTPROT_RA = 9;

/** How far the destination is. */
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
export const RT_SCOPE_NOWHERE = 255;

/** What happens to a packet. */
export const RTN_UNSPEC = 0;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_ANYCAST = 4;
export const RTN_MULTICAST = 5;
/** Dropped without a word. */
export const RTN_BLACKHOLE = 6;
/** Not in this table: the search goes on with the next rule. */
export const RTN_THROW = 9;

/** The gateway is taken to be on the link, whatever the addresses say. */
export const RTNH_F_ONLINK = 4;

/** Of a lookup: answer the route itself rather than the result of the lookup. */
export const RTM_F_FIB_MATCH = 0x2000;

const rtmsg = struct("rtmsg", {
  family: u8,
  destinationLength: u8,
  sourceLength: u8,
  tos: u8,
  /** Lower 8 bits; `table` has all. */
  headerTable: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: u32,
});

/** RTAX_*: what TCP and IP assume about the path. */
const metricsTable = attributeTable("route metrics", () => ({
  /** One bit for each metric (by its number) that may not be learned anew. */
  lock: attribute("RTAX_LOCK", 1, u32),
  mtu: attribute("RTAX_MTU", 2, u32),
  window: attribute("RTAX_WINDOW", 3, u32),
  rtt: attribute("RTAX_RTT", 4, u32),
  rttVariance: attribute("RTAX_RTTVAR", 5, u32),
  slowStartThreshold: attribute("RTAX_SSTHRESH", 6, u32),
  congestionWindow: attribute("RTAX_CWND", 7, u32),
  advmss: attribute("RTAX_ADVMSS", 8, u32),
  reordering: attribute("RTAX_REORDERING", 9, u32),
  hopLimit: attribute("RTAX_HOPLIMIT", 10, u32),
  initialCongestionWindow: attribute("RTAX_INITCWND", 11, u32),
  features: attribute("RTAX_FEATURES", 12, u32),
  rtoMin: attribute("RTAX_RTO_MIN", 13, u32),
  initialReceiveWindow: attribute("RTAX_INITRWND", 14, u32),
  quickAck: attribute("RTAX_QUICKACK", 15, u32),
  congestionAlgorithm: attribute("RTAX_CC_ALGO", 16, zstring),
  fastOpenNoCookie: attribute("RTAX_FASTOPEN_NO_COOKIE", 17, u32),
}));

export type RouteMetrics = ValueOf<typeof metricsTable>;

/** `struct rtvia`: a gateway of another family than the route's. u16 family in host order, then the address. */
const via: Codec<Address> = {
  encode: (gateway) => concatBytes([u16.encode(addressFamily(gateway.family)), addressToBytes(gateway)]),
  decode(payload) {
    if (payload.length !== 6 && payload.length !== 18) {
      throw decodeFailure(`expected 6 or 18 bytes, got ${payload.length}`, "rtvia");
    }
    return addressFromBytes(payload.subarray(2));
  },
};

const cacheInfo = struct("rta_cacheinfo", {
  clientReferences: u32,
  lastUse: u32,
  expires: i32,
  error: u32,
  used: u32,
  id: u32,
  timestamp: u32,
  timestampAge: u32,
});

/** What both a route and each of its nexthops may have. */
const nexthopRows = () => ({
  gateway: attribute("RTA_GATEWAY", 5, ipAddress),
  flow: attribute("RTA_FLOW", 11, u32),
  via: attribute("RTA_VIA", 18, via),
  newDestination: attribute("RTA_NEWDST", 19, bytes),
  encapsulationType: attribute("RTA_ENCAP_TYPE", 21, u16),
  /** Attributes whose meaning `encapsulationType` sets, as they stand on the wire. */
  encapsulation: attribute("RTA_ENCAP", 22, nestedBytes),
});

const nexthopTable = attributeTable("nexthop", nexthopRows);

const rtnexthop = struct("rtnexthop", { length: u16, flags: u8, hops: u8, ifindex: i32 });

/** One path of several. `hops` is its weight minus one. */
export type Nexthop = Partial<Omit<ValueOf<typeof rtnexthop>, "length">> & ValueOf<typeof nexthopTable>;

/** RTA_MULTIPATH: `struct rtnexthop`, each followed by its attributes; `length` spans both. */
const nexthops: Codec<readonly Nexthop[]> = {
  nested: true,
  encode: (all) => concatBytes(all.map(encodeNexthop)),
  decode(payload) {
    const all: Nexthop[] = [];
    for (let offset = 0; offset < payload.length; ) {
      const { length, ...fields } = rtnexthop.decodePrefix(payload.subarray(offset));
      if (length < rtnexthop.sizeBytes || offset + length > payload.length) {
        throw decodeFailure(`nexthop at byte ${offset} claims ${length} bytes`, "rtnexthop");
      }
      const attributes = payload.subarray(offset + rtnexthop.sizeBytes, offset + length);
      all.push({ ...fields, ...nexthopTable.decode(attributes) });
      offset += align4(length);
    }
    return all;
  },
};

function encodeNexthop({ flags = 0, hops = 0, ifindex = 0, ...attributes }: Nexthop): Uint8Array {
  const encoded = nexthopTable.encode(attributes);
  const length = rtnexthop.sizeBytes + encoded.length;
  return concatBytes([rtnexthop.encode({ length, flags, hops, ifindex }), encoded]);
}

export const routeTable = attributeTable("route", () => ({
  ...nexthopRows(),
  destination: attribute("RTA_DST", 1, ipAddress),
  source: attribute("RTA_SRC", 2, ipAddress),
  inputIfindex: attribute("RTA_IIF", 3, u32),
  ifindex: attribute("RTA_OIF", 4, u32),
  /** The metric: of several routes to one destination, the lowest wins. */
  priority: attribute("RTA_PRIORITY", 6, u32),
  /** Source address of what this host sends by the route. */
  preferredSource: attribute("RTA_PREFSRC", 7, ipAddress),
  metrics: attribute("RTA_METRICS", 8, metricsTable),
  multipath: attribute("RTA_MULTIPATH", 9, nexthops),
  cacheInfo: attribute("RTA_CACHEINFO", 12, cacheInfo),
  table: attribute("RTA_TABLE", 15, u32),
  mark: attribute("RTA_MARK", 16, u32),
  multicastStatistics: attribute("RTA_MFC_STATS", 17, bytes),
  /** IPv6 router preference. */
  preference: attribute("RTA_PREF", 20, u8),
  expiresSeconds: attribute("RTA_EXPIRES", 23, u32),
  uid: attribute("RTA_UID", 25, u32),
  ttlPropagate: attribute("RTA_TTL_PROPAGATE", 26, u8),
  ipProtocol: attribute("RTA_IP_PROTO", 27, u8),
  sourcePort: attribute("RTA_SPORT", 28, u16be),
  destinationPort: attribute("RTA_DPORT", 29, u16be),
  nexthopId: attribute("RTA_NH_ID", 30, u32),
  flowLabel: attribute("RTA_FLOWLABEL", 31, u32be),
}));

export const routeMessage = familyMessage(rtmsg, routeTable);

/** A route as the kernel tells it. */
export type Route = ValueOf<typeof routeMessage>;
