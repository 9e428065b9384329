/**
 * Codecs: how one value stands in bytes, read both ways.
 *
 * A netlink payload has no self-description: width and byte order are known only from the kernel header.
 * Each codec here fixes one such layout. Scalars without a suffix are in *host* order, as the netlink headers
 * define them; those that the kernel keeps in network order end in `be`.
 *
 * Decoding is total: bytes of a wrong length throw a {@link FairleadError} `decode-failure` that names the
 * lengths; nothing reads out of bounds. Encoding a value that does not fit throws `unsupported-field`.
 */
import { type Address, addressFromBytes, addressToBytes } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";

/** One layout of a value in bytes. `decode` copies: the value never aliases the bytes it came from. */
export interface Codec<T> {
  /** @throws {FairleadError} `unsupported-field`: the value does not fit this layout. */
  encode(value: T): Uint8Array;
  /** @throws {FairleadError} `decode-failure`: the bytes are not of this layout. */
  decode(bytes: Uint8Array): T;
  /** The payload is itself a sequence of attributes: the attribute around it carries NLA_F_NESTED. */
  readonly nested?: true;
}

/** A codec of constant size, which can also stand as a field inside a C struct. */
export interface FixedCodec<T> extends Codec<T> {
  readonly sizeBytes: number;
  /** Value of the field when the caller leaves it out of a struct. */
  readonly zero: T;
  /** The caller guarantees that `offset + sizeBytes` lies inside `view`. */
  read(view: DataView, offset: number): T;
  write(view: DataView, offset: number, value: T): void;
}

/** True on every machine Fairlead is built for (x86-64, arm64); asked rather than assumed. */
export const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const BIG_ENDIAN = false;

/** The error of bytes that are not what the layout wants. The table around it adds the attribute's name. */
export function decodeFailure(reason: string, object = ""): FairleadError {
  return new FairleadError({
    code: "decode-failure",
    operation: "decode netlink",
    object,
    reason,
    hint: "the kernel and Fairlead disagree about a message layout; please report it with the kernel version",
  });
}

/** The error of a value that its layout cannot hold. */
export function encodeFailure(reason: string, object = ""): FairleadError {
  return new FairleadError({ code: "unsupported-field", operation: "encode netlink", object, reason });
}

/**
 * The same error, its object preceded by `name`: what failed inside IFLA_LINKINFO/IFLA_INFO_DATA says so.
 * Anything that is not an error of a codec passes unchanged.
 */
export function within(name: string, error: unknown): unknown {
  if (!(error instanceof FairleadError)) return error;
  const { code, operation, object, reason, hint, details, cause } = error;
  const path = object === "" ? name : `${name}/${object}`;
  return new FairleadError({ code, operation, object: path, reason, hint, details, cause });
}

function expectLength(bytes: Uint8Array, sizeBytes: number): void {
  if (bytes.length !== sizeBytes) throw decodeFailure(`expected ${sizeBytes} bytes, got ${bytes.length}`);
}

/** A view of exactly these bytes, wherever in their buffer they lie. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Makes the whole-payload functions of a codec from its field functions. */
function fixed<T>(field: Pick<FixedCodec<T>, "sizeBytes" | "zero" | "read" | "write">): FixedCodec<T> {
  const { sizeBytes } = field;
  return {
    ...field,
    encode(value) {
      const bytes = new Uint8Array(sizeBytes);
      field.write(viewOf(bytes), 0, value);
      return bytes;
    },
    decode(bytes) {
      expectLength(bytes, sizeBytes);
      return field.read(viewOf(bytes), 0);
    },
  };
}

interface IntegerAccess {
  readonly name: string;
  readonly sizeBytes: number;
  readonly signed?: boolean;
  readonly littleEndian?: boolean;
  get(view: DataView, offset: number, littleEndian: boolean): number;
  setter(littleEndian: boolean): (view: DataView, offset: number, value: number) => void;
}

function integer(access: IntegerAccess): FixedCodec<number> {
  const { name, sizeBytes, signed = false, littleEndian = HOST_IS_LITTLE_ENDIAN, get } = access;
  const set = access.setter(littleEndian);
  const span = 2 ** (8 * sizeBytes);
  const minimum = signed ? -span / 2 : 0;
  const maximum = minimum + span - 1;
  return fixed({
    sizeBytes,
    zero: 0,
    read: (view, offset) => get(view, offset, littleEndian),
    write(view, offset, value) {
      if (!Number.isInteger(value) || value < minimum || value > maximum) {
        throw encodeFailure(`${value} does not fit ${name} (${minimum} to ${maximum})`);
      }
      set(view, offset, value);
    },
  });
}

const getUint16 = (view: DataView, offset: number, le: boolean) => view.getUint16(offset, le);
const setUint16 = (le: boolean) => (view: DataView, offset: number, value: number) =>
  view.setUint16(offset, value, le);
const getUint32 = (view: DataView, offset: number, le: boolean) => view.getUint32(offset, le);
const setUint32 = (le: boolean) => (view: DataView, offset: number, value: number) =>
  view.setUint32(offset, value, le);
const setInt32 = (le: boolean) => (view: DataView, offset: number, value: number) =>
  view.setInt32(offset, value, le);

export const u8: FixedCodec<number> = integer({
  name: "u8",
  sizeBytes: 1,
  get: (view, offset) => view.getUint8(offset),
  setter: () => (view, offset, value) => view.setUint8(offset, value),
});
export const i8: FixedCodec<number> = integer({
  name: "i8",
  sizeBytes: 1,
  signed: true,
  get: (view, offset) => view.getInt8(offset),
  setter: () => (view, offset, value) => view.setInt8(offset, value),
});
export const u16: FixedCodec<number> = integer({
  name: "u16",
  sizeBytes: 2,
  get: getUint16,
  setter: setUint16,
});
export const u16be: FixedCodec<number> = integer({
  name: "u16be",
  sizeBytes: 2,
  littleEndian: BIG_ENDIAN,
  get: getUint16,
  setter: setUint16,
});
export const u32: FixedCodec<number> = integer({
  name: "u32",
  sizeBytes: 4,
  get: getUint32,
  setter: setUint32,
});
export const u32be: FixedCodec<number> = integer({
  name: "u32be",
  sizeBytes: 4,
  littleEndian: BIG_ENDIAN,
  get: getUint32,
  setter: setUint32,
});
export const i32: FixedCodec<number> = integer({
  name: "i32",
  sizeBytes: 4,
  signed: true,
  get: (view, offset, le) => view.getInt32(offset, le),
  setter: setInt32,
});
export const i32be: FixedCodec<number> = integer({
  name: "i32be",
  sizeBytes: 4,
  signed: true,
  littleEndian: BIG_ENDIAN,
  get: (view, offset, le) => view.getInt32(offset, le),
  setter: setInt32,
});

const U64_MAXIMUM = 0xffff_ffff_ffff_ffffn;

function bigInteger(name: string, littleEndian: boolean): FixedCodec<bigint> {
  return fixed({
    sizeBytes: 8,
    zero: 0n,
    read: (view, offset) => view.getBigUint64(offset, littleEndian),
    write(view, offset, value) {
      if (value < 0n || value > U64_MAXIMUM) throw encodeFailure(`${value} does not fit ${name}`);
      view.setBigUint64(offset, value, littleEndian);
    },
  });
}

export const u64: FixedCodec<bigint> = bigInteger("u64", HOST_IS_LITTLE_ENDIAN);
export const u64be: FixedCodec<bigint> = bigInteger("u64be", BIG_ENDIAN);

function toText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80) return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** UTF-8 of a text, and `spare` zeros after it. */
function fromText(text: string, spare: number): Uint8Array {
  const encoded = new Uint8Array(text.length + spare);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return new TextEncoder().encode(text + "\0".repeat(spare));
    encoded[at] = code;
  }
  return encoded;
}

function rejectNul(value: string): void {
  if (value.includes("\0")) throw encodeFailure(`${JSON.stringify(value)} contains a NUL`);
}

/**
 * Text, NUL-terminated on the wire (NLA_NUL_STRING; the kernel's nla_put_string). A missing NUL is accepted on
 * decode, and what follows the first NUL is ignored. Bytes that are not UTF-8 decode to U+FFFD: identify such a
 * link by its ifindex.
 */
export const zstring: Codec<string> = {
  encode(value) {
    rejectNul(value);
    return fromText(value, 1);
  },
  decode(payload) {
    const end = payload.indexOf(0);
    return toText(end === -1 ? payload : payload.subarray(0, end));
  },
};

/** Text without a terminating NUL: the attribute's length is the text's length. */
export const string: Codec<string> = {
  encode: (value) => fromText(value, 0),
  decode: (payload) => toText(payload),
};

/** Uninterpreted bytes, copied both ways. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value.slice(),
  decode: (payload) => payload.slice(),
};

/** Attributes, as they stand on the wire: what they mean is not read here. */
export const nestedBytes: Codec<Uint8Array> = { ...bytes, nested: true };

/** An attribute whose presence alone is the value (NLA_FLAG). Absent means no; there is no `false` on the wire. */
export const flag: Codec<true> = {
  encode: () => new Uint8Array(0),
  decode(payload) {
    expectLength(payload, 0);
    return true;
  },
};

/** A `u8` that the kernel reads as a boolean. Any non-zero byte decodes to true; true encodes as 1. */
export const u8Boolean: FixedCodec<boolean> = fixed({
  sizeBytes: 1,
  zero: false,
  read: (view, offset) => view.getUint8(offset) !== 0,
  write: (view, offset, value) => view.setUint8(offset, value ? 1 : 0),
});

/** An IPv4 or IPv6 address in network order; the payload's length (4 or 16) says which. */
export const ipAddress: Codec<Address> = {
  encode: (value) => addressToBytes(value),
  decode(payload) {
    if (payload.length !== 4 && payload.length !== 16) {
      throw decodeFailure(`expected 4 or 16 bytes, got ${payload.length}`);
    }
    return addressFromBytes(payload);
  },
};

const HEX_DIGITS = "0123456789abcdef";

/** What two hexadecimal digits of `text` say, or -1. */
function hexOctet(text: string, at: number): number {
  const high = HEX_DIGITS.indexOf((text[at] ?? "x").toLowerCase());
  const low = HEX_DIGITS.indexOf((text[at + 1] ?? "x").toLowerCase());
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/**
 * A link-layer address as lower-case hexadecimal text, "02:42:ac:11:00:02". Its length is the link type's: 6 bytes
 * for Ethernet, 4 for an IPv4 tunnel, 20 for InfiniBand, none ("") for a link without one.
 */
export const hardwareAddress: Codec<string> = {
  encode(value) {
    const octets = new Uint8Array(Math.floor((value.length + 1) / 3));
    for (let at = 0; at < value.length; at += 3) {
      const octet = hexOctet(value, at);
      const isLast = at + 2 === value.length;
      if (octet < 0 || !(isLast || (value[at + 2] === ":" && at + 3 < value.length))) {
        throw encodeFailure(`${JSON.stringify(value)} is not a link-layer address`);
      }
      octets[at / 3] = octet;
    }
    return octets;
  },
  decode(payload) {
    let text = "";
    for (let at = 0; at < payload.length; at++) {
      const octet = payload[at] ?? 0;
      text += `${at === 0 ? "" : ":"}${HEX_DIGITS[octet >> 4]}${HEX_DIGITS[octet & 15]}`;
    }
    return text;
  },
};

/** The bytes of a field, as a view. */
function fieldBytes(view: DataView, offset: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, sizeBytes);
}

const MAC_BYTES = 6;

/** An Ethernet MAC: a {@link hardwareAddress} of exactly 6 bytes. */
export const macAddress: FixedCodec<string> = fixed({
  sizeBytes: MAC_BYTES,
  zero: "00:00:00:00:00:00",
  read: (view, offset) => hardwareAddress.decode(fieldBytes(view, offset, MAC_BYTES)),
  write(view, offset, value) {
    const octets = hardwareAddress.encode(value);
    if (octets.length !== MAC_BYTES) throw encodeFailure(`${JSON.stringify(value)} is not a MAC address`);
    fieldBytes(view, offset, MAC_BYTES).set(octets);
  },
});

/** Uninterpreted bytes of a constant number, which can stand inside a struct. */
export function fixedBytes(sizeBytes: number): FixedCodec<Uint8Array> {
  return fixed({
    sizeBytes,
    zero: new Uint8Array(sizeBytes),
    read: (view, offset) => fieldBytes(view, offset, sizeBytes).slice(),
    write(view, offset, value) {
      if (value.length !== sizeBytes) throw encodeFailure(`expected ${sizeBytes} bytes, got ${value.length}`);
      fieldBytes(view, offset, sizeBytes).set(value);
    },
  });
}
