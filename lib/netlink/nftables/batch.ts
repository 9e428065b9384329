/**
 * A transaction: messages between NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, sent in one datagram, of which
 * the kernel takes all or none.
 *
 * The kernel goes through the whole batch before it answers. Then it sends an error for every message that
 * failed, and an acknowledgement for every one that asked for one; so the last message alone asks. Older
 * kernels never acknowledge BEGIN or END; but what concerns the batch as a whole (EPERM, ERESTART when the generation is
 * not the expected one, a failed commit) is an error on BEGIN, after which nothing may follow.
 *
 * Source: net/netfilter/nfnetlink.c nfnetlink_rcv_batch; nfnetlink.h enum nfnl_batch_attributes.
 */
import { attribute, attributeTable, u32be } from "../attribute.ts";
import { type NetlinkRequest, payloadOf } from "../request.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_UNSPEC,
  nfgenmsg,
} from "./message.ts";

/**
 * ```
 * |0008|0001| NFNL_BATCH_GENID  |00000002|
 * ```
 */
export const batchTable = attributeTable("nfnl_batch", {
  generation: attribute("NFNL_BATCH_GENID", 1, u32be),
});

/**
 * The messages of one transaction, for `NetlinkConnection.transact`.
 *
 * @param generation refuses the batch with ERESTART unless this is still the current generation, so that what
 *   was read under it cannot have changed since.
 */
export function batch(
  requests: readonly NetlinkRequest<unknown>[],
  generation?: number,
): NetlinkRequest<unknown>[] {
  const last = requests.length - 1;
  const inside = requests.map((request, at) => ({ ...request, acknowledge: at === last }));
  return [
    boundary("begin", NFNL_MSG_BATCH_BEGIN, batchTable.encode({ generation })),
    ...inside,
    boundary("commit", NFNL_MSG_BATCH_END, new Uint8Array(0)),
  ];
}

function boundary(verb: string, type: number, attributes: Uint8Array): NetlinkRequest {
  const header = nfgenmsg.encode({ family: NFPROTO_UNSPEC, resourceId: NFNL_SUBSYS_NFTABLES });
  return {
    type,
    flags: 0,
    payload: payloadOf(header, attributes),
    operation: verb,
    object: "nftables transaction",
    acknowledge: false,
  };
}
