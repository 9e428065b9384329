/**
 * `range`: goes on with the rule only if the register is (or is not) from one value to another, both included.
 *
 * ```
 * |0008|0001| NFTA_RANGE_SREG       |00000001|
 * |0008|0002| NFTA_RANGE_OP         |00000001|  neq
 * |  ..|8003| NFTA_RANGE_FROM_DATA  nested: data
 * |  ..|8004| NFTA_RANGE_TO_DATA    nested: data
 * ```
 * Source: nf_tables.h enum nft_range_attributes, nft_range_ops.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";
import { dataTable } from "./data.ts";

const NFT_RANGE_EQ = 0;
export const NFT_RANGE_NEQ = 1;

export const rangeTable = attributeTable("nft_range", {
  sreg: attribute("NFTA_RANGE_SREG", 1, u32be),
  op: attribute("NFTA_RANGE_OP", 2, u32be),
  from: attribute("NFTA_RANGE_FROM_DATA", 3, dataTable),
  to: attribute("NFTA_RANGE_TO_DATA", 4, dataTable),
});

export interface Range {
  readonly sreg: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** NFT_RANGE_EQ when left out: inside. */
  readonly op?: number;
}

export function range({ sreg, from, to, op = NFT_RANGE_EQ }: Range) {
  return { name: "range", data: { sreg, op, from: { value: from }, to: { value: to } } } as const;
}
