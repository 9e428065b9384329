/**
 * Ethernet frames as they stand on the wire.
 *
 * Source: include/uapi/linux/if_ether.h struct ethhdr, ETH_P_*.
 */
import { macAddress, u16be } from "../netlink/codec.ts";
import { struct } from "../netlink/struct.ts";

export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;
export const BROADCAST_MAC = "ff:ff:ff:ff:ff:ff";

export const ETHERNET_HEADER = struct("ethhdr", {
  destination: macAddress,
  source: macAddress,
  ethertype: u16be,
});

export type EthernetHeader = ReturnType<typeof ETHERNET_HEADER.decode>;

/** A frame: header and payload. */
export function ethernetFrame(header: EthernetHeader, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER.sizeBytes + payload.length);
  frame.set(ETHERNET_HEADER.encode(header));
  frame.set(payload, ETHERNET_HEADER.sizeBytes);
  return frame;
}

/** What a frame of this type carries; null for one of another type, or that is too short for a header. */
export function payloadOf(frame: Uint8Array, ethertype: number): Uint8Array | null {
  if (frame.length < ETHERNET_HEADER.sizeBytes) return null;
  return ETHERNET_HEADER.decodePrefix(frame).ethertype === ethertype
    ? frame.subarray(ETHERNET_HEADER.sizeBytes)
    : null;
}
