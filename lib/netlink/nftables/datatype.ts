/**
 * The data types of set keys and map data: how wide they are, and the numbers under which nft knows them.
 *
 * The kernel compares bytes and needs the width alone; the number is there for `nft list`.
 *
 * Source: nftables include/datatype.h enum datatypes, TYPE_BITS.
 */

export interface Datatype {
  /** nft's number of the type. */
  readonly number: number;
  /** Bytes of a value, without the padding that it gets in a concatenation. */
  readonly length: number;
  /** 0: has none, 1: host order, 2: big-endian. Source: nftables include/datatype.h enum byteorder. */
  readonly byteOrder: 0 | 1 | 2;
}

export const IPV4_ADDR: Datatype = { number: 7, length: 4, byteOrder: 2 };
export const IPV6_ADDR: Datatype = { number: 8, length: 16, byteOrder: 2 };
export const ETHER_ADDR: Datatype = { number: 9, length: 6, byteOrder: 2 };
/** Protocol number of a transport header. */
export const INET_PROTO: Datatype = { number: 12, length: 1, byteOrder: 2 };
/** Port number. */
export const INET_SERVICE: Datatype = { number: 13, length: 2, byteOrder: 2 };
/** Name of a link, filled up with NUL to IFNAMSIZ. */
export const IFNAME: Datatype = { number: 41, length: 16, byteOrder: 1 };
/** NFT_DATA_VERDICT. (Given a byte order, nft 1.0.6 aborts when it lists the map.) */
export const VERDICT: Datatype = { number: 0xffff_ff00, length: 0, byteOrder: 0 };

/** Fields of a concatenation have 6 bits each in its number. */
const TYPE_BITS = 6;
const REGISTER_BYTES = 4;

/** The number of a type, or of a concatenation of types. */
export function typeNumber(types: readonly Datatype[]): number {
  return types.reduce((number, type) => number * 2 ** TYPE_BITS + type.number, 0);
}

/** Bytes of a key: fields of a concatenation begin at a register each, a lone field has no padding. */
export function concatenatedLength(types: readonly Datatype[]): number {
  const [only] = types;
  if (types.length === 1 && only) return only.length;
  return types.reduce((sum, { length }) => sum + padded(length), 0);
}

/** The key of several fields: each one filled up with zeros to whole registers. */
export function concatenate(fields: readonly Uint8Array[]): Uint8Array {
  const key = new Uint8Array(fields.reduce((sum, { length }) => sum + padded(length), 0));
  let at = 0;
  for (const field of fields) {
    key.set(field, at);
    at += padded(field.length);
  }
  return key;
}

function padded(length: number): number {
  return Math.ceil(length / REGISTER_BYTES) * REGISTER_BYTES;
}

/** A link's name as a key of type {@link IFNAME}. The name must be valid: at most 15 bytes. */
export function ifnameKey(ifname: string): Uint8Array {
  const key = new Uint8Array(IFNAME.length);
  key.set(new TextEncoder().encode(ifname));
  return key;
}

/** The link's name that {@link ifnameKey} was made from. */
export function ifnameOfKey(key: Uint8Array): string {
  const end = key.indexOf(0);
  return new TextDecoder().decode(end < 0 ? key : key.subarray(0, end));
}
