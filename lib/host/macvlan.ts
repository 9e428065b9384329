/**
 * macvlan links: a link of a container with a MAC of its own on a link of the host.
 *
 * They are made by a socket of the *container's* netns, which names the host's by its number (IFLA_LINK_NETNSID). The
 * other way, a socket of the host and IFLA_NET_NS_FD, finds the name taken on most kernels in use: before Linux 6.14
 * they look for it where the socket is, and a host has an `eth0` as its container shall have.
 *
 * Source: net/core/rtnetlink.c rtnl_newlink; drivers/net/macvlan.c macvlan_common_newlink.
 */
import { FairleadError } from "../errors.ts";
import type { Netns } from "../linux/namespaces/netns.ts";
import type { NetlinkConnection } from "../netlink/connection.ts";
import { isPresent, NetlinkError } from "../netlink/request.ts";
import {
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PASSTHRU,
  MACVLAN_MODE_PRIVATE,
  MACVLAN_MODE_VEPA,
} from "../netlink/route/link/macvlan.ts";
import { newLink, setLink } from "../netlink/route/link.ts";
import { getNetnsId, newNetnsId } from "../netlink/route/netns-id.ts";
import { checkMtu, getLinkState, type LinkState, removeLink } from "./links.ts";

/** Who reaches whom among the macvlans of one link. Values: the kernel's. */
export const MACVLAN_MODES = {
  /** Each other, directly. */
  bridge: MACVLAN_MODE_BRIDGE,
  /** Nobody. */
  private: MACVLAN_MODE_PRIVATE,
  /** Each other, through a switch outside that sends frames back where they came from. */
  vepa: MACVLAN_MODE_VEPA,
  /** There is one alone, with the MAC of the link below. */
  passthru: MACVLAN_MODE_PASSTHRU,
} as const;

export type MacvlanMode = keyof typeof MACVLAN_MODES;

/** A macvlan as it shall be. */
export interface MacvlanSpec {
  /** Name in the netns of the connection, from the start. */
  readonly ifname: string;
  /** The link below. */
  readonly master: Pick<LinkState, "ifindex" | "ifname">;
  /** Netns of the master; absent: that of the connection. */
  readonly masterNetns?: Pick<Netns, "fd">;
  readonly mode: MacvlanMode;
  /** Absent: the kernel makes one up. In mode "passthru" it is the master's in any case. */
  readonly mac?: string;
  /** Bytes of layer 3. Absent: the master's. */
  readonly mtu?: number;
  /** Broadcast frames that may wait. Absent: the kernel's 1000. */
  readonly broadcastQueueLength?: number;
  /** Free text that `ip link` shows. */
  readonly alias: string;
}

/**
 * Makes a macvlan, still down. Three round trips, one less when both links are in one netns. It is gone again when one
 * after the first is refused.
 *
 * @param connection to the netns that it shall be in.
 * @throws FairleadError already-exists when the netns has a link of that name; in-use when the master cannot carry it, or
 * not beside what is on it already; invalid-config for an impossible MTU; NetlinkError.
 */
export function createMacvlan(connection: NetlinkConnection, spec: MacvlanSpec): LinkState {
  const { ifname, master, masterNetns, mode, mac, mtu, broadcastQueueLength, alias } = spec;
  checkMtu(ifname, mtu);
  const creation = newLink({
    ifname,
    link: master.ifindex,
    ...(masterNetns && { linkNetnsId: ensureNetnsId(connection, masterNetns) }),
    address: mac,
    mtu,
    linkInfo: { kind: "macvlan", data: { mode: MACVLAN_MODES[mode], broadcastQueueLength } },
  });
  const [made, got] = connection.attempt([creation, getLinkState(ifname)]);
  if (!made.ok) throw explain(made.error, spec);
  const [link] = got.ok ? got.replies : [];
  if (link === undefined) throw vanished(ifname);
  nameOwner(connection, link.ifindex, alias);
  return { ...link, alias };
}

/** The number under which the netns of `connection` knows another one. Idempotent. */
function ensureNetnsId(connection: NetlinkConnection, { fd }: Pick<Netns, "fd">): number {
  const [numbered, got] = connection.attempt([newNetnsId(fd), getNetnsId(fd)]);
  if (!numbered.ok && !isPresent(numbered.error)) throw numbered.error;
  if (!got.ok) throw got.error;
  return got.replies[0] as number;
}

/** A new link takes no alias in the request that makes it. */
function nameOwner(connection: NetlinkConnection, ifindex: number, alias: string): void {
  try {
    connection.execute([setLink({ ifindex }, { alias })]);
  } catch (error) {
    removeLink(connection, ifindex);
    throw error;
  }
}

function explain(error: FairleadError, { ifname, master, mode }: MacvlanSpec): FairleadError {
  if (!(error instanceof NetlinkError)) return error;
  const parts = { operation: "create interface", object: ifname, details: error.details, cause: error };
  switch (error.errnoName) {
    case "EEXIST":
      return new FairleadError({
        ...parts,
        code: "already-exists",
        reason: "the container has an interface of that name",
        hint: "choose another CNI_IFNAME, or delete the attachment first",
        details: { ...error.details, exists: "container", ifname },
      });
    case "EBUSY":
      return new FairleadError({
        ...parts,
        code: "in-use",
        reason: `${master.ifname} hands its frames to something else, such as a bridge that it is a port of`,
        hint: "name that bridge as the master, or another link",
      });
    case "EINVAL":
      return new FairleadError({
        ...parts,
        code: "in-use",
        reason:
          mode === "passthru"
            ? `mode "passthru" wants ${master.ifname} for itself, and it has a macvlan already, or is no Ethernet link`
            : `${master.ifname} has a macvlan in mode "passthru", which leaves no room beside it, or is no Ethernet link`,
        hint: "see what is on it with: ip -d link",
      });
    default:
      return error;
  }
}

function vanished(ifname: string): FairleadError {
  return new FairleadError({
    code: "internal",
    operation: "create interface",
    object: ifname,
    reason: "the kernel told nothing about it",
  });
}

/** The mode of a macvlan; undefined for links of another kind. */
export function macvlanModeOf({ raw: { linkInfo } }: LinkState): MacvlanMode | undefined {
  const value = linkInfo?.kind === "macvlan" ? linkInfo.data?.mode : undefined;
  const modes = Object.keys(MACVLAN_MODES) as MacvlanMode[];
  return modes.find((mode) => MACVLAN_MODES[mode] === value);
}
