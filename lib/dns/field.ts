/**
 * Fields of a DNS message: how one value stands in the bytes, read both ways.
 *
 * Everything is big-endian. Reading takes the whole message, since a name may point back into it, and says where the
 * next field begins. Reading is total: what does not fit throws `decode-failure`, and nothing is read beyond `end`.
 */
import { type Address, addressFromBytes, addressToBytes } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";
import type { Writer } from "./writer.ts";

/** A value, and the offset of the first byte after it. */
export interface Decoded<T> {
  readonly value: T;
  readonly next: number;
}

/** One layout of a value. */
export interface Field<T> {
  /**
   * @param end offset that the value must not reach beyond: the end of its record's data, or of the message.
   * @throws FairleadError decode-failure
   */
  read(message: Uint8Array, at: number, end: number): Decoded<T>;
  /** @throws FairleadError unsupported-field for a value that this layout cannot hold. */
  write(out: Writer, value: T): void;
}

/** The value that a field, or a table of fields, holds. */
export type ValueOf<F> = F extends Field<infer T> ? T : never;

export function decodeFailure(reason: string, object = ""): FairleadError {
  return new FairleadError({ code: "decode-failure", operation: "decode DNS message", object, reason });
}

export function encodeFailure(reason: string, object = ""): FairleadError {
  return new FairleadError({ code: "unsupported-field", operation: "encode DNS message", object, reason });
}

/** @throws decode-failure when fewer than `sizeBytes` are left. */
export function expectBytes(at: number, sizeBytes: number, end: number): void {
  if (at + sizeBytes > end) {
    throw decodeFailure(`${sizeBytes} bytes are wanted at ${at}, and it ends at ${end}`);
  }
}

function unsigned(sizeBytes: number): Field<number> {
  const most = 2 ** (8 * sizeBytes) - 1;
  return {
    read(message, at, end) {
      expectBytes(at, sizeBytes, end);
      let value = 0;
      for (let index = at; index < at + sizeBytes; index++) value = value * 256 + (message[index] ?? 0);
      return { value, next: at + sizeBytes };
    },
    write(out, value) {
      if (!Number.isInteger(value) || value < 0 || value > most) {
        throw encodeFailure(`${value} is not a whole number from 0 to ${most}`);
      }
      out.unsigned(value, sizeBytes);
    },
  };
}

const u8: Field<number> = unsigned(1);
export const u16: Field<number> = unsigned(2);
export const u32: Field<number> = unsigned(4);

function address(sizeBytes: 4 | 16): Field<Address> {
  return {
    read(message, at, end) {
      expectBytes(at, sizeBytes, end);
      return { value: addressFromBytes(message.subarray(at, at + sizeBytes)), next: at + sizeBytes };
    },
    write(out, value) {
      const bytes = addressToBytes(value);
      if (bytes.length !== sizeBytes) throw encodeFailure(`an address of ${bytes.length} bytes`);
      out.bytes(bytes);
    },
  };
}

export const ipv4: Field<Address> = address(4);
export const ipv6: Field<Address> = address(16);

/** Bytes after their number, itself an unsigned integer. */
export function counted(count: Field<number>): Field<Uint8Array> {
  return {
    read(message, at, end) {
      const { value: length, next } = count.read(message, at, end);
      expectBytes(next, length, end);
      return { value: message.slice(next, next + length), next: next + length };
    },
    write(out, value) {
      count.write(out, value.length);
      out.bytes(value);
    },
  };
}

/** `<character-string>`: at most 255 bytes of anything. Source: RFC 1035 §3.3. */
export const characterString: Field<Uint8Array> = counted(u8);

/** As many of `item` as there are up to the end. */
export function repeated<T>(item: Field<T>): Field<readonly T[]> {
  return {
    read(message, at, end) {
      const value: T[] = [];
      let next = at;
      while (next < end) {
        const one = item.read(message, next, end);
        value.push(one.value);
        next = one.next;
      }
      return { value, next };
    },
    write(out, value) {
      for (const one of value) item.write(out, one);
    },
  };
}

type Table = Readonly<Record<string, Field<unknown>>>;

/** The object that a table of fields holds. */
export type TableValue<T> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** Fields one after the other, in the order of the table. */
export function fields<const T extends Table>(table: T): Field<TableValue<T>> {
  const entries = Object.entries(table) as [keyof T & string, Field<unknown>][];
  return {
    read(message, at, end) {
      const value: Record<string, unknown> = {};
      let next = at;
      for (const [key, field] of entries) {
        const one = field.read(message, next, end);
        value[key] = one.value;
        next = one.next;
      }
      return { value: value as TableValue<T>, next };
    },
    write(out, value) {
      for (const [key, field] of entries) field.write(out, value[key]);
    },
  };
}
