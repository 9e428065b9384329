/** What registers, set keys and rules hold: plain bytes, or a verdict. */
import { attribute, attributeTable, bytes, i32be, u32be, type ValueOf, zstring } from "../../attribute.ts";

/** Netfilter's verdicts and those of nf_tables share one space. Source: linux/netfilter.h, nf_tables.h enum nft_verdicts. */
export const NF_DROP = 0;
export const NF_ACCEPT = 1;
const NFT_CONTINUE = -1;
export const NFT_JUMP = -3;
export const NFT_GOTO = -4;
export const NFT_RETURN = -5;

/**
 * Register numbers. The verdict register takes a verdict; the others are one bank of 64 bytes, addressed as
 * four registers of 16 bytes or as sixteen of 4: NFT_REG_1 is NFT_REG32_00 to NFT_REG32_03, and so on.
 *
 * Source: nf_tables.h enum nft_registers.
 */
export const NFT_REG_VERDICT = 0;
export const NFT_REG_1 = 1;
export const NFT_REG_2 = 2;
export const NFT_REG_3 = 3;
export const NFT_REG_4 = 4;
export const NFT_REG32_00 = 8;
export const NFT_REG32_01 = 9;

/**
 * ```
 * |0008|0001| NFTA_VERDICT_CODE   |fffffffd|  jump
 * |  ..|0002| NFTA_VERDICT_CHAIN  |"masq-web\0"|
 * ```
 */
const verdictTable = attributeTable("nft_verdict", {
  code: attribute("NFTA_VERDICT_CODE", 1, i32be),
  chain: attribute("NFTA_VERDICT_CHAIN", 2, zstring),
  chainId: attribute("NFTA_VERDICT_CHAIN_ID", 3, u32be),
});

export type Verdict = ValueOf<typeof verdictTable>;

/**
 * Either `value` (register contents, in the byte order that the key's type has) or `verdict`.
 *
 * ```
 * |  ..|0001| NFTA_DATA_VALUE    |0a010000|
 * |  ..|8002| NFTA_DATA_VERDICT  nested: verdict
 * ```
 */
export const dataTable = attributeTable("nft_data", {
  value: attribute("NFTA_DATA_VALUE", 1, bytes),
  verdict: attribute("NFTA_DATA_VERDICT", 2, verdictTable),
});

/** The verdicts, under their nft names. */
export const verdict = {
  accept: { code: NF_ACCEPT },
  drop: { code: NF_DROP },
  /** Go on with the next rule. */
  continue: { code: NFT_CONTINUE },
  /** Go on after the jump that led here; in a base chain, or after `goto`: its policy. */
  return: { code: NFT_RETURN },
  jump: (chain: string): Verdict => ({ code: NFT_JUMP, chain }),
  /** Like jump, but what ends there does not come back here. */
  goto: (chain: string): Verdict => ({ code: NFT_GOTO, chain }),
} as const;
