/**
 * `fib`: asks the routing table about an address of the packet.
 *
 * ```
 * |0008|0003| NFTA_FIB_FLAGS   |00000002|  daddr
 * |0008|0002| NFTA_FIB_RESULT  |00000003|  address type
 * |0008|0001| NFTA_FIB_DREG    |00000001|
 * ```
 * Source: nf_tables.h enum nft_fib_attributes, nft_fib_result, nft_fib_flags; linux/rtnetlink.h RTN_*.
 */
import { attribute, attributeTable, u32be } from "../../attribute.ts";

/** RTN_*, u32 in host order. */
export const NFT_FIB_RESULT_ADDRTYPE = 3;

export const NFTA_FIB_F_DADDR = 2;

/** The address is one of this host's. */
export const RTN_LOCAL = 2;

export const fibTable = attributeTable("nft_fib", {
  dreg: attribute("NFTA_FIB_DREG", 1, u32be),
  result: attribute("NFTA_FIB_RESULT", 2, u32be),
  flags: attribute("NFTA_FIB_FLAGS", 3, u32be),
});

export interface Fib {
  readonly flags: number;
  readonly result: number;
  readonly dreg: number;
}

export function fib({ flags, result, dreg }: Fib) {
  return { name: "fib", data: { flags, result, dreg } } as const;
}
