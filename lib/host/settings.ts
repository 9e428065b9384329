/**
 * Settings of the kernel that networking relies on, by sysctl. They are those of the netns that the thread is in:
 * for a container's, call these inside `withNetns`.
 *
 * Source: Documentation/networking/ip-sysctl.rst.
 */
import type { Family } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";
import { ensureSysctl, readSysctl, type SysctlKey, writeSysctl } from "../linux/sysctl.ts";
import { changeHostSetting } from "./changed-settings.ts";

const FORWARDING: Readonly<Record<Family, SysctlKey>> = {
  4: ["ipv4", "ip_forward"],
  6: ["ipv6", "conf", "all", "forwarding"],
};

/** Lets the host forward packets of a family between links. Returns whether it had to be switched on. */
export function ensureForwarding(family: Family): boolean {
  return changeHostSetting(FORWARDING[family], "1");
}

/**
 * Sets a key unless this netns has no such key, as without IPv6. Returns whether there is one.
 *
 * Of a link that was just made nothing needs to be read first: writing is one system call less, and where writing is
 * forbidden, reading tells whether the value happens to be right.
 */
export function setSysctlIfKnown(key: SysctlKey, value: string): boolean {
  try {
    writeSysctl(key, value);
    return true;
  } catch (error) {
    if (error instanceof FairleadError && error.code === "not-found") return false;
    if (readSysctl(key) === value) return true;
    throw error;
  }
}

/** Makes a link take no address or route from router advertisements, so that ours are the only ones. */
export function ignoreRouterAdvertisements(ifname: string): void {
  setSysctlIfKnown(["ipv6", "conf", ifname, "accept_ra"], "0");
}

/**
 * Allows IPv6 addresses on a link, and on the loopback, of a netns that has IPv6 switched off.
 *
 * Returns false when the kernel has no IPv6 at all.
 */
export function enableIpv6(ifname: string): boolean {
  return [ifname, "lo"].every((name) => setSysctlIfKnown(["ipv6", "conf", name, "disable_ipv6"], "0"));
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
