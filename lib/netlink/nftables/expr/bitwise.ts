/**
 * `bitwise`: dreg = (sreg & mask) ^ xor.
 *
 * ```
 * |0008|0001| NFTA_BITWISE_SREG  |00000001|
 * |0008|0002| NFTA_BITWISE_DREG  |00000001|
 * |0008|0003| NFTA_BITWISE_LEN   |00000004|
 * |  ..|8004| NFTA_BITWISE_MASK  nested: data
 * |  ..|8005| NFTA_BITWISE_XOR   nested: data
 * ```
 * Source: nf_tables.h enum nft_bitwise_attributes.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";
import { dataTable } from "./data.ts";

export const bitwiseTable = attributeTable("nft_bitwise", {
  sreg: attribute("NFTA_BITWISE_SREG", 1, u32be),
  dreg: attribute("NFTA_BITWISE_DREG", 2, u32be),
  length: attribute("NFTA_BITWISE_LEN", 3, u32be),
  mask: attribute("NFTA_BITWISE_MASK", 4, dataTable),
  xor: attribute("NFTA_BITWISE_XOR", 5, dataTable),
  op: attribute("NFTA_BITWISE_OP", 6, u32be),
  data: attribute("NFTA_BITWISE_DATA", 7, dataTable),
});

/** Ands the register with `mask`, in place; then, if given, exclusive-ors it with `xor` of the same length. */
export function bitwise(register: number, mask: Uint8Array, xor: Uint8Array = new Uint8Array(mask.length)) {
  return {
    name: "bitwise",
    data: {
      sreg: register,
      dreg: register,
      length: mask.length,
      mask: { value: mask },
      xor: { value: xor },
    },
  } as const;
}
