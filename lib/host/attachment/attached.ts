/**
 * What is attached to bridges of this host, by the links that are there: whose they are is in the alias of the host end, and
 * the addresses are asked for in the network namespace of the other end, without entering it.
 *
 * Source: net/ipv4/devinet.c inet_dump_ifaddr, IFA_TARGET_NETNSID (Linux 4.20); net/core/rtnetlink.c rtnl_getlink,
 * IFLA_TARGET_NETNSID.
 */
import { formatPrefix } from "../../addr/prefix.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isAbsent, NetlinkError } from "../../netlink/request.ts";
import {
  getAddresses,
  IFA_F_PERMANENT,
  type LinkAddress,
  localAddress,
} from "../../netlink/route/address.ts";
import { getLink } from "../../netlink/route/link.ts";
import { RT_SCOPE_UNIVERSE } from "../../netlink/route/route.ts";
import { type LinkState, listLinksOfKind } from "../links.ts";
import { type AttachmentName, isOurAlias, keyOfAlias } from "./alias.ts";

/** One pair, from the host's side. */
export interface AttachedLink {
  readonly hostIfname: string;
  /** Null: the key is too long for an alias, which then holds only its hash. */
  readonly key: AttachmentName | null;
  /** With prefix length; without what the link gave itself. */
  readonly addresses: readonly string[];
  /** Of the container's end; empty where it has none. */
  readonly mac: string;
}

/** Every pair whose host end is in the connection's namespace. One that goes away meanwhile is left out. */
export function listAttached(connection: NetlinkConnection): AttachedLink[] {
  return listLinksOfKind(connection, "veth").flatMap((link) => {
    // Without a slash it is cut short within the network's name, or nobody's.
    if (!isOurAlias(link.alias) || !link.alias.includes("/")) return [];
    const [key = null] = keyOfAlias(link.alias);
    const behind = lookBehind(connection, link);
    return behind === null ? [] : [{ hostIfname: link.ifname, key, ...behind }];
  });
}

/** Null: the other end is gone. */
function lookBehind(
  connection: NetlinkConnection,
  { link, linkNetnsId }: LinkState,
): Pick<AttachedLink, "addresses" | "mac"> | null {
  if (link === null) return null;
  const netnsId = linkNetnsId ?? undefined;
  try {
    const addresses = connection.dump(
      getAddresses({ ifindex: link, ...(netnsId !== undefined && { netnsId }) }),
    );
    const { address: mac = "" } = connection.find(getLink({ ifindex: link }, netnsId)) ?? {};
    return { addresses: addresses.filter(isGiven).flatMap(textsOf), mac };
  } catch (thrown) {
    // EINVAL: the number names no namespace any more. Source: net/core/rtnetlink.c, rtnl_get_net_ns_capable.
    if (isAbsent(thrown) || (thrown instanceof NetlinkError && thrown.errnoName === "EINVAL")) return null;
    throw thrown;
  }
}

function textsOf(address: LinkAddress): string[] {
  const own = localAddress(address);
  return own === undefined ? [] : [formatPrefix(own)];
}

function isGiven({ scope, flags, headerFlags }: LinkAddress): boolean {
  return scope === RT_SCOPE_UNIVERSE && ((flags ?? headerFlags) & IFA_F_PERMANENT) !== 0;
}
