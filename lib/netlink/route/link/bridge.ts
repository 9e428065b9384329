/**
 * Links of kind "bridge", and what such a bridge keeps about each of its ports.
 *
 * Times are in USER_HZ ticks, hundredths of a second.
 *
 * Source: include/uapi/linux/if_link.h IFLA_BR_*, IFLA_BRPORT_*; net/bridge/br_netlink.c for the layouts.
 */
import {
  attribute,
  attributeTable,
  bytes,
  flag,
  macAddress,
  struct,
  u8,
  u8Boolean,
  u16,
  u16be,
  u32,
  u64,
  type ValueOf,
} from "../../attribute.ts";

/** 802.1D bridge identifier; both parts are in network order. */
const bridgeId = struct("ifla_bridge_id", { priority: u16be, address: macAddress });

/** Switches of which only those in `mask` are meant. Bits: enum br_boolopt_id. */
const booleanOptions = struct("br_boolopt_multi", { values: u32, mask: u32 });

/** IFLA_INFO_DATA of a bridge. */
export const bridgeTable = attributeTable("bridge", () => ({
  forwardDelay: attribute("IFLA_BR_FORWARD_DELAY", 1, u32),
  helloTime: attribute("IFLA_BR_HELLO_TIME", 2, u32),
  maxAge: attribute("IFLA_BR_MAX_AGE", 3, u32),
  ageingTime: attribute("IFLA_BR_AGEING_TIME", 4, u32),
  /** 0 off, 1 in the kernel, 2 by a user-space daemon. */
  stpState: attribute("IFLA_BR_STP_STATE", 5, u32),
  priority: attribute("IFLA_BR_PRIORITY", 6, u16),
  /** Needs CONFIG_BRIDGE_VLAN_FILTERING; without it the kernel answers EOPNOTSUPP. */
  vlanFiltering: attribute("IFLA_BR_VLAN_FILTERING", 7, u8Boolean),
  /** Ethertype, big-endian: 0x8100 or 0x88a8. */
  vlanProtocol: attribute("IFLA_BR_VLAN_PROTOCOL", 8, u16be),
  groupForwardMask: attribute("IFLA_BR_GROUP_FWD_MASK", 9, u16),
  rootId: attribute("IFLA_BR_ROOT_ID", 10, bridgeId),
  bridgeId: attribute("IFLA_BR_BRIDGE_ID", 11, bridgeId),
  rootPort: attribute("IFLA_BR_ROOT_PORT", 12, u16),
  rootPathCost: attribute("IFLA_BR_ROOT_PATH_COST", 13, u32),
  topologyChange: attribute("IFLA_BR_TOPOLOGY_CHANGE", 14, u8Boolean),
  topologyChangeDetected: attribute("IFLA_BR_TOPOLOGY_CHANGE_DETECTED", 15, u8Boolean),
  helloTimer: attribute("IFLA_BR_HELLO_TIMER", 16, u64),
  tcnTimer: attribute("IFLA_BR_TCN_TIMER", 17, u64),
  topologyChangeTimer: attribute("IFLA_BR_TOPOLOGY_CHANGE_TIMER", 18, u64),
  gcTimer: attribute("IFLA_BR_GC_TIMER", 19, u64),
  groupAddress: attribute("IFLA_BR_GROUP_ADDR", 20, macAddress),
  /** Write only: forgets all learned addresses. */
  fdbFlush: attribute("IFLA_BR_FDB_FLUSH", 21, flag),
  multicastRouter: attribute("IFLA_BR_MCAST_ROUTER", 22, u8),
  multicastSnooping: attribute("IFLA_BR_MCAST_SNOOPING", 23, u8Boolean),
  multicastQueryUseIfaddr: attribute("IFLA_BR_MCAST_QUERY_USE_IFADDR", 24, u8Boolean),
  multicastQuerier: attribute("IFLA_BR_MCAST_QUERIER", 25, u8Boolean),
  multicastHashElasticity: attribute("IFLA_BR_MCAST_HASH_ELASTICITY", 26, u32),
  multicastHashMax: attribute("IFLA_BR_MCAST_HASH_MAX", 27, u32),
  multicastLastMemberCount: attribute("IFLA_BR_MCAST_LAST_MEMBER_CNT", 28, u32),
  multicastStartupQueryCount: attribute("IFLA_BR_MCAST_STARTUP_QUERY_CNT", 29, u32),
  multicastLastMemberInterval: attribute("IFLA_BR_MCAST_LAST_MEMBER_INTVL", 30, u64),
  multicastMembershipInterval: attribute("IFLA_BR_MCAST_MEMBERSHIP_INTVL", 31, u64),
  multicastQuerierInterval: attribute("IFLA_BR_MCAST_QUERIER_INTVL", 32, u64),
  multicastQueryInterval: attribute("IFLA_BR_MCAST_QUERY_INTVL", 33, u64),
  multicastQueryResponseInterval: attribute("IFLA_BR_MCAST_QUERY_RESPONSE_INTVL", 34, u64),
  multicastStartupQueryInterval: attribute("IFLA_BR_MCAST_STARTUP_QUERY_INTVL", 35, u64),
  callIptables: attribute("IFLA_BR_NF_CALL_IPTABLES", 36, u8Boolean),
  callIp6tables: attribute("IFLA_BR_NF_CALL_IP6TABLES", 37, u8Boolean),
  callArptables: attribute("IFLA_BR_NF_CALL_ARPTABLES", 38, u8Boolean),
  /** VLAN that untagged frames belong to on a new port; 0 for none. */
  vlanDefaultPvid: attribute("IFLA_BR_VLAN_DEFAULT_PVID", 39, u16),
  vlanStatistics: attribute("IFLA_BR_VLAN_STATS_ENABLED", 41, u8Boolean),
  multicastStatistics: attribute("IFLA_BR_MCAST_STATS_ENABLED", 42, u8Boolean),
  multicastIgmpVersion: attribute("IFLA_BR_MCAST_IGMP_VERSION", 43, u8),
  multicastMldVersion: attribute("IFLA_BR_MCAST_MLD_VERSION", 44, u8),
  vlanStatisticsPerPort: attribute("IFLA_BR_VLAN_STATS_PER_PORT", 45, u8Boolean),
  booleanOptions: attribute("IFLA_BR_MULTI_BOOLOPT", 46, booleanOptions),
  multicastQuerierState: attribute("IFLA_BR_MCAST_QUERIER_STATE", 47, bytes),
  fdbLearnedCount: attribute("IFLA_BR_FDB_N_LEARNED", 48, u32),
  /** 0 for no limit. */
  fdbLearnedMax: attribute("IFLA_BR_FDB_MAX_LEARNED", 49, u32),
}));

/** Values of {@link bridgePortTable}'s `state`. Source: include/uapi/linux/if_bridge.h. */
export const BR_STATE_DISABLED = 0;
export const BR_STATE_FORWARDING = 3;

/** IFLA_INFO_SLAVE_DATA of a bridge's port, and IFLA_PROTINFO in messages of AF_BRIDGE. */
export const bridgePortTable = attributeTable("bridge port", () => ({
  state: attribute("IFLA_BRPORT_STATE", 1, u8),
  priority: attribute("IFLA_BRPORT_PRIORITY", 2, u16),
  cost: attribute("IFLA_BRPORT_COST", 3, u32),
  /** A frame may leave by the port that it came in by. */
  hairpin: attribute("IFLA_BRPORT_MODE", 4, u8Boolean),
  /** BPDU guard: a BPDU that comes in disables the port. */
  guard: attribute("IFLA_BRPORT_GUARD", 5, u8Boolean),
  /** Root block: the port never becomes the root port. */
  protect: attribute("IFLA_BRPORT_PROTECT", 6, u8Boolean),
  fastLeave: attribute("IFLA_BRPORT_FAST_LEAVE", 7, u8Boolean),
  learning: attribute("IFLA_BRPORT_LEARNING", 8, u8Boolean),
  /** Sends unicast frames to unknown addresses here. */
  unicastFlood: attribute("IFLA_BRPORT_UNICAST_FLOOD", 9, u8Boolean),
  proxyArp: attribute("IFLA_BRPORT_PROXYARP", 10, u8Boolean),
  learningSync: attribute("IFLA_BRPORT_LEARNING_SYNC", 11, u8Boolean),
  proxyArpWifi: attribute("IFLA_BRPORT_PROXYARP_WIFI", 12, u8Boolean),
  rootId: attribute("IFLA_BRPORT_ROOT_ID", 13, bridgeId),
  bridgeId: attribute("IFLA_BRPORT_BRIDGE_ID", 14, bridgeId),
  designatedPort: attribute("IFLA_BRPORT_DESIGNATED_PORT", 15, u16),
  designatedCost: attribute("IFLA_BRPORT_DESIGNATED_COST", 16, u16),
  id: attribute("IFLA_BRPORT_ID", 17, u16),
  number: attribute("IFLA_BRPORT_NO", 18, u16),
  topologyChangeAck: attribute("IFLA_BRPORT_TOPOLOGY_CHANGE_ACK", 19, u8Boolean),
  configPending: attribute("IFLA_BRPORT_CONFIG_PENDING", 20, u8Boolean),
  messageAgeTimer: attribute("IFLA_BRPORT_MESSAGE_AGE_TIMER", 21, u64),
  forwardDelayTimer: attribute("IFLA_BRPORT_FORWARD_DELAY_TIMER", 22, u64),
  holdTimer: attribute("IFLA_BRPORT_HOLD_TIMER", 23, u64),
  /** Write only: forgets the addresses learned on this port. */
  flush: attribute("IFLA_BRPORT_FLUSH", 24, flag),
  multicastRouter: attribute("IFLA_BRPORT_MULTICAST_ROUTER", 25, u8),
  multicastFlood: attribute("IFLA_BRPORT_MCAST_FLOOD", 27, u8Boolean),
  multicastToUnicast: attribute("IFLA_BRPORT_MCAST_TO_UCAST", 28, u8Boolean),
  vlanTunnel: attribute("IFLA_BRPORT_VLAN_TUNNEL", 29, u8Boolean),
  broadcastFlood: attribute("IFLA_BRPORT_BCAST_FLOOD", 30, u8Boolean),
  groupForwardMask: attribute("IFLA_BRPORT_GROUP_FWD_MASK", 31, u16),
  /** Answers ARP and ND for neighbours that are known behind this port, instead of flooding to it. */
  neighbourSuppression: attribute("IFLA_BRPORT_NEIGH_SUPPRESS", 32, u8Boolean),
  /** Exchanges no frames with other isolated ports. */
  isolated: attribute("IFLA_BRPORT_ISOLATED", 33, u8Boolean),
  backupPort: attribute("IFLA_BRPORT_BACKUP_PORT", 34, u32),
  mrpRingOpen: attribute("IFLA_BRPORT_MRP_RING_OPEN", 35, u8Boolean),
  mrpInOpen: attribute("IFLA_BRPORT_MRP_IN_OPEN", 36, u8Boolean),
  multicastEhtHostsLimit: attribute("IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT", 37, u32),
  multicastEhtHostsCount: attribute("IFLA_BRPORT_MCAST_EHT_HOSTS_CNT", 38, u32),
  /** Lets in only frames whose source address is a forwarding entry of this port. */
  locked: attribute("IFLA_BRPORT_LOCKED", 39, u8Boolean),
  macAuthenticationBypass: attribute("IFLA_BRPORT_MAB", 40, u8Boolean),
  multicastGroupCount: attribute("IFLA_BRPORT_MCAST_N_GROUPS", 41, u32),
  multicastGroupMax: attribute("IFLA_BRPORT_MCAST_MAX_GROUPS", 42, u32),
  neighbourVlanSuppression: attribute("IFLA_BRPORT_NEIGH_VLAN_SUPPRESS", 43, u8Boolean),
  backupNexthopId: attribute("IFLA_BRPORT_BACKUP_NHID", 44, u32),
}));

export type BridgePortData = ValueOf<typeof bridgePortTable>;
