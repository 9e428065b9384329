/**
 * `limit`: goes on with the rule up to a rate (or, inverted, over it).
 *
 * ```
 * |000c|0001| NFTA_LIMIT_RATE   |u64, big-endian|  packets or bytes
 * |000c|0002| NFTA_LIMIT_UNIT   |u64, big-endian|  per so many seconds
 * |0008|0003| NFTA_LIMIT_BURST  |00000005|
 * |0008|0004| NFTA_LIMIT_TYPE   |00000000|
 * |0008|0005| NFTA_LIMIT_FLAGS  |00000000|
 * ```
 * Source: nf_tables.h enum nft_limit_attributes, nft_limit_type, nft_limit_flags.
 */
import { attribute, attributeTable, u32be, u64be } from "../../attribute.ts";

const NFT_LIMIT_PKTS = 0;
export const NFT_LIMIT_PKT_BYTES = 1;
/** Go on when over the rate. */
export const NFT_LIMIT_F_INV = 1;

export const limitTable = attributeTable("nft_limit", {
  rate: attribute("NFTA_LIMIT_RATE", 1, u64be),
  unit: attribute("NFTA_LIMIT_UNIT", 2, u64be),
  burst: attribute("NFTA_LIMIT_BURST", 3, u32be),
  type: attribute("NFTA_LIMIT_TYPE", 4, u32be),
  flags: attribute("NFTA_LIMIT_FLAGS", 5, u32be),
});

export interface Limit {
  readonly rate: bigint;
  readonly perSeconds: bigint;
  /** Packets (or bytes) that may exceed the rate at once; nft takes 5 packets. */
  readonly burst: number;
  /** NFT_LIMIT_PKTS when left out. */
  readonly type?: number;
  readonly flags?: number;
}

export function limit({ rate, perSeconds, burst, type = NFT_LIMIT_PKTS, flags = 0 }: Limit) {
  return { name: "limit", data: { rate, unit: perSeconds, burst, type, flags } } as const;
}
