/**
 * `match` and `target`: an iptables extension inside of nf_tables, as iptables-nft writes what has no expression of its own there.
 *
 * ```
 * |  ..|0001| NFTA_MATCH_NAME  |"conntrack\0"|
 * |0008|0002| NFTA_MATCH_REV   |00000003|
 * |  ..|0003| NFTA_MATCH_INFO  |struct of the extension, host order, padded to 8 bytes|
 * ```
 * Source: include/uapi/linux/netfilter/nf_tables_compat.h.
 */
import { attribute, attributeTable, bytes, u32be, zstring } from "../../attribute.ts";

export const matchTable = attributeTable("nft_match", {
  name: attribute("NFTA_MATCH_NAME", 1, zstring),
  revision: attribute("NFTA_MATCH_REV", 2, u32be),
  info: attribute("NFTA_MATCH_INFO", 3, bytes),
});

export const targetTable = attributeTable("nft_target", {
  name: attribute("NFTA_TARGET_NAME", 1, zstring),
  revision: attribute("NFTA_TARGET_REV", 2, u32be),
  info: attribute("NFTA_TARGET_INFO", 3, bytes),
});

/** Where what we look at is in `struct xt_conntrack_mtinfo3`. Source: linux/netfilter/xt_conntrack.h. */
const CONNTRACK_BYTES = 168;
const CONNTRACK_FLAGS_AT = 146;
const CONNTRACK_INVERTED_AT = 148;
const CONNTRACK_STATES_AT = 150;
const XT_CONNTRACK_STATE = 1;

/** Bits of a state, beside NF_CT_STATE_* of ct.ts: the connection's destination is translated. */
export const XT_CONNTRACK_STATE_DNAT = 128;
export const XT_CONNTRACK_STATE_UNTRACKED = 256;

/** `-m conntrack --ctstate …`: any of the states. */
export function conntrackMatch(states: number) {
  const info = new Uint8Array(CONNTRACK_BYTES);
  const view = new DataView(info.buffer);
  view.setUint16(CONNTRACK_FLAGS_AT, XT_CONNTRACK_STATE, true);
  view.setUint16(CONNTRACK_STATES_AT, states, true);
  return { name: "match", data: { name: "conntrack", revision: 3, info } } as const;
}

/** The states that a `conntrack` match asks for, if it asks for nothing else. */
export function conntrackStates(info: Uint8Array): number | null {
  if (info.length < CONNTRACK_BYTES) return null;
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  const isPlain =
    view.getUint16(CONNTRACK_FLAGS_AT, true) === XT_CONNTRACK_STATE &&
    view.getUint16(CONNTRACK_INVERTED_AT, true) === 0;
  return isPlain ? view.getUint16(CONNTRACK_STATES_AT, true) : null;
}

/** `-m icmp6 --icmpv6-type N`, every code. Source: struct ip6t_icmp of linux/netfilter_ipv6/ip6_tables.h. */
export function icmp6Match(type: number) {
  return {
    name: "match",
    data: { name: "icmp6", revision: 0, info: Uint8Array.of(type, 0, 255, 0, 0, 0, 0, 0) },
  } as const;
}
