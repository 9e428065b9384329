/**
 * Neighbour discovery of IPv6 on Ethernet, as far as duplicates of an address are found by it.
 *
 * Source: RFC 4861 §4.3, §4.4 (messages), §7.1 (hop limit); RFC 4862 §5.4 (duplicate address detection); RFC 2464 §7
 * (multicast on Ethernet); RFC 4443 §2.3 and RFC 8200 §8.1 (checksum).
 */
import { type Address, addressEquals, addressFromBytes, addressToBytes } from "../addr/address.ts";
import { fixedBytes, u8, u16be, u32be } from "../netlink/codec.ts";
import { pad, struct } from "../netlink/struct.ts";
import { ETH_P_IPV6, ETHERNET_HEADER, ethernetFrame, payloadOf } from "./ethernet.ts";

const IPV6_BYTES = 16;
/** Version 6; no traffic class, no flow label. */
const VERSION_6 = 0x6000_0000;
const IPPROTO_ICMPV6 = 58;
/** Others come from outside of the link, and are not believed. */
const HOP_LIMIT = 255;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** The last three bytes of an address make its solicited-node group. */
const GROUP_BYTES = 3;
const SOLICITED_NODE_PREFIX = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff];

const IPV6_HEADER = struct("ipv6hdr", {
  version: u32be,
  payloadBytes: u16be,
  nextHeader: u8,
  hopLimit: u8,
  source: fixedBytes(IPV6_BYTES),
  destination: fixedBytes(IPV6_BYTES),
});

/** Solicitation and advertisement alike; their flags are in the four bytes that say nothing to us. */
const ND_MESSAGE = struct("nd_msg", {
  type: u8,
  code: u8,
  checksum: u16be,
  flags: pad(4),
  target: fixedBytes(IPV6_BYTES),
});

/** What ICMPv6 adds to the sum: addresses, length, protocol. */
const PSEUDO_HEADER = struct("pseudo header", {
  source: fixedBytes(IPV6_BYTES),
  destination: fixedBytes(IPV6_BYTES),
  length: u32be,
  nextHeader: u32be,
});

/**
 * The frame in which `mac` asks whether somebody has `address`, without claiming it: from the unspecified address, to the
 * group of all that may have it.
 */
export function neighbourProbe(mac: string, address: Address): Uint8Array {
  const target = addressToBytes(address);
  const group = target.subarray(IPV6_BYTES - GROUP_BYTES);
  const destination = Uint8Array.from([...SOLICITED_NODE_PREFIX, ...group]);
  const length = ND_MESSAGE.sizeBytes;
  const unsummed = { type: NEIGHBOUR_SOLICITATION, target };
  const pseudo = PSEUDO_HEADER.encode({ destination, length, nextHeader: IPPROTO_ICMPV6 });
  const sum = checksum(Uint8Array.from([...pseudo, ...ND_MESSAGE.encode(unsummed)]));
  const header = {
    version: VERSION_6,
    payloadBytes: length,
    nextHeader: IPPROTO_ICMPV6,
    hopLimit: HOP_LIMIT,
  };
  const packet = IPV6_HEADER.encode({ ...header, destination });
  const message = ND_MESSAGE.encode({ ...unsummed, checksum: sum });
  return ethernetFrame(
    { destination: multicastMacOf(destination), source: mac, ethertype: ETH_P_IPV6 },
    Uint8Array.from([...packet, ...message]),
  );
}

function multicastMacOf(group: Uint8Array): string {
  const last = [...group.subarray(IPV6_BYTES - 4)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `33:33:${last.join(":")}`;
}

/** Of an even number of bytes. Source: RFC 1071. */
function checksum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/**
 * The MAC address of another machine that has `address` by this frame, or is about to take it; null when the frame says
 * nothing of the kind. Any frame will do: nothing is thrown.
 *
 * @param mac that of the prober, whose own frames a switch may send back.
 */
export function neighbourClaim(frame: Uint8Array, mac: string, address: Address): string | null {
  const packet = payloadOf(frame, ETH_P_IPV6);
  if (packet === null || packet.length < IPV6_HEADER.sizeBytes + ND_MESSAGE.sizeBytes) return null;
  const sender = ETHERNET_HEADER.decodePrefix(frame).source;
  const { nextHeader, hopLimit, source } = IPV6_HEADER.decodePrefix(packet);
  if (sender === mac || nextHeader !== IPPROTO_ICMPV6 || hopLimit !== HOP_LIMIT) return null;
  const { type, code, target } = ND_MESSAGE.decodePrefix(packet.subarray(IPV6_HEADER.sizeBytes));
  const isProbe = type === NEIGHBOUR_SOLICITATION && source.every((byte) => byte === 0);
  if (code !== 0 || !(isProbe || type === NEIGHBOUR_ADVERTISEMENT)) return null;
  return addressEquals(addressFromBytes(target), address) ? sender : null;
}
