/**
 * `payload`: loads bytes of the packet. Beyond its end, the rule does not match.
 *
 * ```
 * |0008|0001| NFTA_PAYLOAD_DREG    |00000001|
 * |0008|0002| NFTA_PAYLOAD_BASE    |00000001|  network header
 * |0008|0003| NFTA_PAYLOAD_OFFSET  |0000000c|  ip saddr
 * |0008|0004| NFTA_PAYLOAD_LEN     |00000004|
 * ```
 * Source: nf_tables.h enum nft_payload_attributes, nft_payload_bases.
 */
import { attribute, attributeTable, u32be, type ValueOf } from "../../attribute.ts";

const NFT_PAYLOAD_LL_HEADER = 0;
export const NFT_PAYLOAD_NETWORK_HEADER = 1;
export const NFT_PAYLOAD_TRANSPORT_HEADER = 2;

export const payloadTable = attributeTable("nft_payload", {
  dreg: attribute("NFTA_PAYLOAD_DREG", 1, u32be),
  base: attribute("NFTA_PAYLOAD_BASE", 2, u32be),
  offset: attribute("NFTA_PAYLOAD_OFFSET", 3, u32be),
  length: attribute("NFTA_PAYLOAD_LEN", 4, u32be),
  sreg: attribute("NFTA_PAYLOAD_SREG", 5, u32be),
  checksumType: attribute("NFTA_PAYLOAD_CSUM_TYPE", 6, u32be),
  checksumOffset: attribute("NFTA_PAYLOAD_CSUM_OFFSET", 7, u32be),
  checksumFlags: attribute("NFTA_PAYLOAD_CSUM_FLAGS", 8, u32be),
});

/** What is loaded: `offset` and `length` in bytes, from the start of the header `base`. */
export type PayloadField = Required<Pick<ValueOf<typeof payloadTable>, "base" | "offset" | "length">>;

export const ETHER_SADDR = { base: NFT_PAYLOAD_LL_HEADER, offset: 6, length: 6 } as const;
export const IP_SADDR = { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 12, length: 4 } as const;
export const IP_DADDR = { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 4 } as const;
export const IP6_SADDR = { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 8, length: 16 } as const;
export const IP6_DADDR = { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16 } as const;
/** Of ARP between Ethernet and IPv4. */
export const ARP_SADDR_ETHER = { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 8, length: 6 } as const;
export const ARP_SADDR_IP = { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 14, length: 4 } as const;
/** Source and destination port. */
export const TH_PORTS = { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 4 } as const;
/** Destination port of TCP, UDP, UDP-Lite, SCTP and DCCP alike. */
export const TH_DPORT = { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2 } as const;

/** Loads `field` into the register `dreg`; the bytes stay in network order. */
export function payload(field: PayloadField, dreg: number) {
  const { base, offset, length } = field;
  return { name: "payload", data: { dreg, base, offset, length } } as const;
}
