/**
 * Attributes as they stand on the wire (`struct nlattr`), whatever they mean.
 *
 * Wire: u16 length (header and payload, without padding), u16 type, payload, zeros up to a multiple of 4. The two
 * upper bits of the type are flags. Both numbers are in host order.
 *
 * Source: include/uapi/linux/netlink.h struct nlattr, NLA_ALIGNTO.
 */
import { decodeFailure, encodeFailure, HOST_IS_LITTLE_ENDIAN, viewOf } from "./codec.ts";

/** The payload is a sequence of attributes. */
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const NLA_HDRLEN = 4;
const NLA_MAXIMUM_LENGTH = 0xffff;

/** Netlink aligns attributes and messages to 4 bytes. Source: NLA_ALIGN, NLMSG_ALIGN. */
export function align4(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}

/** An attribute as it stood on the wire. */
export interface RawAttribute {
  /** Without the flag bits. */
  readonly type: number;
  readonly payload: Uint8Array;
  /** NLA_F_NESTED and NLA_F_NET_BYTEORDER as received; absent when neither was set. */
  readonly flags?: number;
}

/** Writes attributes one after the other, each padded to 4 bytes. */
export function encodeAttributes(attributes: readonly RawAttribute[]): Uint8Array {
  let size = 0;
  for (const { payload } of attributes) size += align4(NLA_HDRLEN + payload.length);
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  let offset = 0;
  for (const { type, flags = 0, payload } of attributes) {
    const length = NLA_HDRLEN + payload.length;
    if (length > NLA_MAXIMUM_LENGTH)
      throw encodeFailure(`attribute ${type} has ${length} bytes, 65535 are possible`);
    view.setUint16(offset, length, HOST_IS_LITTLE_ENDIAN);
    view.setUint16(offset + 2, type | flags, HOST_IS_LITTLE_ENDIAN);
    bytes.set(payload, offset + NLA_HDRLEN);
    offset += align4(length);
  }
  return bytes;
}

/** Walks over the attributes of `bytes`: after each {@link next} that is true, the fields tell of one. */
export class AttributeCursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  /** Without the flag bits. */
  type = 0;
  flags = 0;
  #start = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** A view into the bytes, not a copy. */
  get payload(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** @throws {FairleadError} `decode-failure`: a length is below the header's or beyond the end. */
  next(): boolean {
    const offset = this.#offset;
    const left = this.#bytes.length - offset;
    if (left <= 0) return false;
    const length = left < NLA_HDRLEN ? 0 : this.#view.getUint16(offset, HOST_IS_LITTLE_ENDIAN);
    if (length < NLA_HDRLEN || length > left) {
      throw decodeFailure(`attribute at byte ${offset} claims ${length} bytes, ${left} are left`);
    }
    const rawType = this.#view.getUint16(offset + 2, HOST_IS_LITTLE_ENDIAN);
    this.type = rawType & NLA_TYPE_MASK;
    this.flags = rawType & ~NLA_TYPE_MASK;
    this.#start = offset + NLA_HDRLEN;
    this.#end = offset + length;
    this.#offset = offset + align4(length);
    return true;
  }

  get raw(): RawAttribute {
    const { type, payload, flags } = this;
    return flags === 0 ? { type, payload } : { type, payload, flags };
  }
}

/**
 * Reads attributes up to the end of `bytes`. Payloads are views into `bytes`, not copies.
 *
 * @throws {FairleadError} `decode-failure`: an attribute's length is below its header or beyond the end.
 */
export function decodeAttributes(bytes: Uint8Array): RawAttribute[] {
  const attributes: RawAttribute[] = [];
  for (const cursor = new AttributeCursor(bytes); cursor.next(); ) attributes.push(cursor.raw);
  return attributes;
}
