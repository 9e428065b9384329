/**
 * Fixed C structs (`struct ifinfomsg`, `struct nlmsghdr`) as a list of fields, read both ways.
 *
 * Fields are laid out one after the other in the order written; the padding that the C compiler inserts is
 * written out with {@link pad}, so that the list can be held against the header line by line.
 */
import { decodeFailure, type FixedCodec, viewOf, within } from "./codec.ts";

/** Bytes that carry nothing: written as zero, ignored when read. */
export interface Pad {
  readonly pad: number;
}

export function pad(sizeBytes: number): Pad {
  return { pad: sizeBytes };
}

type StructFields = Readonly<Record<string, FixedCodec<unknown> | Pad>>;

/** The value of a struct: every field that is not padding. */
export type StructValue<F extends StructFields> = {
  readonly [K in keyof F as F[K] extends Pad ? never : K]: F[K] extends FixedCodec<infer T> ? T : never;
};

/** Codec of a struct. `encode` takes any of the fields; those left out are zero. */
export interface StructCodec<T> extends FixedCodec<T> {
  readonly structName: string;
  /** The fields that are not padding, in order. */
  readonly fieldNames: readonly (keyof T & string)[];
  encode(value: Partial<T>): Uint8Array;
  write(view: DataView, offset: number, value: Partial<T>): void;
  /** Decodes a struct at the start of `bytes`, which may go on after it. */
  decodePrefix(bytes: Uint8Array): T;
}

interface Placed {
  readonly key: string;
  readonly offset: number;
  readonly codec: FixedCodec<unknown>;
}

/**
 * Codec of one C struct.
 *
 * Decoding wants exactly the struct's size. A struct at the head of something longer (the family header of a
 * message) is read with {@link StructCodec.decodePrefix}.
 *
 * @param structName as in the kernel header, for error messages.
 */
export function struct<const F extends StructFields>(
  structName: string,
  fields: F,
): StructCodec<StructValue<F>> {
  const placed: Placed[] = [];
  let sizeBytes = 0;
  for (const key in fields) {
    const field = fields[key] as FixedCodec<unknown> | Pad;
    if (!("pad" in field)) placed.push({ key, offset: sizeBytes, codec: field });
    sizeBytes += "pad" in field ? field.pad : field.sizeBytes;
  }
  return structCodec<StructValue<F>>(structName, placed, sizeBytes);
}

function structCodec<T>(structName: string, placed: readonly Placed[], sizeBytes: number): StructCodec<T> {
  const fieldNames: (keyof T & string)[] = [];
  for (const { key } of placed) fieldNames.push(key as keyof T & string);
  const read = (view: DataView, offset: number): T => {
    const value: Record<string, unknown> = {};
    for (const { key, offset: at, codec } of placed) value[key] = codec.read(view, offset + at);
    return value as T;
  };
  const write = (view: DataView, offset: number, value: Partial<T>): void => {
    for (const { key, offset: at, codec } of placed) {
      try {
        codec.write(view, offset + at, (value as Record<string, unknown>)[key] ?? codec.zero);
      } catch (error) {
        throw within(`${structName}.${key}`, error);
      }
    }
  };
  return {
    structName,
    fieldNames,
    sizeBytes,
    get zero(): T {
      return read(new DataView(new ArrayBuffer(sizeBytes)), 0);
    },
    read,
    write,
    encode(value) {
      const bytes = new Uint8Array(sizeBytes);
      write(viewOf(bytes), 0, value);
      return bytes;
    },
    decode(bytes) {
      if (bytes.length === sizeBytes) return read(viewOf(bytes), 0);
      throw decodeFailure(`expected ${sizeBytes} bytes, got ${bytes.length}`, structName);
    },
    decodePrefix(bytes) {
      if (bytes.length >= sizeBytes) return read(viewOf(bytes), 0);
      throw decodeFailure(`expected at least ${sizeBytes} bytes, got ${bytes.length}`, structName);
    },
  };
}
