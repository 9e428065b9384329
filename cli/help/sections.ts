/** The parts of a command's manual that the help on the terminal and the manual page have in common. */
import type { ArgumentSpec, CommandSpec, GroupSpec, OptionSpec } from "../base/spec.ts";

/** Name of the program, the first word of every path. */
export const PROGRAM = "fairlead";

export type Spec = CommandSpec | GroupSpec;

export function isGroup(spec: Spec): spec is GroupSpec {
  return "commands" in spec;
}

/** What follows the name in the usage line: `[OPTIONS] NETWORK [NETWORK...]`. */
export function usageOf(spec: Spec): string {
  if (isGroup(spec)) return "COMMAND";
  const visible = Object.values(spec.options).some(({ hidden }) => hidden !== true);
  return [...(visible ? ["[OPTIONS]"] : []), ...spec.arguments.map(usageOfArgument)].join(" ");
}

function usageOfArgument({ name, optional, several }: ArgumentSpec): string {
  if (several) return optional ? `[${name}...]` : `${name} [${name}...]`;
  return optional ? `[${name}]` : name;
}

/** An option as a line of the help: `-d, --driver string`, and its meaning. */
export interface OptionLine {
  readonly short: string | null;
  readonly name: string;
  /** Placeholder of the value; empty for a switch. */
  readonly value: string;
  readonly meaning: string;
}

const PLACEHOLDERS = { switch: "", text: "string", integer: "int", list: "list", map: "map" } as const;

export function optionLines(spec: CommandSpec): readonly OptionLine[] {
  const own = Object.entries(spec.options)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name, option]) => optionLine(name, option));
  const help = { short: "h", name: "help", value: "", meaning: "Show this help" };
  const taken = own.some(({ short }) => short === "h");
  const all = [...own, taken ? { ...help, short: null } : help];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function optionLine(name: string, option: OptionSpec): OptionLine {
  const fallback = option.kind === "text" ? option.fallback : undefined;
  const choices = option.kind === "text" ? option.choices : undefined;
  const additions = [
    ...(choices === undefined ? [] : [`one of ${choices.join(", ")}`]),
    ...(fallback === undefined ? [] : [`default "${fallback}"`]),
  ];
  return {
    short: option.short ?? null,
    name,
    value: option.value ?? PLACEHOLDERS[option.kind],
    meaning: additions.length === 0 ? option.description : `${option.description} (${additions.join("; ")})`,
  };
}

/** Exit statuses of every command that does not say otherwise. Source: lib/errors.ts, column `exit`. */
const COMMON_EXIT_STATUS: readonly (readonly [number, string])[] = [
  [0, "Success."],
  [1, "It failed, for none of the reasons below."],
  [2, "The command line, or what it names, makes no sense."],
  [3, "A conflict: it exists already, is in use, or is taken."],
  [4, "Not found."],
  [5, "The service cannot be reached, or did not answer in time."],
  [6, "A pool or a quota is used up."],
  [7, "Not allowed."],
];

export function exitStatusOf({ manual }: Spec): readonly (readonly [number, string])[] {
  return manual.exitStatus ?? COMMON_EXIT_STATUS;
}

/** `network create` as the name of its page; pages of other programs stay as they are. */
export function pageName(name: string): string {
  return name.includes("(") ? name : `${[PROGRAM, ...name.split(" ")].join("-")}(1)`;
}

/** Paragraphs of a description, with what is laid out by hand marked as such. */
export function paragraphsOf(
  text: string,
): readonly { readonly lines: readonly string[]; readonly asIs: boolean }[] {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => {
      const lines = paragraph.split("\n");
      return { lines, asIs: lines.every((line) => line.startsWith("  ")) };
    });
}
