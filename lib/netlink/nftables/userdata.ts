/**
 * NFTA_*_USERDATA: bytes that the kernel stores and never reads, at most 256 of them.
 *
 * nft keeps comments in them as a list of TLVs, so ours are written the same way and `nft list` shows them.
 *
 * ```
 * | u8 type | u8 length | value | …        comment "web":  00 04 77 65 62 00
 * ```
 * Source: libnftnl include/libnftnl/udata.h, src/udata.c.
 */
import { FairleadError } from "../../errors.ts";

/** NFT_USERDATA_MAXLEN. */
const USERDATA_MAXIMUM_BYTES = 256;
/** Two bytes of header and a NUL go off. nft itself takes 128 when it reads a script, and lists any. */
export const COMMENT_MAXIMUM_BYTES = USERDATA_MAXIMUM_BYTES - 3;

/** Where the comment is, which differs by the object it is on. */
export const NFTNL_UDATA_CHAIN_COMMENT = 0;
export const NFTNL_UDATA_RULE_COMMENT = 0;
export const NFTNL_UDATA_SET_ELEM_COMMENT = 0;
export const NFTNL_UDATA_SET_KEYBYTEORDER = 0;
export const NFTNL_UDATA_SET_DATABYTEORDER = 1;
export const NFTNL_UDATA_SET_COMMENT = 7;

export interface UserdataItem {
  readonly type: number;
  readonly value: Uint8Array;
}

export function encodeUserdata(items: readonly UserdataItem[]): Uint8Array {
  const encoded = Uint8Array.from(items.flatMap(({ type, value }) => [type, value.length, ...value]));
  const tooLong = items.find(({ value }) => value.length > 255);
  if (encoded.length <= USERDATA_MAXIMUM_BYTES && tooLong === undefined) return encoded;
  throw new FairleadError({
    code: "unsupported-field",
    operation: "encode nftables user data",
    reason: `${encoded.length} bytes do not fit, at most ${USERDATA_MAXIMUM_BYTES} are allowed`,
    hint: "shorten the comment",
  });
}

/** The items that can be read; what another program wrote in a form of its own ends the list. */
export function decodeUserdata(bytes: Uint8Array): UserdataItem[] {
  const items: UserdataItem[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [type = 0, length = 0] = bytes.subarray(at, at + 2);
    const value = bytes.slice(at + 2, at + 2 + length);
    if (value.length < length) break;
    items.push({ type, value });
    at += 2 + length;
  }
  return items;
}

/**
 * User data that holds a comment and nothing else.
 *
 * @throws unsupported-field when it is longer than {@link COMMENT_MAXIMUM_BYTES}.
 */
export function encodeComment(text: string, type: number = NFTNL_UDATA_RULE_COMMENT): Uint8Array {
  return encodeUserdata([{ type, value: new TextEncoder().encode(`${text}\0`) }]);
}

/** The comment in user data; null when there is none. */
export function decodeComment(
  userdata: Uint8Array | undefined,
  type: number = NFTNL_UDATA_RULE_COMMENT,
): string | null {
  const item = decodeUserdata(userdata ?? new Uint8Array(0)).find((candidate) => candidate.type === type);
  if (item === undefined) return null;
  const end = item.value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? item.value : item.value.subarray(0, end));
}
