/**
 * Tells the network that an address has moved, so that nobody goes on sending to the MAC that had it before.
 *
 * The kernel sends a gratuitous ARP and an unsolicited neighbour advertisement by itself, if the link's settings say
 * so ({@link announceWhenUp}), when the link comes up and when its MAC is set. On a veth the first is lost: the bridge
 * learns of the carrier a moment later, and until then drops what its new port sends. Hence
 * {@link announceAddresses}, which waits for the bridge and has the kernel announce once more.
 *
 * Source: Documentation/networking/ip-sysctl.rst arp_notify, ndisc_notify; net/ipv4/devinet.c inetdev_event,
 * net/ipv6/ndisc.c ndisc_netdev_event (NETDEV_UP, NETDEV_CHANGEADDR).
 */
import type { Family } from "../../addr/address.ts";
import { sleepMs } from "../../linux/files/stdio.ts";
import type { SysctlKey } from "../../linux/files/sysctl.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { BR_STATE_FORWARDING } from "../../netlink/route/link/bridge.ts";
import { setLink } from "../../netlink/route/link.ts";
import { type LinkState, requireLink } from "../links.ts";
import { preferSysctl, type SettingsLog } from "../settings.ts";

const NOTIFY: Readonly<Record<Family, (ifname: string) => SysctlKey>> = {
  4: (ifname) => ["ipv4", "conf", ifname, "arp_notify"],
  6: (ifname) => ["ipv6", "conf", ifname, "ndisc_notify"],
};

/** Has the kernel announce the addresses of a link from now on, in this family. Call it inside `withNetns`. */
export function announceWhenUp(ifname: string, family: Family, log: SettingsLog): void {
  preferSysctl(NOTIFY[family](ifname), "1", log);
}

/** One attachment's two ends, both up. */
export interface AnnouncedPair {
  /** To the netns of the bridge. */
  readonly host: NetlinkConnection;
  readonly hostIfindex: number;
  /** To the netns of the container. */
  readonly container: NetlinkConnection;
  readonly containerLink: Pick<LinkState, "ifindex" | "mac">;
}

/** The bridge takes under a millisecond, unless it runs the spanning tree protocol, for which nobody can wait. */
const FORWARDING_TIMEOUT_MS = 100;

/**
 * Waits until the bridge forwards what the container sends, then announces the container's addresses, provided that
 * {@link announceWhenUp} was called. Returns whether the bridge forwards; if not, nothing is announced.
 */
export function announceAddresses({ host, hostIfindex, container, containerLink }: AnnouncedPair): boolean {
  if (!awaitForwarding(host, hostIfindex)) return false;
  // The same MAC once more changes nothing but makes the kernel announce.
  container.execute([setLink({ ifindex: containerLink.ifindex }, { address: containerLink.mac })]);
  return true;
}

/**
 * Waits, at most 100 ms, until a bridge port forwards. Returns whether it does.
 *
 * @throws FairleadError not-found
 */
export function awaitForwarding(connection: NetlinkConnection, ifindex: number): boolean {
  const deadline = performance.now() + FORWARDING_TIMEOUT_MS;
  for (;;) {
    const { linkInfo } = requireLink(connection, ifindex).raw;
    const state = linkInfo?.slaveKind === "bridge" ? linkInfo.slaveData?.state : undefined;
    if (state === BR_STATE_FORWARDING) return true;
    if (performance.now() >= deadline) return false;
    sleepMs(1);
  }
}
