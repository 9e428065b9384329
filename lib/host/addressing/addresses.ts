/** Addresses of links, many at once. */
import type { Address } from "../../addr/address.ts";
import { formatPrefix, type InterfaceAddress, lastAddress, prefixOf } from "../../addr/prefix.ts";
import { FairleadError } from "../../errors.ts";
import { sleepMs } from "../../linux/files/stdio.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { isAbsent, isPresent, type NetlinkRequest } from "../../netlink/request.ts";
import {
  deleteAddress,
  getAddresses,
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_TENTATIVE,
  type LinkAddress,
  localAddress,
  newAddress,
} from "../../netlink/route/address.ts";

/**
 * The address by which all on the link are meant, which many programs ask the interface for. Undefined where there is none: in
 * IPv6, and on links of two (RFC 3021) or of one.
 */
function broadcastOf({ address, length }: InterfaceAddress): Address | undefined {
  return address.family === 4 && length < 31 ? lastAddress(prefixOf(address, length)) : undefined;
}

export interface AddressOptions {
  /** Lets IPv6 ask the link whether somebody else has the address. Default false. */
  readonly duplicateAddressDetection?: boolean | undefined;
}

/**
 * Requests that put addresses on a link, by default usable at once: that nobody else has them, the IPAM service has
 * seen to.
 */
export function addressRequests(
  ifindex: number,
  addresses: readonly InterfaceAddress[],
  { duplicateAddressDetection = false }: AddressOptions = {},
): NetlinkRequest[] {
  const flags = duplicateAddressDetection ? 0 : IFA_F_NODAD;
  return addresses.map((address) => {
    const broadcast = broadcastOf(address);
    return newAddress({ ifindex, address, flags, ...(broadcast && { broadcast }) });
  });
}

/** Puts addresses on a link in one round trip. One that is there is left. @throws NetlinkError */
export function addAddresses(
  connection: NetlinkConnection,
  ifindex: number,
  addresses: readonly InterfaceAddress[],
): void {
  for (const result of connection.attempt(addressRequests(ifindex, addresses))) {
    if (!result.ok && !isPresent(result.error)) throw result.error;
  }
}

/** Takes addresses from a link in one round trip. One that is not there is passed over. @throws NetlinkError */
export function removeAddresses(
  connection: NetlinkConnection,
  ifindex: number,
  addresses: readonly InterfaceAddress[],
): void {
  const requests = addresses.map((address) => deleteAddress({ ifindex, address }));
  for (const result of connection.attempt(requests)) {
    if (!result.ok && !isAbsent(result.error)) throw result.error;
  }
}

/** The addresses of a link, those that the kernel made for itself (IPv6 link-local) included. */
export function listAddresses(connection: NetlinkConnection, ifindex: number): InterfaceAddress[] {
  return connection.dump(getAddresses({ ifindex })).flatMap((entry) => localAddress(entry) ?? []);
}

/** IPv6 asks for one second by default (`dad_transmits`, `retrans_timer`), after up to one more of waiting. */
const DETECTION_TIMEOUT_MS = 10_000;
const DETECTION_PAUSE_MS = 20;

/**
 * Waits until IPv6 has asked the link for duplicates of every address of it: usually 1 to 2 seconds.
 *
 * @throws FairleadError address-in-use when somebody else has one of them; timeout after 10 s.
 * Source: RFC 4862 §5.4.
 */
export function awaitDuplicateAddressDetection(connection: NetlinkConnection, ifindex: number): void {
  const deadline = performance.now() + DETECTION_TIMEOUT_MS;
  for (;;) {
    const entries = connection.dump(getAddresses({ ifindex, family: 6 }));
    const duplicate = entries.find((entry) => hasFlag(entry, IFA_F_DADFAILED));
    if (duplicate !== undefined) throw detectionError("address-in-use", duplicate, "another host has it");
    const tentative = entries.find((entry) => hasFlag(entry, IFA_F_TENTATIVE));
    if (tentative === undefined) return;
    if (performance.now() >= deadline) {
      throw detectionError(
        "timeout",
        tentative,
        `no end of it after ${DETECTION_TIMEOUT_MS} ms; is the link up?`,
      );
    }
    sleepMs(DETECTION_PAUSE_MS);
  }
}

function hasFlag({ flags, headerFlags }: LinkAddress, flag: number): boolean {
  return ((flags ?? headerFlags) & flag) !== 0;
}

function detectionError(
  code: "address-in-use" | "timeout",
  entry: LinkAddress,
  reason: string,
): FairleadError {
  const address = localAddress(entry);
  return new FairleadError({
    code,
    operation: "detect duplicates of address",
    object: address === undefined ? "" : formatPrefix(address),
    reason,
    hint: `see the link's neighbours, or set "enabledad" to false where the IPAM service alone gives addresses out`,
  });
}
