/**
 * `cmp`: goes on with the rule only if the register compares to the value so. Bytes compare as in memcmp.
 *
 * ```
 * |0008|0001| NFTA_CMP_SREG  |00000001|
 * |0008|0002| NFTA_CMP_OP    |00000000|  eq
 * |  ..|8003| NFTA_CMP_DATA  nested: data
 * ```
 * Source: nf_tables.h enum nft_cmp_attributes, nft_cmp_ops.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";
import { dataTable } from "./data.ts";

export const NFT_CMP_EQ = 0;
export const NFT_CMP_NEQ = 1;
export const NFT_CMP_LT = 2;
export const NFT_CMP_LTE = 3;
export const NFT_CMP_GT = 4;
export const NFT_CMP_GTE = 5;

export const cmpTable = attributeTable("nft_cmp", {
  sreg: attribute("NFTA_CMP_SREG", 1, u32be),
  op: attribute("NFTA_CMP_OP", 2, u32be),
  data: attribute("NFTA_CMP_DATA", 3, dataTable),
});

/** As many bytes of the register `sreg` are compared as `value` has. */
export function cmp(sreg: number, value: Uint8Array, op: number = NFT_CMP_EQ) {
  return { name: "cmp", data: { sreg, op, data: { value } } } as const;
}
