/**
 * The manual page of a command, section 1, in the man macros.
 *
 * Source: man(7) of groff 1.22; page layout of man-pages(7).
 */
import {
  exitStatusOf,
  isGroup,
  optionLines,
  pageName,
  paragraphsOf,
  type Spec,
  usageOf,
} from "./sections.ts";

export interface ManContext {
  /** `fairlead network create` */
  readonly path: string;
  readonly version: string;
}

export function formatManPage(spec: Spec, { path, version }: ManContext): string {
  const page = path.replaceAll(" ", "-");
  return [
    `.TH "${page.toUpperCase()}" "1" "" "Fairlead ${version}" "Fairlead"`,
    ".SH NAME",
    `${roff(page)} \\- ${roff(lowerFirst(spec.summary))}`,
    ".SH SYNOPSIS",
    `.B ${roff(path)}`,
    roff(usageOf(spec)),
    ".SH DESCRIPTION",
    ...description(spec.manual.description),
    ...lists(spec, path),
    ...examples(spec),
    ".SH EXIT STATUS",
    ...exitStatusOf(spec).flatMap(([status, meaning]) => [".TP", `.B ${status}`, roff(meaning)]),
    ".SH SEE ALSO",
    seeAlso(spec, path),
    "",
  ].join("\n");
}

/** As NAME sections are written; a name stays as it is. */
function lowerFirst(text: string): string {
  if (text.startsWith("Docker")) return text;
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** Text as roff reads it: backslashes, hyphens that are to be copied, and lines that look like requests. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}

function description(text: string): string[] {
  return paragraphsOf(text).flatMap(({ lines, asIs }, at) => [
    ...(at === 0 ? [] : [".PP"]),
    ...(asIs ? literal(lines.map((line) => line.slice(2))) : [roff(lines.join("\n"))]),
  ]);
}

function literal(lines: readonly string[]): string[] {
  return [".RS 4", ".nf", ...lines.map(roff), ".fi", ".RE"];
}

function lists(spec: Spec, path: string): string[] {
  if (isGroup(spec)) {
    const shown = spec.commands.filter(({ hidden }) => hidden !== true);
    const entries = shown.map(({ name, summary }): [string, string] => [
      pageName(`${path} ${name}`.split(" ").slice(1).join(" ")),
      summary,
    ]);
    return [".SH COMMANDS", ...entries.flatMap(([head, text]) => tagged(`.BR ${bold(head)}`, text))];
  }
  const described = spec.arguments.filter(({ description: text }) => text !== undefined);
  return [
    ...(described.length === 0 ? [] : [".SH ARGUMENTS"]),
    ...described.flatMap(({ name, description: text = "" }) => tagged(`.I ${roff(name)}`, text)),
    ".SH OPTIONS",
    ...optionLines(spec).flatMap(({ short, name, value, meaning }) => {
      const head = `${short === null ? "" : `\\fB\\-${short}\\fR, `}\\fB\\-\\-${roff(name)}\\fR`;
      return tagged(value === "" ? head : `${head}=\\fI${roff(value)}\\fR`, meaning);
    }),
  ];
}

function tagged(head: string, text: string): string[] {
  return [".TP", head, `${roff(text)}.`];
}

/** `fairlead-network(1)` with its name in bold. */
function bold(page: string): string {
  const [, name = page, rest = ""] = /^(.*)(\(.*\))$/.exec(page) ?? [];
  return `${roff(name)} ${rest}`.trimEnd();
}

function examples({ manual }: Spec): string[] {
  if (manual.examples.length === 0) return [];
  return [
    ".SH EXAMPLES",
    ...manual.examples.flatMap(({ text, command }) => [
      ".PP",
      `${roff(text)}:`,
      ".PP",
      ...literal(command.split("\n")),
    ]),
  ];
}

/** The group that a command belongs to comes first, then what the manual names. */
function seeAlso(spec: Spec, path: string): string {
  const parent = path.split(" ").slice(0, -1).join("-");
  const named = (spec.manual.seeAlso ?? []).map(pageName);
  const all = [...(parent === "" ? [] : [`${parent}(1)`]), ...named];
  return [...new Set(all)]
    .map((page, at, { length }) => `.BR ${bold(page)}${at < length - 1 ? " ," : ""}`)
    .join("\n");
}
