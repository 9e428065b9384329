/**
 * Record types: number and layout of the data of each. One row serves both directions.
 *
 * Names in the data are written with pointers only where RFC 1035 defined the type (RFC 3597 §4); they are read
 * either way.
 */
import {
  characterString,
  counted,
  type Field,
  fields,
  ipv4,
  ipv6,
  repeated,
  u16,
  u32,
  type ValueOf,
} from "./field.ts";
import { compressedName, plainName } from "./name.ts";

/** One row. Source: the IANA registry "DNS Parameters", Resource Record (RR) TYPEs. */
interface RecordType<T> {
  readonly number: number;
  readonly data: Field<T>;
}

function type<T>(number: number, data: Field<T>): RecordType<T> {
  return { number, data };
}

export const RECORD_TYPES = {
  /** RFC 1035 §3.4.1 */
  A: type(1, fields({ address: ipv4 })),
  /** RFC 1035 §3.3.11 */
  NS: type(2, fields({ host: compressedName })),
  /** RFC 1035 §3.3.1 */
  CNAME: type(5, fields({ target: compressedName })),
  /** RFC 1035 §3.3.13. Times in seconds; `minimum` bounds how long a negative answer is kept (RFC 2308 §4). */
  SOA: type(
    6,
    fields({
      primary: compressedName,
      mailbox: compressedName,
      serial: u32,
      refresh: u32,
      retry: u32,
      expire: u32,
      minimum: u32,
    }),
  ),
  /** RFC 1035 §3.3.12 */
  PTR: type(12, fields({ host: compressedName })),
  /** RFC 1035 §3.3.9 */
  MX: type(15, fields({ preference: u16, exchange: compressedName })),
  /** RFC 1035 §3.3.14: bytes, not text. */
  TXT: type(16, fields({ strings: repeated(characterString) })),
  /** RFC 3596 §2.2 */
  AAAA: type(28, fields({ address: ipv6 })),
  /** RFC 2782 */
  SRV: type(33, fields({ priority: u16, weight: u16, port: u16, target: plainName })),
  /** RFC 6891 §6.1.2; what class and TTL mean here is in edns.ts. */
  OPT: type(41, fields({ options: repeated(fields({ code: u16, data: counted(u16) })) })),
} as const;

export type TypeName = keyof typeof RECORD_TYPES;

type KnownData = {
  readonly [T in TypeName]: { readonly type: T; readonly data: ValueOf<(typeof RECORD_TYPES)[T]["data"]> };
}[TypeName];

/** Type and data of a record. A type without a row is its number, its data the bytes as they came. */
export type RecordData = KnownData | { readonly type: number; readonly data: Uint8Array };

const NAME_OF_NUMBER: ReadonlyMap<number, TypeName> = new Map(
  (Object.keys(RECORD_TYPES) as TypeName[]).map((name) => [RECORD_TYPES[name].number, name]),
);

/** `A` for 1; the number itself where there is no row. */
export function typeName(number: number): TypeName | number {
  return NAME_OF_NUMBER.get(number) ?? number;
}

export function typeNumber(type: TypeName | number): number {
  return typeof type === "number" ? type : RECORD_TYPES[type].number;
}

/** Question type that asks for everything. Source: RFC 1035 §3.2.3; RFC 8482. */
export const TYPE_ANY = 255;
/** Zone transfers, asked for in a question. Source: RFC 5936, RFC 1995. */
export const TYPE_AXFR = 252;
export const TYPE_IXFR = 251;
