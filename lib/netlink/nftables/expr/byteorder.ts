/**
 * `byteorder`: turns numbers in a register from host to network order, or back.
 *
 * ```
 * |0008|0001| NFTA_BYTEORDER_SREG  |00000001|
 * |0008|0002| NFTA_BYTEORDER_DREG  |00000001|
 * |0008|0003| NFTA_BYTEORDER_OP    |00000001|  hton
 * |0008|0004| NFTA_BYTEORDER_LEN   |00000004|  bytes in all
 * |0008|0005| NFTA_BYTEORDER_SIZE  |00000004|  bytes of each number
 * ```
 * Source: nf_tables.h enum nft_byteorder_attributes, nft_byteorder_ops.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";

const NFT_BYTEORDER_HTON = 1;

export const byteorderTable = attributeTable("nft_byteorder", {
  sreg: attribute("NFTA_BYTEORDER_SREG", 1, u32be),
  dreg: attribute("NFTA_BYTEORDER_DREG", 2, u32be),
  op: attribute("NFTA_BYTEORDER_OP", 3, u32be),
  length: attribute("NFTA_BYTEORDER_LEN", 4, u32be),
  size: attribute("NFTA_BYTEORDER_SIZE", 5, u32be),
});

/** Turns one number of `size` bytes (2, 4 or 8) in place. */
export function byteorder(register: number, size: number, op: number = NFT_BYTEORDER_HTON) {
  return { name: "byteorder", data: { sreg: register, dreg: register, op, length: size, size } } as const;
}
