/**
 * `lookup`: looks a register up in a set; from a map it also loads what the key maps to.
 *
 * ```
 * |0008|0002| NFTA_LOOKUP_SREG    |00000001|
 * |0008|0003| NFTA_LOOKUP_DREG    |00000000|  maps only; the verdict register: `vmap`
 * |  ..|0001| NFTA_LOOKUP_SET     |"masquerade4\0"|
 * |0008|0004| NFTA_LOOKUP_SET_ID  |00000001|  set made in the same transaction
 * |0008|0005| NFTA_LOOKUP_FLAGS   |00000001|  inverted
 * ```
 * Source: nf_tables.h enum nft_lookup_attributes, nft_lookup_flags.
 */
import { attribute, attributeTable, u32be, zstring } from "../../attribute.ts";

export const NFT_LOOKUP_F_INV = 1;

export const lookupTable = attributeTable("nft_lookup", {
  set: attribute("NFTA_LOOKUP_SET", 1, zstring),
  sreg: attribute("NFTA_LOOKUP_SREG", 2, u32be),
  dreg: attribute("NFTA_LOOKUP_DREG", 3, u32be),
  setId: attribute("NFTA_LOOKUP_SET_ID", 4, u32be),
  flags: attribute("NFTA_LOOKUP_FLAGS", 5, u32be),
});

export interface Lookup {
  readonly set: string;
  readonly sreg: number;
  /** For a map: the register that takes the result. NFT_REG_VERDICT follows the verdict at once. */
  readonly dreg?: number;
  /** NFTA_SET_ID of a set of the same transaction; needed for an anonymous set. */
  readonly setId?: number;
  /** Goes on when the key is *not* in the set. */
  readonly inverted?: boolean;
}

export function lookup({ set, sreg, dreg, setId, inverted }: Lookup) {
  return {
    name: "lookup",
    data: { sreg, dreg, set, setId, flags: inverted ? NFT_LOOKUP_F_INV : undefined },
  } as const;
}
