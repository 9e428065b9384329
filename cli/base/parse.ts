/**
 * Reads a command line by its description.
 *
 * The rules are those of Docker's command line (Go's pflag): options and arguments in any order, `--name value`,
 * `--name=value`, `-n value`, `-nvalue`, `-n=value`, switches in clusters (`-qf x`), `--switch=false`, `--` ends the options.
 *
 * Source of the rules and words: github.com/spf13/pflag v1.0.5, flag.go and errors of strconv.
 */
import type { CommandSpec, Input, OptionSpec, Options } from "./spec.ts";
import { nearest } from "./suggest.ts";

/** A command line that makes no sense. */
export class UsageError extends Error {
  readonly part: "option" | "arguments";

  constructor(part: "option" | "arguments", message: string) {
    super(message);
    this.name = "UsageError";
    this.part = part;
  }
}

/** Thrown for `--help` and `-h`, wherever they stand before a `--`. */
export class HelpWanted extends Error {}

type Value = boolean | string | number | string[] | Record<string, string> | undefined;

/** @throws UsageError, HelpWanted */
export function parseCommandLine(spec: CommandSpec, argv: readonly string[], path: string): Input<Options> {
  const values = new Map<string, Value>();
  const args: string[] = [];
  const rest = [...argv];
  const reading = { options: spec.options, rest, values };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") {
      args.push(...rest);
      break;
    }
    if (word.startsWith("--")) parseLong(word, reading);
    else if (word.startsWith("-") && word !== "-") parseShort(word, reading);
    else {
      args.push(word);
      if (!spec.passThrough) continue;
      args.push(...rest);
      break;
    }
  }
  const options = withDefaults(spec.options, values) as Input<Options>["options"];
  checkCount(spec, { args, options }, path);
  return { args, options };
}

/** What a word is read by: the options that there are, the words that follow it, and the values so far. */
interface Reading {
  readonly options: Options;
  readonly rest: string[];
  readonly values: Map<string, Value>;
}

/** An option and the name that it goes by. */
interface NamedOption<Spec extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly option: Spec;
}

function parseLong(word: string, { options, rest, values }: Reading): void {
  const equals = word.indexOf("=");
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (!option && name === "help") throw new HelpWanted();
  if (!option) throw unknownOption(options, name);
  const text = equals < 0 ? implied(option, rest) : word.slice(equals + 1);
  if (text === undefined) throw new UsageError("option", `flag needs an argument: --${name}`);
  store({ name, option }, text, values);
}

/** `-qf x`: every letter is an option; the first that takes a value takes the rest of the word, or the next one. */
function parseShort(word: string, { options, rest, values }: Reading): void {
  for (let letters = word.slice(1); letters !== ""; ) {
    const letter = letters.slice(0, 1);
    const after = letters.slice(1);
    const found = Object.entries(options).find(([, { short }]) => short === letter);
    if (found === undefined) {
      if (letter === "h") throw new HelpWanted();
      throw new UsageError("option", `unknown shorthand flag: '${letter}' in ${word}`);
    }
    const [name, option] = found;
    const alone = option.kind === "switch" && !after.startsWith("=");
    const text = alone ? "true" : valueAfter(after, rest);
    if (text === undefined) throw new UsageError("option", `flag needs an argument: '${letter}' in ${word}`);
    store({ name, option }, text, values);
    letters = alone ? after : "";
  }
}

/** `=x`, `x`, or the next word. */
function valueAfter(letters: string, rest: string[]): string | undefined {
  if (letters === "") return rest.shift();
  return letters.startsWith("=") ? letters.slice(1) : letters;
}

/** The value of an option that stands without one: the next word, except for a switch. */
function implied(option: OptionSpec, rest: string[]): string | undefined {
  return option.kind === "switch" ? "true" : rest.shift();
}

function store(named: NamedOption, text: string, values: Map<string, Value>): void {
  const problem = named.option.check?.(text) ?? null;
  if (problem !== null) throw invalidValue(named, text, problem);
  values.set(named.name, combine(named, text, values.get(named.name)));
}

/** What an option is worth after one more value for it. */
function combine({ name, option }: NamedOption, text: string, before: Value): Value {
  switch (option.kind) {
    case "switch":
      return readSwitch({ name, option }, text);
    case "integer":
      return readInteger({ name, option }, text);
    case "text":
      return checkChoice({ name, option }, text);
    case "list":
      return [...((before as string[] | undefined) ?? []), ...(option.commas ? text.split(",") : [text])];
    case "map": {
      const equals = text.indexOf("=");
      const [key, value] = equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
      return Object.fromEntries([...Object.entries((before as object | undefined) ?? {}), [key, value]]);
    }
  }
}

/** Source: Go's strconv.ParseBool. */
const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function readSwitch(named: NamedOption, text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw invalidValue(named, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function readInteger(named: NamedOption, text: string): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw invalidValue(named, text, `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function checkChoice(named: NamedOption<OptionSpec & { kind: "text" }>, text: string): string {
  const { option } = named;
  if (option.choices === undefined || option.choices.includes(text)) return text;
  throw invalidValue(named, text, `it is one of ${option.choices.join(", ")}`);
}

function invalidValue({ name, option: { short } }: NamedOption, text: string, problem: string): UsageError {
  const flag = short === undefined ? `--${name}` : `-${short}, --${name}`;
  return new UsageError("option", `invalid argument ${JSON.stringify(text)} for "${flag}" flag: ${problem}`);
}

function unknownOption(options: Options, name: string): UsageError {
  const visible = Object.keys(options).filter((key) => options[key]?.hidden !== true);
  const near = nearest(name, visible);
  const hint = near === null ? "" : `; did you mean --${near}?`;
  return new UsageError("option", `unknown flag: --${name}${hint}`);
}

function withDefaults(options: Options, values: ReadonlyMap<string, Value>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, values.get(name) ?? absent(option)]),
  );
}

function absent(option: OptionSpec): Value {
  switch (option.kind) {
    case "switch":
      return option.fallback ?? false;
    case "text":
      return option.fallback;
    case "integer":
      return undefined;
    case "list":
      return [];
    case "map":
      return {};
  }
}

/** Source of the words: docker/cli v20.10, cli/required.go. */
function checkCount(spec: CommandSpec, { args, options }: Input<Options>, path: string): void {
  const exact = spec.argumentCount?.(options);
  const least = exact ?? spec.arguments.filter(({ optional }) => !optional).length;
  const endless = spec.passThrough || spec.arguments.some(({ several }) => several);
  const most = exact ?? (endless ? Number.POSITIVE_INFINITY : spec.arguments.length);
  if (args.length >= least && args.length <= most) return;
  throw new UsageError("arguments", `"${path}" ${countRule(least, most)}.`);
}

function countRule(least: number, most: number): string {
  const times = (count: number): string => `${count} argument${count === 1 ? "" : "s"}`;
  if (most === 0) return "accepts no arguments";
  if (least === most) return `requires exactly ${times(least)}`;
  if (most === Number.POSITIVE_INFINITY) return `requires at least ${times(least)}`;
  return least === 0
    ? `requires at most ${times(most)}`
    : `requires at least ${least} and at most ${times(most)}`;
}
