/**
 * Functions of Docker's templates: those of Go, and Docker's own.
 *
 * Source: Go 1.19, text/template/funcs.go; docker/cli v20.10, templates/templates.go.
 */
import { formatPrintf } from "./printf.ts";
import { GoStruct, type GoValue, isMap, isTrue, printValue, toJson } from "./values.ts";

/** Says what is wrong with the arguments; the evaluator adds where. */
export class CallError extends Error {}

type Fn = (args: readonly GoValue[]) => GoValue;

export const FUNCTIONS: Readonly<Record<string, Fn>> = {
  and: (args) => args.find((value) => !isTrue(value)) ?? last(args),
  or: (args) => args.find(isTrue) ?? last(args),
  not: ([value = null]) => !isTrue(value),
  len: ([value = null]) => lengthOf(value),
  index: ([value = null, ...keys]) => keys.reduce(indexOf, value),
  print: (args) => args.map(printValue).join(""),
  println: (args) => `${args.map(printValue).join(" ")}\n`,
  printf: ([format = "", ...args]) => formatPrintf(String(format), args),
  eq: ([first = null, ...others]) => others.some((other) => first === other),
  ne: ([a = null, b = null]) => a !== b,
  lt: ([a = null, b = null]) => compare(a, b) < 0,
  le: ([a = null, b = null]) => compare(a, b) <= 0,
  gt: ([a = null, b = null]) => compare(a, b) > 0,
  ge: ([a = null, b = null]) => compare(a, b) >= 0,
  json: ([value = null]) => JSON.stringify(toJson(value)),
  split: ([text = "", separator = ""]) => String(text).split(String(separator)),
  join: ([list = null, separator = ""]) => joined(list, String(separator)),
  title: ([text = ""]) => String(text).replace(/(^|\s)\p{L}/gu, (letter) => letter.toUpperCase()),
  lower: ([text = ""]) => String(text).toLowerCase(),
  upper: ([text = ""]) => String(text).toUpperCase(),
  pad: ([text = "", before = 0, after = 0]) =>
    text === "" ? "" : " ".repeat(Number(before)) + String(text) + " ".repeat(Number(after)),
  truncate: ([text = "", length = 0]) => String(text).slice(0, Number(length)),
};

function last(args: readonly GoValue[]): GoValue {
  return args.at(-1) ?? null;
}

function lengthOf(value: GoValue): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (isMap(value)) return value.size;
  throw new CallError(value === null ? "len of nil pointer" : `len of type ${nameOf(value)}`);
}

function indexOf(value: GoValue, key: GoValue): GoValue {
  // A key that is not there has the zero value of the map's type, which here is always text.
  if (isMap(value)) return value.get(String(key)) ?? "";
  if (!Array.isArray(value)) {
    throw new CallError(
      value === null ? "index of untyped nil" : `can't index item of type ${nameOf(value)}`,
    );
  }
  if (typeof key !== "number") throw new CallError(`cannot index slice/array with type ${nameOf(key)}`);
  if (key < 0 || key >= value.length) throw new CallError(`index out of range: ${key}`);
  return (value as readonly GoValue[])[key] ?? null;
}

function joined(list: GoValue, separator: string): string {
  if (!Array.isArray(list))
    throw new CallError(`wrong type for value; expected []string; got ${nameOf(list)}`);
  return list.map(printValue).join(separator);
}

function compare(a: GoValue, b: GoValue): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : Number(a > b);
  throw new CallError("incompatible types for comparison");
}

function nameOf(value: GoValue): string {
  if (value instanceof GoStruct) return value.typeName;
  return { string: "string", number: "int", boolean: "bool" }[typeof value as "string"] ?? typeof value;
}
