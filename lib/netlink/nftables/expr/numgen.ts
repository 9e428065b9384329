/**
 * `numgen`: loads a number from `offset` to `offset + modulus - 1`, u32 in host order.
 *
 * ```
 * |0008|0001| NFTA_NG_DREG     |00000001|
 * |0008|0002| NFTA_NG_MODULUS  |00000064|
 * |0008|0003| NFTA_NG_TYPE     |00000001|  random
 * |0008|0004| NFTA_NG_OFFSET   |00000000|
 * ```
 * Source: nf_tables.h enum nft_ng_attributes, nft_ng_types.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";

export const NFT_NG_INCREMENTAL = 0;
export const NFT_NG_RANDOM = 1;

export const numgenTable = attributeTable("nft_ng", {
  dreg: attribute("NFTA_NG_DREG", 1, u32be),
  modulus: attribute("NFTA_NG_MODULUS", 2, u32be),
  type: attribute("NFTA_NG_TYPE", 3, u32be),
  offset: attribute("NFTA_NG_OFFSET", 4, u32be),
});

export interface Numgen {
  readonly dreg: number;
  readonly modulus: number;
  readonly type: number;
  readonly offset?: number;
}

export function numgen({ dreg, modulus, type, offset = 0 }: Numgen) {
  return { name: "numgen", data: { dreg, modulus, type, offset } } as const;
}
