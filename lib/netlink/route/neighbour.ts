/**
 * Neighbour entries (IP to MAC, `ip neigh`) and forwarding entries of bridges and VXLAN links (MAC to port or VTEP,
 * `bridge fdb`). The kernel keeps both behind one message; the family tells them apart.
 *
 * Source: include/uapi/linux/neighbour.h; net/core/neighbour.c, net/core/rtnetlink.c rtnl_fdb_*,
 * drivers/net/vxlan/vxlan_core.c vxlan_fdb_parse.
 */
import { type Address, type Family, formatAddress } from "../../addr/address.ts";
import {
  attribute,
  attributeTable,
  hardwareAddress,
  i32,
  ipAddress,
  nestedBytes,
  pad,
  struct,
  u8,
  u16,
  u16be,
  u32,
  type ValueOf,
} from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import { type CreateMode, createFlags, type NetlinkRequest, type RequestVerb } from "../request.ts";
import { AF_BRIDGE, AF_UNSPEC, addressFamily, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from "./family.ts";

/** Values of `flags`. Forwarding entry of the link's own table: a VXLAN link's. */
export const NTF_SELF = 0x02;
/** Forwarding entry of the bridge that the link is a port of. */
export const NTF_MASTER = 0x04;
/** The host answers for this address on the link. */
export const NTF_PROXY = 0x08;
/** Made by a control plane: the kernel does not let it age. */
export const NTF_EXT_LEARNED = 0x10;

/** Values of `state`. */
export const NUD_INCOMPLETE = 0x01;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

const ndmsg = struct("ndmsg", {
  family: u8,
  _pad1: pad(1),
  _pad2: pad(2),
  ifindex: i32,
  /** NUD_*. */
  state: u16,
  /** NTF_*. */
  flags: u8,
  /** RTN_*, read only. */
  type: u8,
});

const cacheInfo = struct("nda_cacheinfo", { confirmed: u32, used: u32, updated: u32, references: u32 });

const neighbourTable = attributeTable("neighbour", () => ({
  /** Neighbour entry: its address. Forwarding entry of a VXLAN link: the VTEP. */
  destination: attribute("NDA_DST", 1, ipAddress),
  linkLayerAddress: attribute("NDA_LLADDR", 2, hardwareAddress),
  cacheInfo: attribute("NDA_CACHEINFO", 3, cacheInfo),
  probes: attribute("NDA_PROBES", 4, u32),
  vlan: attribute("NDA_VLAN", 5, u16),
  /** UDP port of the VTEP, big-endian; absent where it is the link's own. */
  port: attribute("NDA_PORT", 6, u16be),
  /** VNI to send with, host order; absent where it is the link's own. */
  vni: attribute("NDA_VNI", 7, u32),
  /** Link to send by. */
  viaIfindex: attribute("NDA_IFINDEX", 8, u32),
  /** ifindex of the bridge. */
  master: attribute("NDA_MASTER", 9, u32),
  linkNetnsId: attribute("NDA_LINK_NETNSID", 10, i32),
  sourceVni: attribute("NDA_SRC_VNI", 11, u32),
  /** Who made it: RTPROT_*. */
  protocol: attribute("NDA_PROTOCOL", 12, u8),
  nexthopId: attribute("NDA_NH_ID", 13, u32),
  extendedAttributes: attribute("NDA_FDB_EXT_ATTRS", 14, nestedBytes),
  extendedFlags: attribute("NDA_FLAGS_EXT", 15, u32),
  stateMask: attribute("NDA_NDM_STATE_MASK", 16, u16),
  flagsMask: attribute("NDA_NDM_FLAGS_MASK", 17, u8),
}));

export const neighbourMessage = familyMessage(ndmsg, neighbourTable);

/** A neighbour or forwarding entry as the kernel tells it. */
export type Neighbour = ValueOf<typeof neighbourMessage>;

function decodeNeighbour({ payload }: { readonly payload: Uint8Array }): Neighbour {
  return neighbourMessage.decode(payload);
}

/** A neighbour entry: which MAC has an address on a link. */
export interface NeighbourRequest {
  readonly ifindex: number;
  readonly address: Address;
  /** Needed to make one, not to delete one. */
  readonly mac?: string;
  /** NUD_*. Default: permanent. */
  readonly state?: number;
  /** NTF_*. NTF_PROXY makes a proxy entry, which has no MAC. */
  readonly flags?: number;
  readonly protocol?: number;
}

/** Makes a neighbour entry. */
export function newNeighbour(request: NeighbourRequest, mode: CreateMode = "create"): NetlinkRequest {
  return neighbourRequest(
    { type: RTM_NEWNEIGH, flags: createFlags(mode), operation: "add neighbour" },
    request,
  );
}

/** Deletes a neighbour entry; ENOENT when there is none. */
export function deleteNeighbour(request: NeighbourRequest): NetlinkRequest {
  return neighbourRequest({ type: RTM_DELNEIGH, flags: 0, operation: "delete neighbour" }, request);
}

function neighbourRequest(
  { type, flags, operation }: RequestVerb,
  request: NeighbourRequest,
): NetlinkRequest {
  const { ifindex, address, mac, state = NUD_PERMANENT, flags: entryFlags = 0, protocol } = request;
  return {
    type,
    flags,
    payload: neighbourMessage.encode({
      family: addressFamily(address.family),
      ifindex,
      state,
      flags: entryFlags,
      destination: address,
      linkLayerAddress: mac,
      protocol,
    }),
    operation,
    object: `${formatAddress(address)} on ifindex ${ifindex}`,
  };
}

/** Which neighbour entries to list. */
export interface NeighbourFilter {
  readonly family?: Family;
  readonly ifindex?: number;
  /** Proxy entries instead of the others. */
  readonly proxy?: boolean;
}

/** Lists neighbour entries, for `dump`. */
export function getNeighbours({
  family,
  ifindex,
  proxy = false,
}: NeighbourFilter = {}): NetlinkRequest<Neighbour> {
  const number = family === undefined ? AF_UNSPEC : addressFamily(family);
  return {
    type: RTM_GETNEIGH,
    flags: 0,
    payload: neighbourMessage.encode({
      family: number,
      flags: proxy ? NTF_PROXY : 0,
      viaIfindex: ifindex,
    }),
    operation: "list neighbours",
    object: ifindex === undefined ? "" : `on ifindex ${ifindex}`,
    decodeReply: decodeNeighbour,
    accepts: (entry) =>
      (number === AF_UNSPEC || entry.family === number) &&
      (ifindex === undefined || entry.ifindex === ifindex),
  };
}

/** A forwarding entry: where frames to a MAC go. */
export interface FdbEntry {
  readonly ifindex: number;
  /** All zeros: where frames to unknown, broadcast and multicast addresses go (VXLAN). */
  readonly mac: string;
  /** VTEP, on a VXLAN link. */
  readonly destination?: Address;
  /** Where they differ from the link's own. */
  readonly vni?: number;
  readonly port?: number;
  readonly vlan?: number;
  /** Default: the link's own table (NTF_SELF). NTF_MASTER: that of the bridge which the link is a port of. */
  readonly flags?: number;
  /** NUD_*. Default: permanent, which neither ages nor moves. */
  readonly state?: number;
}

/**
 * Makes a forwarding entry. Mode "append" adds one more VTEP for a MAC that has some, which VXLAN allows for
 * all-zero and multicast addresses; a VTEP that is there already is left as it is.
 */
export function newFdbEntry(entry: FdbEntry, mode: CreateMode = "create"): NetlinkRequest {
  return fdbRequest(
    { type: RTM_NEWNEIGH, flags: createFlags(mode), operation: "add forwarding entry" },
    entry,
  );
}

/**
 * Deletes a forwarding entry; ENOENT when there is none for the MAC. Of several VTEPs it takes `destination`'s alone;
 * if that is not among them, the kernel reports success.
 */
export function deleteFdbEntry(entry: FdbEntry): NetlinkRequest {
  return fdbRequest({ type: RTM_DELNEIGH, flags: 0, operation: "delete forwarding entry" }, entry);
}

function fdbRequest({ type, flags, operation }: RequestVerb, entry: FdbEntry): NetlinkRequest {
  const { ifindex, mac, flags: entryFlags = NTF_SELF, state = NUD_PERMANENT, ...where } = entry;
  const { destination, vni, port, vlan } = where;
  const to = destination ? ` to ${formatAddress(destination)}` : "";
  return {
    type,
    flags,
    payload: neighbourMessage.encode({
      family: AF_BRIDGE,
      ifindex,
      state,
      flags: entryFlags,
      linkLayerAddress: mac,
      destination,
      vlan,
      port,
      vni,
    }),
    operation,
    object: `${mac}${to} on ifindex ${ifindex}`,
  };
}

/**
 * Lists the forwarding entries of one link, for `dump`: of a VXLAN link or port its own and the bridge's; of a bridge
 * those of all its ports.
 */
export function getFdbEntries(ifindex: number): NetlinkRequest<Neighbour> {
  return {
    type: RTM_GETNEIGH,
    flags: 0,
    payload: neighbourMessage.encode({ family: AF_BRIDGE, ifindex }),
    operation: "list forwarding entries",
    object: `of ifindex ${ifindex}`,
    decodeReply: decodeNeighbour,
    accepts: (entry) => entry.ifindex === ifindex || entry.master === ifindex,
  };
}
