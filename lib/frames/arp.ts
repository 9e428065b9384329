/**
 * ARP for IPv4 on Ethernet: the question whether somebody has an address, and who says so.
 *
 * Source: RFC 826 (layout); RFC 5227 §2.1.1 (probe, and what contradicts one).
 */
import { type Address, addressEquals, addressFromBytes, addressToBytes } from "../addr/address.ts";
import { fixedBytes, macAddress, u8, u16be } from "../netlink/codec.ts";
import { struct } from "../netlink/struct.ts";
import { BROADCAST_MAC, ETH_P_ARP, ethernetFrame, payloadOf } from "./ethernet.ts";

const ARPHRD_ETHER = 1;
const ETH_P_IP = 0x0800;
const ARPOP_REQUEST = 1;
const MAC_BYTES = 6;
const IPV4_BYTES = 4;

const ARP_PACKET = struct("arphdr", {
  hardwareType: u16be,
  protocolType: u16be,
  hardwareBytes: u8,
  protocolBytes: u8,
  operation: u16be,
  senderMac: macAddress,
  sender: fixedBytes(IPV4_BYTES),
  targetMac: macAddress,
  target: fixedBytes(IPV4_BYTES),
});

/** The constant part of all that we send and understand. */
const KIND = {
  hardwareType: ARPHRD_ETHER,
  protocolType: ETH_P_IP,
  hardwareBytes: MAC_BYTES,
  protocolBytes: IPV4_BYTES,
} as const;

/** The frame in which `mac` asks all whether somebody has `address`, without claiming it. */
export function arpProbe(mac: string, address: Address): Uint8Array {
  const target = addressToBytes(address);
  const packet = ARP_PACKET.encode({ ...KIND, operation: ARPOP_REQUEST, senderMac: mac, target });
  return ethernetFrame({ destination: BROADCAST_MAC, source: mac, ethertype: ETH_P_ARP }, packet);
}

/**
 * The MAC address of another machine that has `address` by this frame, or is about to take it; null when the frame says
 * nothing of the kind. Any frame will do: nothing is thrown.
 *
 * @param mac that of the prober, whose own frames a switch may send back.
 */
export function arpClaim(frame: Uint8Array, mac: string, address: Address): string | null {
  const payload = payloadOf(frame, ETH_P_ARP);
  if (payload === null || payload.length < ARP_PACKET.sizeBytes) return null;
  const { senderMac, sender, target, operation, ...kind } = ARP_PACKET.decodePrefix(payload);
  const isKnown = Object.entries(KIND).every(([name, value]) => kind[name as keyof typeof KIND] === value);
  if (!isKnown || senderMac === mac) return null;
  const isProbe = operation === ARPOP_REQUEST && sender.every((byte) => byte === 0);
  const claimed = isProbe ? target : sender;
  return addressEquals(addressFromBytes(claimed), address) ? senderMac : null;
}
