/**
 * VLANs of a bridge's ports: what `bridge vlan` shows and changes, in messages of AF_BRIDGE.
 *
 * Needs CONFIG_BRIDGE_VLAN_FILTERING; without it the kernel answers EOPNOTSUPP.
 *
 * Source: include/uapi/linux/if_bridge.h; net/bridge/br_netlink.c br_afspec, br_process_vlan_info.
 */

import { attribute, attributeTable, repeated, struct, u16, type ValueOf } from "../attribute.ts";
import { encodeFailure } from "../codec.ts";
import { familyMessage } from "../family-message.ts";
import type { NetlinkRequest, RequestVerb } from "../request.ts";
import { AF_BRIDGE, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK } from "./family.ts";
import { bridgePortTable } from "./link/bridge.ts";
import { ifinfomsg, linkRows } from "./link/ifinfo.ts";

/** The change is for the link itself: it is the bridge. */
const BRIDGE_FLAGS_SELF = 2;

/** Untagged frames that come in belong to this VLAN. */
export const BRIDGE_VLAN_INFO_PVID = 2;
/** Frames of this VLAN go out untagged. */
export const BRIDGE_VLAN_INFO_UNTAGGED = 4;
export const BRIDGE_VLAN_INFO_RANGE_BEGIN = 8;
export const BRIDGE_VLAN_INFO_RANGE_END = 16;

/** In an answer, VLANs that follow one another and are alike are told as a range. Source: rtnetlink.h. */
const RTEXT_FILTER_BRVLAN_COMPRESSED = 1 << 2;

/** Highest VLAN ID; 0 and 4095 are reserved. Source: IEEE 802.1Q-2018 table 9-2. */
const VLAN_LAST = 4094;

const bridgeVlanInfo = struct("bridge_vlan_info", { flags: u16, vlan: u16 });

/** IFLA_AF_SPEC as messages of AF_BRIDGE have it. */
const bridgeSpecTable = attributeTable("bridge families", () => ({
  flags: attribute("IFLA_BRIDGE_FLAGS", 0, u16),
  mode: attribute("IFLA_BRIDGE_MODE", 1, u16),
  vlans: repeated("IFLA_BRIDGE_VLAN_INFO", 2, bridgeVlanInfo),
}));

const bridgeLinkTable = attributeTable("bridge link", () => ({
  ...linkRows(),
  port: attribute("IFLA_PROTINFO", 12, bridgePortTable),
  /** In the place of what a link of AF_UNSPEC has under this number. */
  families: attribute("IFLA_AF_SPEC", 26, bridgeSpecTable),
}));

export const bridgeLinkMessage = familyMessage(ifinfomsg, bridgeLinkTable);
export type BridgeLink = ValueOf<typeof bridgeLinkMessage>;

/** One VLAN, or all from `vlan` to `lastVlan`, both included. */
export interface PortVlan {
  readonly vlan: number;
  readonly lastVlan?: number;
  /** Untagged frames that come in belong to it. Not for a range. */
  readonly pvid?: boolean;
  /** Its frames go out untagged. */
  readonly untagged?: boolean;
}

/** Where VLANs are changed. */
export interface VlanTarget {
  /** A port of a bridge, or the bridge itself. */
  readonly ifindex: number;
  /** It is the bridge itself. Default: false. */
  readonly self?: boolean;
}

/**
 * Adds VLANs to a port, or changes those that it has. Idempotent.
 *
 * @throws {FairleadError} `unsupported-field`: a VLAN ID outside 1 to 4094, or a range that is one PVID.
 */
export function addBridgeVlans(target: VlanTarget, vlans: readonly PortVlan[]): NetlinkRequest {
  return vlanRequest({ type: RTM_SETLINK, operation: "add VLANs to bridge port" }, target, vlans);
}

/** Takes VLANs from a port. Those that it does not have are ignored by the kernel. */
export function deleteBridgeVlans(target: VlanTarget, vlans: readonly PortVlan[]): NetlinkRequest {
  return vlanRequest({ type: RTM_DELLINK, operation: "delete VLANs of bridge port" }, target, vlans);
}

function vlanRequest(
  { type, operation }: Omit<RequestVerb, "flags">,
  { ifindex, self = false }: VlanTarget,
  vlans: readonly PortVlan[],
): NetlinkRequest {
  const flags = self ? BRIDGE_FLAGS_SELF : undefined;
  const families = { flags, vlans: vlans.flatMap(toVlanInfo) };
  return {
    type,
    flags: 0,
    payload: bridgeLinkMessage.encode({ family: AF_BRIDGE, ifindex, families }),
    operation,
    object: `ifindex ${ifindex}`,
  };
}

type VlanInfo = ValueOf<typeof bridgeVlanInfo>;

/** One attribute for a VLAN, two for a range: its begin and its end. */
function toVlanInfo({ vlan, lastVlan = vlan, pvid = false, untagged = false }: PortVlan): VlanInfo[] {
  if (vlan < 1 || lastVlan > VLAN_LAST || lastVlan < vlan) {
    throw encodeFailure(`${vlan} to ${lastVlan} is not a range of VLAN IDs (1 to ${VLAN_LAST})`);
  }
  if (pvid && lastVlan !== vlan) throw encodeFailure(`a range (${vlan} to ${lastVlan}) cannot be the PVID`);
  const flags = (pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0);
  if (lastVlan === vlan) return [{ flags, vlan }];
  return [
    { flags: flags | BRIDGE_VLAN_INFO_RANGE_BEGIN, vlan },
    { flags: flags | BRIDGE_VLAN_INFO_RANGE_END, vlan: lastVlan },
  ];
}

/** The VLANs of a link that {@link getBridgeVlans} told: ranges are joined again. */
export function portVlans(link: BridgeLink): readonly PortVlan[] {
  const vlans: PortVlan[] = [];
  let begin: VlanInfo | undefined;
  for (const info of link.families?.vlans ?? []) {
    if (info.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) begin = info;
    else
      vlans.push(fromVlanInfo(info.flags & BRIDGE_VLAN_INFO_RANGE_END ? (begin ?? info) : info, info.vlan));
  }
  return vlans;
}

function fromVlanInfo({ flags, vlan }: VlanInfo, lastVlan: number): PortVlan {
  return {
    vlan,
    ...(lastVlan !== vlan && { lastVlan }),
    ...((flags & BRIDGE_VLAN_INFO_PVID) !== 0 && { pvid: true }),
    ...((flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0 && { untagged: true }),
  };
}

/** Lists bridges and their ports with their VLANs, for `dump`. `ifindex` keeps one link. */
export function getBridgeVlans(ifindex?: number): NetlinkRequest<BridgeLink> {
  return {
    type: RTM_GETLINK,
    flags: 0,
    payload: bridgeLinkMessage.encode({ family: AF_BRIDGE, extendedMask: RTEXT_FILTER_BRVLAN_COMPRESSED }),
    operation: "list VLANs of bridge ports",
    object: "",
    decodeReply: ({ payload }) => bridgeLinkMessage.decode(payload),
    accepts: (link) => ifindex === undefined || link.ifindex === ifindex,
  };
}
