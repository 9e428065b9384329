/**
 * Netlink attributes (`struct nlattr`): a table of rows, one a kernel attribute, read both ways.
 *
 * ```ts
 * const linkTable = attributeTable("link", () => ({
 *   ifname: attribute("IFLA_IFNAME", 3, zstring),
 *   mtu: attribute("IFLA_MTU", 4, u32),
 *   linkInfo: attribute("IFLA_LINKINFO", 18, linkInfoTable),
 * }));
 * type LinkAttributes = ValueOf<typeof linkTable>; // { ifname?: string; mtu?: number; … ; unknown?: … }
 * ```
 *
 * Attributes that a table does not know are kept in `unknown` and written again, after all others. The rest is
 * written in the order of the value's keys, so that what was decoded is encoded in the order in which it came.
 *
 * Source: include/uapi/linux/netlink.h NLA_F_NESTED.
 */
import { type Codec, decodeFailure, encodeFailure, within } from "./codec.ts";
import {
  AttributeCursor,
  decodeAttributes,
  encodeAttributes,
  NLA_F_NESTED,
  type RawAttribute,
} from "./raw-attribute.ts";

export * from "./codec.ts";
export * from "./raw-attribute.ts";
export * from "./struct.ts";

interface RowBase {
  /** As in the kernel header, so that a search finds it. */
  readonly kernelName: string;
  readonly type: number;
  /** NLA_F_NESTED, or 0: what is set in the type when writing. */
  readonly flags: number;
}

/** An attribute that occurs at most once. If the kernel sends it twice, the last one counts. */
export interface SingleRow<T> extends RowBase {
  readonly shape: "single";
  readonly codec: Codec<T>;
}

/** An attribute that occurs any number of times in one table; its value is an array. */
export interface RepeatedRow<T> extends RowBase {
  readonly shape: "repeated";
  readonly codec: Codec<T>;
}

/** An attribute whose layout another attribute of the same table names (IFLA_INFO_DATA by IFLA_INFO_KIND). */
export interface TaggedRow<K extends string, C extends Codecs> extends RowBase {
  readonly shape: "tagged";
  /** The other attribute, by its name in the value. */
  readonly kindKey: K;
  readonly codecs: C;
}

type Codecs = Readonly<Record<string, Codec<unknown>>>;
type Row = SingleRow<unknown> | RepeatedRow<unknown> | TaggedRow<string, Codecs>;
/** The rows of a table, by the name that each has in the value. */
export type AttributeRows = Readonly<Record<string, Row>>;

/** One row: the attribute's name and number in the kernel header, and the layout of its payload. */
export function attribute<C extends Codec<unknown>>(
  kernelName: string,
  type: number,
  codec: C,
): SingleRow<ValueOf<C>> {
  const flags = flagsOf(codec);
  return { shape: "single", kernelName, type, codec: codec as Codec<ValueOf<C>>, flags };
}

/** One row that may occur many times side by side, such as IFLA_BRIDGE_VLAN_INFO. Its value is an array. */
export function repeated<C extends Codec<unknown>>(
  kernelName: string,
  type: number,
  codec: C,
): RepeatedRow<ValueOf<C>> {
  const flags = flagsOf(codec);
  return { shape: "repeated", kernelName, type, codec: codec as Codec<ValueOf<C>>, flags };
}

/**
 * One row whose layout depends on the value under `kindKey` in the same table.
 *
 * The value's type is a union that narrows on that key. Data of a kind that `codecs` does not know stays among
 * the `unknown` attributes, whole.
 */
export function tagged<const K extends string, const C extends Codecs>(
  kernelName: string,
  type: number,
  { kindKey, codecs }: { readonly kindKey: K; readonly codecs: C },
): TaggedRow<K, C> {
  return { shape: "tagged", kernelName, type, kindKey, codecs, flags: NLA_F_NESTED };
}

/**
 * NLA_F_NESTED is set for a table or list, as the kernel's strict validation and its bridge port code want. It is
 * never needed to read.
 */
function flagsOf(codec: Codec<unknown>): number {
  return codec.nested ? NLA_F_NESTED : 0;
}

type PlainKeys<R extends AttributeRows> = {
  [K in keyof R]: R[K] extends TaggedRow<string, Codecs> ? never : K;
}[keyof R];
type TaggedKeys<R extends AttributeRows> = Exclude<keyof R, PlainKeys<R>>;

type PlainValue<R> = R extends RepeatedRow<infer T> ? readonly T[] : R extends SingleRow<infer T> ? T : never;

/** `{kind: "veth", data?: Veth} | {kind: "bridge", data?: Bridge} | {kind?: string, data?: undefined}` */
type TaggedValue<Key extends PropertyKey, R> =
  R extends TaggedRow<infer K, infer C>
    ?
        | {
            [Kind in keyof C]: { readonly [P in K]: Kind } & {
              readonly [P in Key]?: ValueOf<C[Kind]> | undefined;
            };
          }[keyof C]
        | ({ readonly [P in K]?: string | undefined } & { readonly [P in Key]?: undefined })
    : never;

type Intersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void
  ? I
  : never;
type Boxed<R extends AttributeRows> = {
  [K in TaggedKeys<R>]: { readonly box: TaggedValue<K, R[K]> };
}[TaggedKeys<R>];
type TaggedValues<R extends AttributeRows> =
  Intersection<Boxed<R>> extends { readonly box: infer V } ? V : never;

type PlainValues<R extends AttributeRows> = {
  readonly [K in PlainKeys<R>]?: PlainValue<R[K]> | undefined;
} & { readonly unknown?: readonly RawAttribute[] | undefined };

/** The value of a table: every attribute optional, plus those that the table does not know. */
export type AttributeValues<R extends AttributeRows> = [TaggedKeys<R>] extends [never]
  ? PlainValues<R>
  : PlainValues<R> & TaggedValues<R>;

/** Codec of a sequence of attributes, and the rows it was made of. */
export interface AttributeTable<R extends AttributeRows> extends Codec<AttributeValues<R>> {
  readonly nested: true;
  readonly tableName: string;
  readonly rows: R;
}

/** The value type of a codec: `ValueOf<typeof linkTable>`. */
export type ValueOf<C> = C extends { decode(bytes: Uint8Array): infer T } ? T : never;

export interface TableOptions {
  /** For a table that reads a few attributes out of many and is never written back. Default false. */
  readonly dropsUnknown?: boolean;
}

/**
 * Codec of a sequence of attributes.
 *
 * @param tableName for error messages: "link".
 * @param rows      the rows, or a function that makes them when the table is first used. A plugin lives for
 *                  milliseconds and uses few of the tables that it loads.
 */
export function attributeTable<const R extends AttributeRows>(
  tableName: string,
  rows: R | (() => R),
  { dropsUnknown = false }: TableOptions = {},
): AttributeTable<R> {
  let made: R | undefined;
  let keysByType: Map<number, string> | undefined;
  const rowsOf = (): R => {
    made ??= typeof rows === "function" ? rows() : rows;
    return made;
  };
  const keyOf = (type: number): string | undefined => {
    keysByType ??= indexByType(rowsOf());
    return keysByType.get(type);
  };
  return {
    nested: true,
    tableName,
    get rows() {
      return rowsOf();
    },
    encode: (value) => encodeTable(tableName, rowsOf(), value as TableValue),
    decode: (bytes) => decodeTable({ rows: rowsOf(), keyOf, dropsUnknown }, bytes) as AttributeValues<R>,
  };
}

function indexByType(rows: AttributeRows): Map<number, string> {
  const keysByType = new Map<number, string>();
  for (const key in rows) keysByType.set((rows[key] as Row).type, key);
  return keysByType;
}

type TableValue = Readonly<Record<string, unknown>> & { readonly unknown?: readonly RawAttribute[] };

function encodeTable(tableName: string, rows: AttributeRows, value: TableValue): Uint8Array {
  const parts: RawAttribute[] = [];
  for (const key in value) {
    const content = value[key];
    if (content === undefined || key === "unknown") continue;
    const row = rows[key];
    if (row === undefined) throw encodeFailure(`the table has no attribute "${key}"`, tableName);
    try {
      const codec = row.shape === "tagged" ? codecOfKind(row, value[row.kindKey]) : row.codec;
      if (row.shape !== "repeated") parts.push(partOf(row, codec, content));
      else for (const item of content as readonly unknown[]) parts.push(partOf(row, codec, item));
    } catch (error) {
      throw within(row.kernelName, error);
    }
  }
  if (value.unknown) for (const raw of value.unknown) parts.push(raw);
  return encodeAttributes(parts);
}

function partOf({ type, flags }: Row, codec: Codec<unknown>, content: unknown): RawAttribute {
  return { type, flags, payload: codec.encode(content) };
}

function codecOfKind({ codecs }: TaggedRow<string, Codecs>, kind: unknown): Codec<unknown> {
  const codec = ownCodec(codecs, kind);
  if (codec === undefined) throw encodeFailure(`no layout is known for the kind ${JSON.stringify(kind)}`);
  return codec;
}

interface Reading {
  readonly rows: AttributeRows;
  readonly keyOf: (type: number) => string | undefined;
  readonly dropsUnknown: boolean;
}

function decodeTable({ rows, keyOf, dropsUnknown }: Reading, bytes: Uint8Array): unknown {
  const value: Record<string, unknown> = {};
  const unknown: RawAttribute[] = [];
  const undecided: { key: string; row: TaggedRow<string, Codecs>; raw: RawAttribute }[] = [];
  for (const cursor = new AttributeCursor(bytes); cursor.next(); ) {
    const key = keyOf(cursor.type);
    const row = key === undefined ? undefined : rows[key];
    if (key === undefined || row === undefined) {
      if (!dropsUnknown) unknown.push(copyOf(cursor.raw));
    } else if (row.shape === "tagged") undecided.push({ key, row, raw: cursor.raw });
    else value[key] = decodeRow(row, cursor.payload, value[key]);
  }
  for (const { key, row, raw } of undecided) {
    const codec = ownCodec(row.codecs, value[row.kindKey]);
    if (codec !== undefined) value[key] = decodeNamed(row.kernelName, codec, raw.payload);
    else if (!dropsUnknown) unknown.push(copyOf(raw));
  }
  if (unknown.length > 0) value["unknown"] = unknown;
  return value;
}

/** The kind is text from outside: "constructor" must not find what every object inherits. */
function ownCodec(codecs: Codecs, kind: unknown): Codec<unknown> | undefined {
  return typeof kind === "string" && Object.hasOwn(codecs, kind) ? codecs[kind] : undefined;
}

/** The value of a row after one more of its attributes; `earlier` is what it was before. */
function decodeRow(
  row: SingleRow<unknown> | RepeatedRow<unknown>,
  payload: Uint8Array,
  earlier: unknown,
): unknown {
  const content = decodeNamed(row.kernelName, row.codec, payload);
  if (row.shape === "single") return content;
  if (earlier === undefined) return [content];
  (earlier as unknown[]).push(content);
  return earlier;
}

function decodeNamed(kernelName: string, codec: Codec<unknown>, payload: Uint8Array): unknown {
  try {
    return codec.decode(payload);
  } catch (error) {
    throw within(kernelName, error);
  }
}

function copyOf(raw: RawAttribute): RawAttribute {
  return { ...raw, payload: raw.payload.slice() };
}

/**
 * A payload that is a list of attributes all of one type, such as NFTA_LIST_ELEM. Its value is an array.
 *
 * An element of another type throws `decode-failure`: where several may stand side by side, use a table with
 * {@link repeated} rows.
 */
export function nestedList<T>(kernelName: string, type: number, codec: Codec<T>): Codec<readonly T[]> {
  const flags = flagsOf(codec);
  return {
    nested: true,
    encode: (items) =>
      encodeAttributes(items.map((item) => ({ type, flags, payload: encodeNamed(kernelName, codec, item) }))),
    decode: (bytes) =>
      decodeAttributes(bytes).map((raw) => {
        if (raw.type !== type) throw decodeFailure(`expected type ${type}, got ${raw.type}`, kernelName);
        return decodeNamed(kernelName, codec, raw.payload) as T;
      }),
  };
}

function encodeNamed<T>(kernelName: string, codec: Codec<T>, item: T): Uint8Array {
  try {
    return codec.encode(item);
  } catch (error) {
    throw within(kernelName, error);
  }
}
