/**
 * `reject`: drops the packet and tells its sender.
 *
 * ```
 * |0008|0001| NFTA_REJECT_TYPE       |00000002|  ICMP code for both families
 * |0005|0002| NFTA_REJECT_ICMP_CODE  |01|        port unreachable
 * ```
 * Source: nf_tables.h enum nft_reject_attributes, nft_reject_types, nft_reject_inet_code.
 */
import { attribute, attributeTable, u8, u32be } from "../../attribute.ts";

export const NFT_REJECT_TCP_RST = 1;
const NFT_REJECT_ICMPX_UNREACH = 2;

const NFT_REJECT_ICMPX_PORT_UNREACH = 1;

export const rejectTable = attributeTable("nft_reject", {
  type: attribute("NFTA_REJECT_TYPE", 1, u32be),
  icmpCode: attribute("NFTA_REJECT_ICMP_CODE", 2, u8),
});

/** As nft's bare `reject`: port unreachable, in whichever family. */
export function reject(type = NFT_REJECT_ICMPX_UNREACH, icmpCode = NFT_REJECT_ICMPX_PORT_UNREACH) {
  return { name: "reject", data: { type, icmpCode } } as const;
}
