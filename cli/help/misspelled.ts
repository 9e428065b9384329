/** What is said about a word that is no command. */

import { nearest } from "../base/suggest.ts";
import { errorLine } from "../output/error-line.ts";

interface Named {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
}

/** @param path the words before it: `fairlead network`. */
export function misspelled(word: string, path: string, known: readonly Named[]): string {
  const kind = word.startsWith("-") ? "flag" : "command";
  const names = known
    .filter(({ hidden }) => hidden !== true)
    .flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  const near = kind === "flag" ? null : nearest(word, names);
  const hint = near === null ? "" : `; did you mean ${near}?`;
  const called = `${path} ${word}`.split(" ").slice(1).join(" ");
  return `${errorLine(`unknown ${kind}: ${kind === "flag" ? word : called}${hint}`)}See '${path} --help'.\n`;
}
