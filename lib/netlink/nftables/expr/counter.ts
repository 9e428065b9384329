/**
 * `counter`: counts the packets that come by.
 *
 * ```
 * |000c|0001| NFTA_COUNTER_BYTES    |u64, big-endian|
 * |000c|0002| NFTA_COUNTER_PACKETS  |u64, big-endian|
 * ```
 * Source: nf_tables.h enum nft_counter_attributes.
 */
import { attribute, attributeTable, u64be, type ValueOf } from "../../attribute.ts";

export const counterTable = attributeTable("nft_counter", {
  bytes: attribute("NFTA_COUNTER_BYTES", 1, u64be),
  packets: attribute("NFTA_COUNTER_PACKETS", 2, u64be),
});

/** `data` is what it starts from. */
export function counter(data: ValueOf<typeof counterTable> = {}) {
  return { name: "counter", data } as const;
}
