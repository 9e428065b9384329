/**
 * Links of kind "macvlan": a link with a MAC of its own on top of another (IFLA_LINK).
 *
 * Source: include/uapi/linux/if_link.h IFLA_MACVLAN_*; drivers/net/macvlan.c.
 */
import { attribute, attributeTable, i32, macAddress, nestedList, u16, u32 } from "../../attribute.ts";

/** Values of `mode`. They are bits, but only one may be set. */
export const MACVLAN_MODE_PRIVATE = 1;
export const MACVLAN_MODE_VEPA = 2;
export const MACVLAN_MODE_BRIDGE = 4;
export const MACVLAN_MODE_PASSTHRU = 8;
export const MACVLAN_MODE_SOURCE = 16;

/** IFLA_INFO_DATA of a macvlan. */
export const macvlanTable = attributeTable("macvlan", () => ({
  mode: attribute("IFLA_MACVLAN_MODE", 1, u32),
  flags: attribute("IFLA_MACVLAN_FLAGS", 2, u16),
  /** MACVLAN_MODE_SOURCE: what to do with `sourceAddress` (0 add, 1 delete, 2 flush, 3 set). */
  sourceAddressMode: attribute("IFLA_MACVLAN_MACADDR_MODE", 3, u32),
  sourceAddress: attribute("IFLA_MACVLAN_MACADDR", 4, macAddress),
  sourceAddresses: attribute(
    "IFLA_MACVLAN_MACADDR_DATA",
    5,
    nestedList("IFLA_MACVLAN_MACADDR", 4, macAddress),
  ),
  sourceAddressCount: attribute("IFLA_MACVLAN_MACADDR_COUNT", 6, u32),
  /** Broadcast frames that may wait; the kernel takes the largest wish of all links on the same lower link. */
  broadcastQueueLength: attribute("IFLA_MACVLAN_BC_QUEUE_LEN", 7, u32),
  /** Read only: the length in effect. */
  broadcastQueueLengthUsed: attribute("IFLA_MACVLAN_BC_QUEUE_LEN_USED", 8, u32),
  broadcastCutoff: attribute("IFLA_MACVLAN_BC_CUTOFF", 9, i32),
}));
