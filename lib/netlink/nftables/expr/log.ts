/**
 * `log`: writes the packet to the kernel log, or, with a group, to whoever listens to that nfnetlink_log group.
 *
 * ```
 * |  ..|0002| NFTA_LOG_PREFIX      |"x: \0"|
 * |0006|0001| NFTA_LOG_GROUP       |0003|
 * |0008|0003| NFTA_LOG_SNAPLEN     |00000040|
 * |0006|0004| NFTA_LOG_QTHRESHOLD  |0002|
 * |0008|0005| NFTA_LOG_LEVEL       |00000004|
 * |0008|0006| NFTA_LOG_FLAGS       |00000000|
 * ```
 * Source: nf_tables.h enum nft_log_attributes, nft_log_level.
 */
import { attribute, attributeTable, u16be, u32be, type ValueOf, zstring } from "../../attribute.ts";

export const logTable = attributeTable("nft_log", {
  group: attribute("NFTA_LOG_GROUP", 1, u16be),
  prefix: attribute("NFTA_LOG_PREFIX", 2, zstring),
  snapshotBytes: attribute("NFTA_LOG_SNAPLEN", 3, u32be),
  queueThreshold: attribute("NFTA_LOG_QTHRESHOLD", 4, u16be),
  /** As in syslog: 4 is warning, the kernel's default. */
  level: attribute("NFTA_LOG_LEVEL", 5, u32be),
  flags: attribute("NFTA_LOG_FLAGS", 6, u32be),
});

/** Either `group` (with the two queue settings) or `level`. */
export function log(data: ValueOf<typeof logTable> = {}) {
  return { name: "log", data } as const;
}
