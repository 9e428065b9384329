/** The loopback link of a network namespace: set up, set down, described. */
import type { Address } from "../../../lib/addr/address.ts";
import { formatAddress } from "../../../lib/addr/address.ts";
import { formatPrefix, type InterfaceAddress } from "../../../lib/addr/prefix.ts";
import { EMPTY_RESULT, type Result } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { listAddresses } from "../../../lib/host/addressing/addresses.ts";
import { type LinkState, requireLink, setLinkUp } from "../../../lib/host/links.ts";
import type { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { LINK_DOWN, setLink } from "../../../lib/netlink/route/link.ts";

/** Name of the loopback link in every network namespace. Source: drivers/net/loopback.c. */
const LOOPBACK = "lo";

const IPV4_LOOPBACK_FIRST_BYTE = 127n;
const IPV6_LOOPBACK = 1n;

/** True for 127.0.0.0/8 and ::1. Source: RFC 1122 §3.2.1.3, RFC 4291 §2.5.3. */
export function isLoopbackAddress({ family, value }: Address): boolean {
  return family === 4 ? value >> 24n === IPV4_LOOPBACK_FIRST_BYTE : value === IPV6_LOOPBACK;
}

/**
 * Sets the loopback up, upon which the kernel gives it its addresses, and describes it. Idempotent.
 *
 * @param connection to the netns that is meant.
 * @param sandbox path of that netns, for the result.
 * @throws FairleadError `unsupported-field` when the loopback holds an address of another kind; it is then left as
 * it was.
 */
export function setLoopbackUp(connection: NetlinkConnection, sandbox: string): Result {
  const { ifindex } = requireLink(connection, LOOPBACK);
  requireLoopbackOnly(listAddresses(connection, ifindex));
  setLinkUp(connection, ifindex);
  return loopbackResult(requireLink(connection, LOOPBACK), listAddresses(connection, ifindex), sandbox);
}

function requireLoopbackOnly(addresses: readonly InterfaceAddress[]): void {
  const other = addresses.find(({ address }) => !isLoopbackAddress(address));
  if (other === undefined) return;
  throw new FairleadError({
    code: "unsupported-field",
    operation: "set up loopback",
    object: LOOPBACK,
    reason: `it has the non-loopback address ${formatAddress(other.address)}`,
    hint: "put that address on another link",
  });
}

/** The first address of each family, so that every version of a result can hold it. */
export function loopbackResult(
  link: LinkState,
  addresses: readonly InterfaceAddress[],
  sandbox: string,
): Result {
  const firsts = ([4, 6] as const).flatMap(
    (family) => addresses.find(({ address }) => address.family === family) ?? [],
  );
  return {
    ...EMPTY_RESULT,
    interfaces: [{ name: link.ifname, mac: link.mac, mtu: link.mtu, sandbox }],
    ips: firsts.map((address) => ({ address: formatPrefix(address), interface: 0 })),
  };
}

/** Idempotent. */
export function setLoopbackDown(connection: NetlinkConnection): void {
  connection.execute([setLink({ ifname: LOOPBACK }, LINK_DOWN)]);
}

/** @throws FairleadError `check-failed` */
export function requireLoopbackUp(connection: NetlinkConnection): void {
  if (requireLink(connection, LOOPBACK).isUp) return;
  throw new FairleadError({
    code: "check-failed",
    operation: "check loopback",
    object: LOOPBACK,
    reason: "it is down",
    hint: "set it up with ADD",
  });
}
