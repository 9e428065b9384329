/**
 * `nat`: source or destination NAT to what registers hold.
 *
 * ```
 * |0008|0001| NFTA_NAT_TYPE           |00000001|  dnat
 * |0008|0002| NFTA_NAT_FAMILY         |00000002|  ipv4
 * |0008|0003| NFTA_NAT_REG_ADDR_MIN   |00000001|
 * |0008|0004| NFTA_NAT_REG_ADDR_MAX   |00000002|
 * |0008|0005| NFTA_NAT_REG_PROTO_MIN  |00000003|
 * |0008|0006| NFTA_NAT_REG_PROTO_MAX  |00000004|
 * |0008|0007| NFTA_NAT_FLAGS          |00000002|  NF_NAT_RANGE_PROTO_SPECIFIED
 * ```
 * Source: nf_tables.h enum nft_nat_attributes, nft_nat_types; linux/netfilter/nf_nat.h.
 */
import { attribute, attributeTable, u32be, type ValueOf } from "../../attribute.ts";

export const NFT_NAT_SNAT = 0;
export const NFT_NAT_DNAT = 1;

/** Registers hold addresses; the kernel infers it from them. */
export const NF_NAT_RANGE_MAP_IPS = 1;
/** Registers hold ports, big-endian. nft writes it, the kernel infers it. */
export const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
export const NF_NAT_RANGE_PROTO_RANDOM = 4;
export const NF_NAT_RANGE_PERSISTENT = 8;

export const natTable = attributeTable("nft_nat", {
  type: attribute("NFTA_NAT_TYPE", 1, u32be),
  family: attribute("NFTA_NAT_FAMILY", 2, u32be),
  addrMinRegister: attribute("NFTA_NAT_REG_ADDR_MIN", 3, u32be),
  addrMaxRegister: attribute("NFTA_NAT_REG_ADDR_MAX", 4, u32be),
  protoMinRegister: attribute("NFTA_NAT_REG_PROTO_MIN", 5, u32be),
  protoMaxRegister: attribute("NFTA_NAT_REG_PROTO_MAX", 6, u32be),
  flags: attribute("NFTA_NAT_FLAGS", 7, u32be),
});

/** Registers left out are not translated. In an inet table, `family` says which family the addresses have. */
export function nat(data: ValueOf<typeof natTable>) {
  return { name: "nat", data } as const;
}
