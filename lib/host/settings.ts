/**
 * Settings of the kernel that networking relies on, by sysctl. They are those of the netns that the thread is in:
 * for a container's, call these inside `withNetns`.
 *
 * Source: Documentation/networking/ip-sysctl.rst.
 */
import type { Family } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";
import { EACCES, EPERM, EROFS, SyscallError } from "../linux/calls/errno.ts";
import {
  ensureSysctl,
  formatSysctlKey,
  readSysctl,
  type SysctlKey,
  writeSysctl,
} from "../linux/files/sysctl.ts";
import type { NetlinkConnection } from "../netlink/connection.ts";
import { getRoutes, RTPROT_RA } from "../netlink/route/route.ts";
import { changeHostSetting } from "./changed-settings.ts";
import { findLink } from "./links.ts";

const FORWARDING: Readonly<Record<Family, SysctlKey>> = {
  4: ["ipv4", "ip_forward"],
  6: ["ipv6", "conf", "all", "forwarding"],
};

/**
 * Lets the host forward packets of a family between links. Returns whether it had to be switched on.
 *
 * With IPv6 forwarding the kernel forgets the default routes that router advertisements gave the host, and takes no more.
 * Links that such a route goes by are told to go on taking them first (`accept_ra=2`): a network on the host must not cost
 * the host its own.
 *
 * @param connection to the netns that the thread is in.
 * @throws FairleadError, SyscallError when it is off and cannot be switched on.
 * Source: net/ipv6/addrconf.c addrconf_fixup_forwarding; Documentation/networking/ip-sysctl.rst accept_ra.
 */
export function ensureForwarding(connection: NetlinkConnection, family: Family): boolean {
  const key = FORWARDING[family];
  if (family === 6 && readSysctl(key) !== "1") keepAdvertisedRoutes(connection);
  return changeHostSetting(key, "1");
}

/** Only where the kernel itself takes advertisements: a daemon that does has `accept_ra=0`, and keeps its routes. */
function keepAdvertisedRoutes(connection: NetlinkConnection): void {
  const routes = connection.dump(getRoutes({ family: 6 })).filter(({ protocol }) => protocol === RTPROT_RA);
  const hops = routes.flatMap(({ ifindex, multipath = [] }) => [
    ifindex,
    ...multipath.map((hop) => hop.ifindex),
  ]);
  for (const ifindex of new Set(hops)) {
    const link = ifindex === undefined ? null : findLink(connection, ifindex);
    const key = link && acceptRaKey(link.ifname);
    if (key && readSysctl(key) === "1") changeHostSetting(key, "2");
  }
}

function acceptRaKey(ifname: string): SysctlKey {
  return ["ipv6", "conf", ifname, "accept_ra"];
}

/**
 * Sets a key unless this netns has no such key, as without IPv6. Returns whether there is one.
 *
 * Of a link that was just made nothing needs to be read first: writing is one system call less, and where writing is
 * forbidden, reading tells whether the value happens to be right.
 */
function setSysctlIfKnown(key: SysctlKey, value: string): boolean {
  try {
    writeSysctl(key, value);
    return true;
  } catch (error) {
    if (error instanceof FairleadError && error.code === "not-found") return false;
    if (readSysctl(key) === value) return true;
    throw error;
  }
}

/** Told what could not be set, and why it does not stop anything. */
export type SettingsLog = (message: string) => void;

/**
 * Sets a key that things are better with, and work without: where writing is forbidden, as with a read-only /proc/sys, and
 * the value is another, the log is told.
 *
 * @throws SyscallError when the kernel refuses the value itself.
 */
export function preferSysctl(key: SysctlKey, value: string, log: SettingsLog): void {
  prefer(key, value, { log, set: () => setSysctlIfKnown(key, value) });
}

interface Preference {
  readonly log: SettingsLog;
  readonly set: () => boolean;
}

function prefer(key: SysctlKey, value: string, { log, set }: Preference): void {
  try {
    set();
  } catch (error) {
    if (!isForbidden(error)) throw error;
    log(`going on without ${formatSysctlKey(key)}=${value}: ${error.message}`);
  }
}

const FORBIDDEN: readonly number[] = [EROFS, EACCES, EPERM];

function isForbidden(error: unknown): error is SyscallError {
  return error instanceof SyscallError && FORBIDDEN.includes(error.errno);
}

/** Makes a link that was just made take no address or route from router advertisements, so that ours are the only ones. */
export function ignoreRouterAdvertisements(ifname: string, log: SettingsLog): void {
  preferSysctl(acceptRaKey(ifname), "0", log);
}

/**
 * The same for the link that the host is the containers' gateway by, whoever made it: any container would be the host's
 * router. What it was is remembered.
 */
export function ignoreAdvertisementsAsGateway(ifname: string, log: SettingsLog): void {
  const key = acceptRaKey(ifname);
  const before = readSysctl(key);
  if (before === null || before === "0") return;
  prefer(key, "0", { log, set: () => changeHostSetting(key, "0") });
}

/**
 * Whether somebody switched IPv6 off in this netns, which also shows on the loopback. That of one link, or of every
 * new one, is what container engines leave to whoever attaches networks.
 */
export function isIpv6SwitchedOff(): boolean {
  return readSysctl(disableIpv6Key("lo")) === "1";
}

/**
 * Allows IPv6 addresses on a link. Returns false when the kernel has no IPv6 at all.
 * @throws SyscallError when it is off and cannot be switched on.
 */
export function enableIpv6(ifname: string): boolean {
  return setSysctlIfKnown(disableIpv6Key(ifname), "0");
}

/** Leaves a link without IPv6, its link-local address included. */
export function disableIpv6(ifname: string, log: SettingsLog): void {
  preferSysctl(disableIpv6Key(ifname), "1", log);
}

/** Keeps a link's IPv6 addresses while it is down, as IPv4 does by itself. */
export function keepAddressesWhenDown(ifname: string, log: SettingsLog): void {
  preferSysctl(["ipv6", "conf", ifname, "keep_addr_on_down"], "1", log);
}

/** Lets a link use every IPv6 address at once, its link-local one included, without asking for duplicates. */
export function trustAddresses(ifname: string, log: SettingsLog): void {
  preferSysctl(["ipv6", "conf", ifname, "accept_dad"], "0", log);
}

function disableIpv6Key(ifname: string): SysctlKey {
  return ["ipv6", "conf", ifname, "disable_ipv6"];
}

function loopbackRoutingKey(ifname: string): SysctlKey {
  return ["ipv4", "conf", ifname, "route_localnet"];
}

/**
 * Lets answers to 127.0.0.0/8 come in by a link. It also lets everything else to 127.0.0.0/8 come in by it, so filter
 * that: see `firewall-portmap-plan.ts`.
 */
export function routeLoopback(ifname: string): void {
  ensureSysctl(loopbackRoutingKey(ifname), "1");
}

/** @throws FairleadError check-failed when {@link routeLoopback} is not in effect. */
export function checkLoopbackRouting(ifname: string): void {
  if (readSysctl(loopbackRoutingKey(ifname)) === "1") return;
  throw new FairleadError({
    code: "check-failed",
    operation: "check setting",
    object: `net.ipv4.conf.${ifname}.route_localnet`,
    reason: "it is not 1: published ports do not answer on 127.0.0.1",
    hint: "something else changed it; attach the container again",
  });
}
