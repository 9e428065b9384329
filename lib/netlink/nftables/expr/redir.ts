/**
 * `redir`: destination NAT to this host, by the address of the link the packet came in by.
 *
 * ```
 * |0008|0001| NFTA_REDIR_REG_PROTO_MIN  |00000001|
 * |0008|0002| NFTA_REDIR_REG_PROTO_MAX  |00000002|
 * |0008|0003| NFTA_REDIR_FLAGS          |00000002|
 * ```
 * Source: nf_tables.h enum nft_redir_attributes.
 */
import { attribute, attributeTable, u32be, type ValueOf } from "../../attribute.ts";

export const redirTable = attributeTable("nft_redir", {
  protoMinRegister: attribute("NFTA_REDIR_REG_PROTO_MIN", 1, u32be),
  protoMaxRegister: attribute("NFTA_REDIR_REG_PROTO_MAX", 2, u32be),
  flags: attribute("NFTA_REDIR_FLAGS", 3, u32be),
});

/** Registers hold ports, big-endian; without one the port stays. `flags` are NF_NAT_RANGE_*, see `nat`. */
export function redir(data: ValueOf<typeof redirTable> = {}) {
  return { name: "redir", data } as const;
}
