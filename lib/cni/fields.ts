/**
 * Reads objects of a network configuration by table: one row per key says its type and what it is when absent.
 *
 * Keys match as in encoding/json of Go, which conflists in the field rely on: the exact spelling first, then any
 * spelling that differs only in case (`RuntimeConfig`, `HostPort`). `null` counts as absent. Keys without a row
 * are ignored: a configuration may hold keys of other plugins and of later versions.
 *
 * Source: encoding/json, func Unmarshal; CNI SPEC 1.1.0, "Plugin configuration objects".
 */
import { describeJson, faultOf, isObject, type Json, type JsonObject, type Reading } from "./json.ts";

/** How one value is read. */
export interface Field<T> {
  /** Completes "expected …" in the message about a wrong value. */
  readonly expected: string;
  /** The value of an absent key. */
  readonly absent: T;
  /** The value, or undefined when it is not of the expected type. May throw about a value inside. */
  read(value: Json, at: Place): T | undefined;
}

/** Where a value stands (`ipam.ranges[0].subnet`), and how its faults are reported. */
export interface Place {
  readonly path: string;
  readonly reading: Reading;
}

/** The object type that a table of fields yields. */
export type Read<Table> = { readonly [Key in keyof Table]: Table[Key] extends Field<infer T> ? T : never };

/** A table: key → how it is read. */
export type FieldTable = Readonly<Record<string, Field<unknown>>>;

export const NETWORK_CONFIGURATION: Reading = {
  operation: "read network configuration",
  fault: "invalid-config",
};

/** The top of a network configuration. */
export const TOP: Place = { path: "", reading: NETWORK_CONFIGURATION };

export function text(absent = ""): Field<string> {
  return { expected: "a string", absent, read: (value) => (typeof value === "string" ? value : undefined) };
}

export function flag(absent = false): Field<boolean> {
  return {
    expected: "true or false",
    absent,
    read: (value) => (typeof value === "boolean" ? value : undefined),
  };
}

/** Undefined when absent: for keys whose default depends on others. */
export function optionalFlag(): Field<boolean | undefined> {
  return { ...flag(), absent: undefined };
}

/** Inclusive bounds and the value of an absent key. Defaults: 0 to 2^53 - 1, absent is 0. */
export interface IntegerRules<T extends number | undefined> {
  readonly min?: number;
  readonly max?: number;
  readonly absent?: T;
}

/** A whole number. A number in quotes is refused, as the reference refuses it. */
export function integer<T extends number | undefined = number>(
  rules: IntegerRules<T> = {},
): Field<number | T> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = rules;
  const absent = "absent" in rules ? (rules.absent as T) : (0 as T);
  const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  const fits = (value: Json): value is number =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
  return {
    expected: `a whole number ${bounds}`,
    absent,
    read: (value) => (fits(value) ? value : undefined),
  };
}

/** A whole number that is undefined when absent: for keys where 0 means something. */
export function optionalInteger(rules: { min?: number; max?: number } = {}): Field<number | undefined> {
  return integer<number | undefined>({ ...rules, absent: undefined });
}

/** One of `choices`, in the exact spelling. The empty string counts as absent, as in the reference. */
export function oneOf<C extends string>(choices: readonly C[], absent: C): Field<C> {
  return {
    expected: `one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`,
    absent,
    read: (value) => (value === "" ? absent : choices.find((choice) => choice === value)),
  };
}

/** An array; an absent one is empty. A `null` inside is what `item` is when absent. */
export function list<T>(item: Field<T>): Field<readonly T[]> {
  return {
    expected: `an array, each element ${item.expected}`,
    absent: [],
    read: (value, at) =>
      Array.isArray(value)
        ? value.map((element: Json, index) => readField(item, element, inside(at, `[${index}]`)))
        : undefined,
  };
}

/** An object of named values that are all read alike; an absent one is empty. */
export function map<T>(item: Field<T>): Field<Readonly<Record<string, T>>> {
  return {
    expected: `an object, each value ${item.expected}`,
    absent: {},
    read: (value, at) => (isObject(value) ? readMap(item, value, at) : undefined),
  };
}

function readMap<T>(item: Field<T>, value: JsonObject, at: Place): Readonly<Record<string, T>> {
  // Pairs, not assignment: a key "__proto__" must become a key.
  return Object.fromEntries(
    Object.entries(value).map(([key, element]) => [key, readField(item, element, inside(at, `.${key}`))]),
  );
}

/** An object with its own table. Absent: every key of it absent; made when it is first needed. */
export function object<Table extends FieldTable>(table: Table): Field<Read<Table>> {
  const { expected, read } = optionalObject(table);
  let absent: Read<Table> | undefined;
  return {
    expected,
    read,
    get absent() {
      absent ??= absentObject(table);
      return absent;
    },
  };
}

/** Like {@link object}, but undefined when absent. */
export function optionalObject<Table extends FieldTable>(table: Table): Field<Read<Table> | undefined> {
  return {
    expected: "an object",
    absent: undefined,
    read: (value, at) => (isObject(value) ? readObject(table, value, at) : undefined),
  };
}

/** Any JSON value, as it is; null when absent. */
export const anything: Field<Json> = { expected: "a value", absent: null, read: (value) => value };

/**
 * Text that `check` finds nothing wrong with. `check` returns what is wrong, or null; it also sees "".
 *
 * @param expected completes "expected …".
 */
export function checkedText(
  expected: string,
  check: (value: string) => string | null,
  absent = "",
): Field<string> {
  return {
    expected,
    absent,
    read: (value, { path, reading }) => {
      if (typeof value !== "string") return undefined;
      const problem = check(value);
      if (problem === null) return value;
      throw faultOf(reading, path, `${describeJson(value)} is refused: ${problem}; expected ${expected}`);
    },
  };
}

function absentObject<Table extends FieldTable>(table: Table): Read<Table> {
  const absent: Record<string, unknown> = {};
  for (const key in table) absent[key] = table[key]?.absent;
  return absent as Read<Table>;
}

/**
 * Reads the keys of `table` out of `raw`.
 *
 * @param at where `raw` stands; default: the top of the network configuration.
 * @throws FairleadError with `at.reading.fault`, naming key, value and expected type.
 */
export function readFields<Table extends FieldTable>(
  table: Table,
  raw: JsonObject,
  at: Place = TOP,
): Read<Table> {
  return readObject(table, raw, at);
}

/** Hears of a value that {@link readLeniently} passed over. */
export type Complain = (message: string) => void;

/**
 * Reads the keys of `table` out of `raw`, each by itself: one with a wrong value counts as absent, and `complain` hears of
 * it. Never throws. For the verbs that take away: what somebody has written into a configuration since keeps nothing from
 * going.
 *
 * @param raw where the keys stand; what is no object has none of them.
 */
export function readLeniently<Table extends FieldTable>(
  table: Table,
  raw: Json | undefined,
  { complain, ...at }: Place & { readonly complain: Complain },
): Read<Table> {
  const whole = raw !== undefined && isObject(raw) ? raw : {};
  const read: Record<string, unknown> = {};
  for (const name in table) {
    const field = table[name] as Field<unknown>;
    try {
      read[name] = readObject({ [name]: field }, whole, at)[name];
    } catch (thrown) {
      complain(`going on without a key: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      read[name] = field.absent;
    }
  }
  return read as Read<Table>;
}

function readObject<Table extends FieldTable>(table: Table, raw: JsonObject, at: Place): Read<Table> {
  const keyOf = keyMatcher(raw);
  const read: Record<string, unknown> = {};
  for (const name in table) {
    const field = table[name] as Field<unknown>;
    const key = keyOf(name);
    const value = key === undefined ? undefined : raw[key];
    read[name] = value === undefined ? field.absent : readField(field, value, inside(at, `.${key}`));
  }
  return read as Read<Table>;
}

function readField<T>(field: Field<T>, value: Json, at: Place): T {
  if (value === null) return field.absent;
  const read = field.read(value, at);
  if (read !== undefined) return read;
  throw faultOf(at.reading, at.path, `it is ${describeJson(value)}, expected ${field.expected}`);
}

function inside({ path, reading }: Place, step: string): Place {
  return { path: path === "" ? step.replace(/^\./, "") : path + step, reading };
}

/**
 * The value of one key, in any case; undefined when absent or null.
 * Prefer a table: this is for keys that say which table to use.
 */
export function fieldValue(raw: JsonObject, name: string): Json | undefined {
  const key = keyMatcher(raw)(name);
  return key === undefined ? undefined : (raw[key] ?? undefined);
}

/** Finds the key of `raw` that a name means: itself, else the last one that differs only in case. */
function keyMatcher(raw: JsonObject): (name: string) => string | undefined {
  let folded: Map<string, string> | undefined;
  return (name) => {
    if (Object.hasOwn(raw, name)) return name;
    folded ??= new Map(Object.keys(raw).map((key) => [key.toLowerCase(), key]));
    return folded.get(name.toLowerCase());
  };
}
