/**
 * What a template sees: the values of Go that Docker's templates work on, and how Go prints them.
 *
 * Source of the text forms: Go's package fmt, verb %v.
 */

/** A struct of Go: named fields in an order, and methods. */
export class GoStruct {
  /** As errors call it: `*network.networkContext`. Empty: errors speak of it as of a map, as Docker's do for `inspect`. */
  readonly typeName: string;
  readonly fields: readonly GoField[];
  readonly methods: Readonly<Record<string, GoMethod>>;

  constructor(
    typeName: string,
    fields: readonly GoField[],
    methods: Readonly<Record<string, GoMethod>> = {},
  ) {
    this.typeName = typeName;
    this.fields = fields;
    this.methods = methods;
  }
}

export interface GoField {
  readonly name: string;
  readonly value: GoValue;
  /** Key in JSON. Default: the name. */
  readonly json?: string;
  /** Left out of JSON when it is empty. */
  readonly omitEmpty?: boolean;
}

export type GoMethod = (args: readonly GoValue[]) => GoValue;

/** An instant, as Go prints and marshals it. */
export class GoTime {
  readonly text: string;

  /** @param text RFC 3339 in UTC. */
  constructor(text: string) {
    this.text = text.replace(/(\.\d*?)0+Z$/, "$1Z").replace(".Z", "Z");
  }

  toString(): string {
    return this.text.replace("T", " ").replace("Z", " +0000 UTC");
  }
}

export type GoMap = ReadonlyMap<string, GoValue>;
export type GoValue = string | number | boolean | null | readonly GoValue[] | GoMap | GoStruct | GoTime;

export function isMap(value: GoValue): value is GoMap {
  return value instanceof Map;
}

export function goMap(entries: Readonly<Record<string, GoValue>>): GoMap {
  return new Map(Object.entries(entries));
}

/** Keys in the order in which Go visits and prints them. */
export function sortedKeys(map: GoMap): string[] {
  return [...map.keys()].sort();
}

/** As `fmt.Print` writes it. */
export function printValue(value: GoValue): string {
  return value === null ? "<no value>" : inner(value);
}

function inner(value: GoValue): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(inner).join(" ")}]`;
  if (isMap(value))
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${inner(value.get(key) ?? null)}`)
      .join(" ")}]`;
  if (value instanceof GoStruct) return `{${value.fields.map((field) => inner(field.value)).join(" ")}}`;
  return String(value);
}

/** Source: Go's text/template, IsTrue. */
export function isTrue(value: GoValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  return Boolean(value);
}

/** What JSON.stringify makes the JSON of Go of; keys of maps are sorted, as Go's are. */
export function toJson(value: GoValue): unknown {
  if (value instanceof GoTime) return value.text;
  if (Array.isArray(value)) return value.map(toJson);
  if (isMap(value))
    return Object.fromEntries(sortedKeys(value).map((key) => [key, toJson(value.get(key) ?? null)]));
  if (!(value instanceof GoStruct)) return value;
  const kept = value.fields.filter(({ omitEmpty, value: field }) => !(omitEmpty && !isTrue(field)));
  return Object.fromEntries(kept.map(({ name, json, value: field }) => [json ?? name, toJson(field)]));
}

/** Name of the type, for errors. */
export function typeName(value: GoValue): string {
  if (value === null) return "nil";
  if (Array.isArray(value)) return "[]interface {}";
  if (isMap(value)) return "map[string]string";
  if (value instanceof GoStruct) return value.typeName;
  if (value instanceof GoTime) return "time.Time";
  return { string: "string", number: "int", boolean: "bool" }[
    typeof value as "string" | "number" | "boolean"
  ];
}
