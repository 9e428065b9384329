/**
 * Addresses on links: what `ip address` shows and changes.
 *
 * Source: include/uapi/linux/if_addr.h; net/ipv4/devinet.c, net/ipv6/addrconf.c.
 */
import type { Address, Family } from "../../addr/address.ts";
import { formatPrefix, type InterfaceAddress } from "../../addr/prefix.ts";
import {
  attribute,
  attributeTable,
  i32,
  ipAddress,
  struct,
  u8,
  u32,
  type ValueOf,
  zstring,
} from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import { type CreateMode, createFlags, type NetlinkRequest, type RequestVerb } from "../request.ts";
import { AF_UNSPEC, addressFamily, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from "./family.ts";

/** Values of `flags`. IPv6: usable at once, without asking the link whether someone else has it. */
export const IFA_F_NODAD = 0x02;
/** IPv6: someone else has it. */
export const IFA_F_DADFAILED = 0x08;
/** IPv6: not usable yet, duplicate address detection is running. */
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
/** The kernel makes no route to the prefix. */
export const IFA_F_NOPREFIXROUTE = 0x200;

/** Lifetime that never ends, in seconds. */
export const INFINITY_LIFE_TIME = 0xffff_ffff;

/** `headerFlags` holds the lower 8 bits of the flags; IFA_FLAGS has all of them. */
const ifaddrmsg = struct("ifaddrmsg", {
  family: u8,
  prefixLength: u8,
  headerFlags: u8,
  /** RT_SCOPE_*. */
  scope: u8,
  ifindex: u32,
});

/** Lifetimes in seconds from now; the two stamps are hundredths of a second since boot. */
const cacheInfo = struct("ifa_cacheinfo", {
  preferredSeconds: u32,
  validSeconds: u32,
  createdAt: u32,
  updatedAt: u32,
});

const addressTable = attributeTable("address", () => ({
  /** The address itself, or the peer's where there is one. */
  address: attribute("IFA_ADDRESS", 1, ipAddress),
  /** The address itself. IPv6 has it only beside a peer. */
  local: attribute("IFA_LOCAL", 2, ipAddress),
  /** IPv4 only. */
  label: attribute("IFA_LABEL", 3, zstring),
  broadcast: attribute("IFA_BROADCAST", 4, ipAddress),
  anycast: attribute("IFA_ANYCAST", 5, ipAddress),
  cacheInfo: attribute("IFA_CACHEINFO", 6, cacheInfo),
  multicast: attribute("IFA_MULTICAST", 7, ipAddress),
  flags: attribute("IFA_FLAGS", 8, u32),
  /** Metric of the route to the prefix. */
  routePriority: attribute("IFA_RT_PRIORITY", 9, u32),
  targetNetnsId: attribute("IFA_TARGET_NETNSID", 10, i32),
  protocol: attribute("IFA_PROTO", 11, u8),
}));

export const addressMessage = familyMessage(ifaddrmsg, addressTable);

/** An address on a link as the kernel tells it. */
export type LinkAddress = ValueOf<typeof addressMessage>;

/** An address for a link. */
export interface AddressRequest {
  readonly ifindex: number;
  readonly address: InterfaceAddress;
  readonly peer?: Address;
  readonly broadcast?: Address;
  /** IFA_F_*. */
  readonly flags?: number;
  /** RT_SCOPE_*; default 0, universe. */
  readonly scope?: number;
  readonly routePriority?: number;
  readonly label?: string;
  /** Lifetimes in seconds; default for ever. */
  readonly validSeconds?: number;
  readonly preferredSeconds?: number;
}

/**
 * Puts an address on a link. EEXIST in mode "create" when the link has it already; mode "replace" then updates its
 * lifetimes and flags.
 */
export function newAddress(request: AddressRequest, mode: CreateMode = "create"): NetlinkRequest {
  return addressRequest({ type: RTM_NEWADDR, flags: createFlags(mode), operation: "add address" }, request);
}

/** Takes an address from a link. EADDRNOTAVAIL when the link does not have it. */
export function deleteAddress(request: AddressRequest): NetlinkRequest {
  return addressRequest({ type: RTM_DELADDR, flags: 0, operation: "delete address" }, request);
}

function addressRequest({ type, flags, operation }: RequestVerb, request: AddressRequest): NetlinkRequest {
  const { address: on, peer, validSeconds, preferredSeconds, flags: addressFlags, ...rest } = request;
  return {
    type,
    flags,
    payload: addressMessage.encode({
      ...rest,
      family: addressFamily(on.address.family),
      prefixLength: on.length,
      local: on.address,
      address: peer ?? on.address,
      flags: addressFlags,
      cacheInfo: lifetimes(validSeconds, preferredSeconds),
    }),
    operation,
    object: `${formatPrefix(on)} on ifindex ${request.ifindex}`,
  };
}

function lifetimes(
  validSeconds: number | undefined,
  preferredSeconds: number | undefined,
): ValueOf<typeof cacheInfo> | undefined {
  if (validSeconds === undefined && preferredSeconds === undefined) return undefined;
  const valid = validSeconds ?? INFINITY_LIFE_TIME;
  return { validSeconds: valid, preferredSeconds: preferredSeconds ?? valid, createdAt: 0, updatedAt: 0 };
}

/** Which addresses to list: those that match every member given. */
export interface AddressFilter {
  readonly ifindex?: number;
  readonly family?: Family;
  /** Of another network namespace, by the number that it has in the socket's. Default: those of the socket's. */
  readonly netnsId?: number;
}

/** Lists addresses, for `dump`. */
export function getAddresses({ ifindex, family, netnsId }: AddressFilter = {}): NetlinkRequest<LinkAddress> {
  const number = family === undefined ? AF_UNSPEC : addressFamily(family);
  return {
    type: RTM_GETADDR,
    flags: 0,
    payload: addressMessage.encode({
      family: number,
      ...(ifindex !== undefined && { ifindex }),
      ...(netnsId !== undefined && { targetNetnsId: netnsId }),
    }),
    operation: "list addresses",
    object: ifindex === undefined ? "" : `on ifindex ${ifindex}`,
    decodeReply: ({ payload }) => addressMessage.decode(payload),
    accepts: (address) =>
      (ifindex === undefined || address.ifindex === ifindex) &&
      (number === AF_UNSPEC || address.family === number),
  };
}

/** The address that the link itself has: IFA_LOCAL, which IPv6 leaves out where there is no peer. */
export function localAddress({ local, address, prefixLength }: LinkAddress): InterfaceAddress | undefined {
  const own = local ?? address;
  return own && { address: own, length: prefixLength };
}
