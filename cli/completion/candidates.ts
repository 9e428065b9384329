/**
 * What may come next on a command line, by the descriptions of the commands.
 *
 * Shells differ in how they ask and in how they show; all of them ask this.
 */
import type {
  ArgumentSpec,
  CommandSpec,
  Completion,
  GroupSpec,
  OptionSpec,
  TreeEntry,
} from "../base/spec.ts";

interface Candidate {
  readonly text: string;
  readonly description?: string;
}

/** Candidates, or what the shell completes by itself. */
export type Candidates =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  | { readonly kind: "file" }
  | { readonly kind: "directory" }
  /** A program in PATH. */
  | { readonly kind: "program" };

/** Names that are known only while a command line is written. @param options given so far, by name. */
export type NameSource = (
  kind: "network" | "container" | "sandbox",
  options: ReadonlyMap<string, string>,
) => Promise<readonly string[]>;

const NOTHING: Candidates = { kind: "words", words: [] };

/** @param words behind the program's name, up to the cursor; the last one is being written and may be empty. */
export async function complete(
  tree: readonly TreeEntry[],
  words: readonly string[],
  names: NameSource,
): Promise<Candidates> {
  const [first = "", ...rest] = words;
  if (rest.length === 0) return ofWords(first, tree.filter(isShown).map(toCandidate));
  const entry = tree.find(({ name }) => name === first);
  if (entry === undefined) return NOTHING;
  const spec = await entry.load();
  if (first === "help") return completeHelp(tree, rest);
  return "commands" in spec ? completeGroup(spec, rest, names) : completeCommand(spec, rest, names);
}

function isShown({ hidden }: { readonly hidden?: boolean }): boolean {
  return hidden !== true;
}

function toCandidate({ name, summary }: { readonly name: string; readonly summary: string }): Candidate {
  return { text: name, description: summary };
}

function ofWords(current: string, words: readonly Candidate[]): Candidates {
  return { kind: "words", words: words.filter(({ text }) => text.startsWith(current)) };
}

async function completeHelp(tree: readonly TreeEntry[], words: readonly string[]): Promise<Candidates> {
  const [first = "", second] = words;
  if (second === undefined) return ofWords(first, tree.filter(isShown).map(toCandidate));
  const spec = await tree.find(({ name }) => name === first)?.load();
  const isOne = spec !== undefined && "commands" in spec && words.length === 2;
  return isOne ? ofWords(second, spec.commands.filter(isShown).map(toCandidate)) : NOTHING;
}

function completeGroup(
  group: GroupSpec,
  words: readonly string[],
  names: NameSource,
): Promise<Candidates> | Candidates {
  const [word = "", ...rest] = words;
  if (rest.length === 0) return ofWords(word, [...group.commands.filter(isShown).map(toCandidate), HELP]);
  const spec = group.commands.find(({ name, aliases = [] }) => name === word || aliases.includes(word));
  return spec === undefined ? NOTHING : completeCommand(spec, rest, names);
}

const HELP: Candidate = { text: "--help", description: "Show this help" };

async function completeCommand(
  spec: CommandSpec,
  words: readonly string[],
  names: NameSource,
): Promise<Candidates> {
  const current = words.at(-1) ?? "";
  const before = readWords(spec, words.slice(0, -1));
  if (before.pending !== null) return valuesOf(before.pending, current, { before, names });
  if (!before.optionsEnded && current.startsWith("-"))
    return completeOption(spec, current, { before, names });
  const argument = argumentAt(spec.arguments, before.args.length);
  if (argument === undefined) return NOTHING;
  // What follows a program's name is that program's business.
  if (spec.passThrough && before.args.length > spec.arguments.length - 1) return { kind: "file" };
  const found = await candidatesOf(argument.complete ?? "none", current, { before, names });
  if (found.kind !== "words" || !argument.several) return found;
  return { kind: "words", words: found.words.filter(({ text }) => !before.args.includes(text)) };
}

interface Before {
  readonly args: readonly string[];
  /** Values of options that take one. */
  readonly options: Map<string, string>;
  readonly given: ReadonlySet<string>;
  /** The option whose value comes next. */
  readonly pending: OptionSpec | null;
  readonly optionsEnded: boolean;
}

/** Where the word stands that is to be completed, and who knows the names that may stand there. */
interface Place {
  readonly before: Before;
  readonly names: NameSource;
}

/** Reads what is complete already, as the parser would, without minding what is wrong with it. */
function readWords(spec: CommandSpec, words: readonly string[]): Before {
  const args: string[] = [];
  const options = new Map<string, string>();
  const given = new Set<string>();
  let optionsEnded = false;
  let pending: { name: string; option: OptionSpec } | null = null;
  for (const word of words) {
    if (pending !== null) {
      options.set(pending.name, word);
      pending = null;
    } else if (optionsEnded || !word.startsWith("-") || word === "-") {
      args.push(word);
      optionsEnded ||= spec.passThrough === true;
    } else if (word === "--") optionsEnded = true;
    else {
      const { name, option, value } = readOption(spec, word);
      given.add(name);
      if (value !== null) options.set(name, value);
      else if (option !== undefined && option.kind !== "switch") pending = { name, option };
    }
  }
  return { args, options, given, pending: pending?.option ?? null, optionsEnded };
}

interface ReadOption {
  readonly name: string;
  readonly option: OptionSpec | undefined;
  readonly value: string | null;
}

function readOption({ options }: CommandSpec, word: string): ReadOption {
  const equals = word.indexOf("=");
  const value = equals < 0 ? null : word.slice(equals + 1);
  if (word.startsWith("--")) {
    const name = word.slice(2, equals < 0 ? undefined : equals);
    return { name, option: Object.hasOwn(options, name) ? options[name] : undefined, value };
  }
  // Of a cluster the first that takes a value, or the last.
  const letters = word.slice(1, equals < 0 ? undefined : equals);
  const entries = [...letters].map((letter) =>
    Object.entries(options).find(([, { short }]) => short === letter),
  );
  const at = entries.findIndex((entry) => entry !== undefined && entry[1].kind !== "switch");
  const [name, option] = entries[at < 0 ? entries.length - 1 : at] ?? ["", undefined];
  const attached = at >= 0 && at < letters.length - 1 ? letters.slice(at + 1) : null;
  return { name, option, value: value ?? attached };
}

/** `--na`, or `--name=va`: then the values with all that stands before them. */
async function completeOption(spec: CommandSpec, current: string, place: Place): Promise<Candidates> {
  const equals = current.indexOf("=");
  if (equals > 0) {
    const { option } = readOption(spec, current);
    if (option === undefined) return NOTHING;
    const found = await valuesOf(option, current.slice(equals + 1), place);
    if (found.kind !== "words") return found;
    const head = current.slice(0, equals + 1);
    return { kind: "words", words: found.words.map((word) => ({ ...word, text: head + word.text })) };
  }
  const open = Object.entries(spec.options).filter(
    ([name, option]) => isShown(option) && (isRepeatable(option) || !place.before.given.has(name)),
  );
  const all = open.map(([name, { description }]) => ({ text: `--${name}`, description }));
  return ofWords(current, [...all, HELP]);
}

function isRepeatable({ kind }: OptionSpec): boolean {
  return kind === "list" || kind === "map";
}

function valuesOf(option: OptionSpec, current: string, place: Place): Promise<Candidates> {
  return candidatesOf(option.complete ?? "none", current, place);
}

async function candidatesOf(
  kind: Completion,
  current: string,
  { before: { options }, names }: Place,
): Promise<Candidates> {
  if (typeof kind !== "string") {
    return ofWords(
      current,
      kind.map((text) => ({ text })),
    );
  }
  switch (kind) {
    case "none":
      return NOTHING;
    case "file":
    case "directory":
      return { kind };
    case "command":
      return { kind: "program" };
    default:
      return ofWords(
        current,
        (await names(kind, options)).map((text) => ({ text })),
      );
  }
}

function argumentAt(args: readonly ArgumentSpec[], at: number): ArgumentSpec | undefined {
  const last = args.at(-1);
  return args[at] ?? (last?.several ? last : undefined);
}
