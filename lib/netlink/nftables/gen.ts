/**
 * The generation: a number that every transaction in the network namespace raises, whoever commits it.
 *
 * Source: nf_tables.h enum nft_gen_attributes.
 */
import { attribute, attributeTable, u32be, type ValueOf, zstring } from "../attribute.ts";
import type { NetlinkRequest } from "../request.ts";
import { decodeObject, NFPROTO_UNSPEC, NFT_MSG_GETGEN, nftablesRequest } from "./message.ts";

/**
 * ```
 * |0008|0001| NFTA_GEN_ID         |00000002|
 * |0008|0002| NFTA_GEN_PROC_PID   |00002b0b|  who asks
 * |  ..|0003| NFTA_GEN_PROC_NAME  |"nft\0"|
 * ```
 */
export const genTable = attributeTable("nft_gen", {
  id: attribute("NFTA_GEN_ID", 1, u32be),
  processId: attribute("NFTA_GEN_PROC_PID", 2, u32be),
  processName: attribute("NFTA_GEN_PROC_NAME", 3, zstring),
});

export type Gen = ValueOf<typeof genTable>;

export function getGen(): NetlinkRequest<Gen> {
  return nftablesRequest({
    message: NFT_MSG_GETGEN,
    family: NFPROTO_UNSPEC,
    flags: 0,
    attributes: new Uint8Array(0),
    operation: "read generation of",
    object: "nftables",
    decodeReply: (reply) => decodeObject(genTable, reply),
  });
}
