/**
 * `meta`: loads what is known about the packet besides its bytes, or sets it.
 *
 * ```
 * |0008|0002| NFTA_META_KEY   |0000000f|  nfproto
 * |0008|0001| NFTA_META_DREG  |00000001|
 * ```
 * Source: nf_tables.h enum nft_meta_attributes, nft_meta_keys.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";

/** EtherType, 2 bytes, big-endian. */
export const NFT_META_PROTOCOL = 1;
/** u32, host order. */
export const NFT_META_MARK = 3;
/** Index of the link the packet came in by, u32 in host order. */
export const NFT_META_IIF = 4;
export const NFT_META_OIF = 5;
/** Name of that link, 16 bytes, filled up with NUL. */
export const NFT_META_IIFNAME = 6;
export const NFT_META_OIFNAME = 7;
/** NFPROTO_IPV4 or NFPROTO_IPV6, one byte. */
export const NFT_META_NFPROTO = 15;
/** Protocol number of the transport header, one byte. */
export const NFT_META_L4PROTO = 16;

export const metaTable = attributeTable("nft_meta", {
  dreg: attribute("NFTA_META_DREG", 1, u32be),
  key: attribute("NFTA_META_KEY", 2, u32be),
  sreg: attribute("NFTA_META_SREG", 3, u32be),
});

/** Loads `key` into the register `dreg`. */
export function meta(key: number, dreg: number) {
  return { name: "meta", data: { key, dreg } } as const;
}

/** Sets `key` to what the register `sreg` holds. */
export function setMeta(key: number, sreg: number) {
  return { name: "meta", data: { key, sreg } } as const;
}
