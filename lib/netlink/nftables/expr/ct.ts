/**
 * `ct`: loads what connection tracking knows of the packet's connection, or sets it.
 *
 * ```
 * |0008|0002| NFTA_CT_KEY        |00000000|  state
 * |0008|0001| NFTA_CT_DREG       |00000001|
 * |0005|0003| NFTA_CT_DIRECTION  |00|        for keys that have one a direction
 * |0008|0004| NFTA_CT_SREG       |00000001|  instead of DREG: sets
 * ```
 * Source: nf_tables.h enum nft_ct_attributes, nft_ct_keys; nf_conntrack_common.h.
 */
import { attribute, attributeTable, u8, u32be } from "../../attribute.ts";

/** Bits of one of the NF_CT_STATE_* below; u32, host order. */
export const NFT_CT_STATE = 0;
/** 0 original, 1 reply; one byte. */
export const NFT_CT_DIRECTION = 1;
/** Bits IPS_*; u32, host order. */
export const NFT_CT_STATUS = 2;
/** u32, host order. */
export const NFT_CT_MARK = 3;

/** Tracking made no sense of the packet. Source: NF_CT_STATE_INVALID_BIT, NF_CT_STATE_BIT. */
export const NF_CT_STATE_INVALID = 1;
export const NF_CT_STATE_ESTABLISHED = 2;
export const NF_CT_STATE_RELATED = 4;
export const NF_CT_STATE_NEW = 8;
export const NF_CT_STATE_UNTRACKED = 64;

export const IPS_DST_NAT = 32;

export const ctTable = attributeTable("nft_ct", {
  dreg: attribute("NFTA_CT_DREG", 1, u32be),
  key: attribute("NFTA_CT_KEY", 2, u32be),
  direction: attribute("NFTA_CT_DIRECTION", 3, u8),
  sreg: attribute("NFTA_CT_SREG", 4, u32be),
});

/** Loads `key` into the register `dreg`. */
export function ct(key: number, dreg: number) {
  return { name: "ct", data: { key, dreg } } as const;
}

/** Sets `key` to what the register `sreg` holds. */
export function setCt(key: number, sreg: number) {
  return { name: "ct", data: { key, sreg } } as const;
}
