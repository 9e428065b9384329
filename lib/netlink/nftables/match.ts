/** What rules say in several expressions: the sentences of nft's language that Fairlead's rules are made of. */
import { addressToBytes } from "../../addr/address.ts";
import { netmask, type Prefix } from "../../addr/prefix.ts";
import { u32 } from "../attribute.ts";
import { bitwise } from "./expr/bitwise.ts";
import { cmp, NFT_CMP_NEQ } from "./expr/cmp.ts";
import { ct, NFT_CT_STATE, NFT_CT_STATUS } from "./expr/ct.ts";
import { NFT_REG_1 } from "./expr/data.ts";
import type { Expression } from "./expr/expression.ts";
import { meta, NFT_META_NFPROTO } from "./expr/meta.ts";
import { IP_DADDR, IP_SADDR, IP6_DADDR, IP6_SADDR, type PayloadField, payload } from "./expr/payload.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6 } from "./message.ts";

export type AddressField = "saddr" | "daddr";

/** Where the source or destination address stands in the header of a family. */
export function addressField(family: 4 | 6, field: AddressField): PayloadField {
  if (family === 4) return field === "saddr" ? IP_SADDR : IP_DADDR;
  return field === "saddr" ? IP6_SADDR : IP6_DADDR;
}

/** `meta nfproto ipv4`: in an inet table, must come before anything that reads an IP header. */
export function matchFamily(family: 4 | 6): Expression[] {
  const protocol = family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  return [meta(NFT_META_NFPROTO, NFT_REG_1), cmp(NFT_REG_1, Uint8Array.of(protocol))];
}

/**
 * `ip daddr 10.1.0.0/16`, in an inet table.
 *
 * As nft does: a length of whole bytes loads and compares only these; any other is masked.
 */
export function matchPrefix(prefix: Prefix, field: AddressField): Expression[] {
  const { address, length } = prefix;
  const wanted = addressToBytes(address);
  const location = addressField(address.family, field);
  const family = matchFamily(address.family);
  if (length === 0) return family;
  if (length % 8 === 0) {
    const part = wanted.subarray(0, length / 8);
    return [...family, payload({ ...location, length: part.length }, NFT_REG_1), cmp(NFT_REG_1, part)];
  }
  const mask = addressToBytes(netmask(address.family, length));
  return [...family, payload(location, NFT_REG_1), bitwise(NFT_REG_1, mask), cmp(NFT_REG_1, wanted)];
}

/** `ct state …`: any of the bits NF_CT_STATE_*. */
export function matchCtState(states: number): Expression[] {
  return matchCtBits(NFT_CT_STATE, states);
}

/** `ct status …`: any of the bits IPS_*. */
export function matchCtStatus(bits: number): Expression[] {
  return matchCtBits(NFT_CT_STATUS, bits);
}

function matchCtBits(key: number, bits: number): Expression[] {
  const [mask, none] = [u32.encode(bits), u32.encode(0)];
  return [ct(key, NFT_REG_1), bitwise(NFT_REG_1, mask), cmp(NFT_REG_1, none, NFT_CMP_NEQ)];
}
