/** The help of a command as text for a terminal. */
import type { Example } from "../base/spec.ts";
import {
  exitStatusOf,
  isGroup,
  type OptionLine,
  optionLines,
  pageName,
  paragraphsOf,
  type Spec,
  usageOf,
} from "./sections.ts";

/** Text wider than this is hard to read, however wide the terminal is. */
const WIDEST = 100;
/** A table of options is not squeezed below this, even where the terminal is narrower. */
const NARROWEST = 40;

/** One line for each command, in a column: name and summary. */
interface Listed {
  readonly name: string;
  readonly summary: string;
}

/**
 * The whole help.
 *
 * @param path words that call the command: `fairlead network create`.
 * @param columns width of the terminal; null when the text goes elsewhere.
 */
export function formatHelp(spec: Spec, path: string, columns: number | null): string {
  const width = Math.min(WIDEST, Math.max(NARROWEST, columns ?? WIDEST));
  const blocks = [
    `Usage:  ${path} ${usageOf(spec)}`.trimEnd(),
    spec.summary,
    ...describe(spec.manual.description, width),
    ...aliasesOf(spec),
    ...listsOf(spec, width),
    ...examplesOf(spec.manual.examples),
    section(
      "Exit status",
      rows(
        exitStatusOf(spec).map(([status, meaning]) => [String(status), meaning]),
        width,
      ),
    ),
    ...seeAlsoOf(spec, width),
  ];
  return `${blocks.join("\n\n")}\n`;
}

/** What is said about a command line of the wrong shape. */
export function formatUsage(spec: Spec, path: string): string {
  return `Usage:  ${path} ${usageOf(spec)}`.trimEnd().concat(`\n\n${spec.summary}\n`);
}

function describe(text: string, width: number): string[] {
  return paragraphsOf(text).map(({ lines, asIs }) =>
    asIs ? lines.join("\n") : wrap(lines.join(" "), width).join("\n"),
  );
}

function aliasesOf({ name, aliases = [] }: Spec): string[] {
  return aliases.length === 0 ? [] : [section("Aliases", [`  ${[name, ...aliases].join(", ")}`])];
}

function listsOf(spec: Spec, width: number): string[] {
  if (isGroup(spec)) {
    const shown = spec.commands.filter(({ hidden }) => hidden !== true);
    return [section("Commands", listCommands(shown, width))];
  }
  const described = spec.arguments.filter(({ description }) => description !== undefined);
  const argumentRows = described.map(({ name, description = "" }): Row => [name, description]);
  return [
    ...(argumentRows.length === 0 ? [] : [section("Arguments", rows(argumentRows, width))]),
    section("Options", rows(optionLines(spec).map(optionRow), width)),
  ];
}

function listCommands(commands: readonly Listed[], width: number): string[] {
  return rows(
    commands.map(({ name, summary }): Row => [name, summary]),
    width,
  );
}

function optionRow({ short, name, value, meaning }: OptionLine): Row {
  const head = `${short === null ? "   " : `-${short},`} --${name}`;
  return [value === "" ? head : `${head} ${value}`, meaning];
}

function examplesOf(examples: readonly Example[]): string[] {
  if (examples.length === 0) return [];
  const lines = examples.flatMap(({ text, command }, at) => [
    ...(at === 0 ? [] : [""]),
    `  ${text}:`,
    ...command.split("\n").map((line) => `    ${line}`),
  ]);
  return [section("Examples", lines)];
}

function seeAlsoOf({ manual }: Spec, width: number): string[] {
  const names = (manual.seeAlso ?? []).map(pageName);
  return names.length === 0
    ? []
    : [
        section(
          "See also",
          wrap(names.join(", "), width - 2).map((line) => `  ${line}`),
        ),
      ];
}

function section(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines].join("\n");
}

type Row = readonly [head: string, text: string];

/** A head wider than this has its text on the next line. */
const WIDEST_HEAD = 30;
const INDENT = "  ";
const GAP = "   ";

/** Two columns; the text of the second is wrapped inside it. */
function rows(pairs: readonly Row[], width: number): string[] {
  const headWidth = Math.max(
    0,
    ...pairs.map(([head]) => head.length).filter((length) => length <= WIDEST_HEAD),
  );
  const textAt = INDENT.length + headWidth + GAP.length;
  return pairs.flatMap(([head, text]) => {
    const lines = wrap(text, Math.max(width - textAt, NARROWEST / 2));
    const indented = lines.map((line) => " ".repeat(textAt) + line);
    if (head.length > headWidth) return [INDENT + head, ...indented];
    return [INDENT + head.padEnd(headWidth) + GAP + (lines[0] ?? ""), ...indented.slice(1)].map((line) =>
      line.trimEnd(),
    );
  });
}

/** Lines of at most `width` characters; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
