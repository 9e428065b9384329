/**
 * `masq`: source NAT to an address of the outgoing link. Postrouting NAT chains only, and what these jump to.
 *
 * ```
 * |0008|0001| NFTA_MASQ_FLAGS          |0000000c|  random, persistent
 * |0008|0002| NFTA_MASQ_REG_PROTO_MIN  |00000001|
 * |0008|0003| NFTA_MASQ_REG_PROTO_MAX  |00000002|
 * ```
 * Source: nf_tables.h enum nft_masq_attributes.
 */
import { attribute, attributeTable, u32be, type ValueOf } from "../../attribute.ts";

export const masqTable = attributeTable("nft_masq", {
  flags: attribute("NFTA_MASQ_FLAGS", 1, u32be),
  protoMinRegister: attribute("NFTA_MASQ_REG_PROTO_MIN", 2, u32be),
  protoMaxRegister: attribute("NFTA_MASQ_REG_PROTO_MAX", 3, u32be),
});

/** `flags` are NF_NAT_RANGE_*, see `nat`. */
export function masq(data: ValueOf<typeof masqTable> = {}) {
  return { name: "masq", data } as const;
}
