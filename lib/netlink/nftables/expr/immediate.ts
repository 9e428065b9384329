/**
 * `immediate`: loads a constant into a register; into the verdict register, it is the rule's verdict.
 *
 * ```
 * |0008|0001| NFTA_IMMEDIATE_DREG  |00000000|  verdict register
 * |  ..|8002| NFTA_IMMEDIATE_DATA  nested: data
 * ```
 * Source: nf_tables.h enum nft_immediate_attributes.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";
import { dataTable, NFT_REG_VERDICT, type Verdict } from "./data.ts";

export const immediateTable = attributeTable("nft_immediate", {
  dreg: attribute("NFTA_IMMEDIATE_DREG", 1, u32be),
  data: attribute("NFTA_IMMEDIATE_DATA", 2, dataTable),
});

export function immediate(dreg: number, value: Uint8Array) {
  return { name: "immediate", data: { dreg, data: { value } } } as const;
}

/** Ends the rule with a verdict. */
export function immediateVerdict(verdict: Verdict) {
  return { name: "immediate", data: { dreg: NFT_REG_VERDICT, data: { verdict } } } as const;
}
