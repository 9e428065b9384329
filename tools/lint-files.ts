/**
 * Keeps rules of CONTRIBUTING.md that the other linters do not know: a file begins with what it is for and is not long, and
 * constructors, too, have at most three parameters.
 *
 * Prints one line per broken rule. Exit status 1 if there is any. Tests say what they are about in their titles.
 *
 * Usage: node tools/lint-files.ts [ROOT]
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = ["lib", "plugins", "ipam-server", "agent", "cli", "conf", "test", "bench", "tools"];
const GENERATED = "lib/rpc/generated/";
const MOST_PARAMETERS = 3;
const MOST_LINES = 400;

function sourceFiles(root: string): string[] {
  const folders = readdirSync(root).filter((name) => FOLDERS.includes(name));
  const inside = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  const all = [...readdirSync(root), ...inside].filter((name) => name.endsWith(".ts"));
  return all.filter((name) => !name.endsWith(".test.ts") && !name.startsWith(GENERATED)).sort();
}

/** How many parameters stand between the parenthesis before `text` and the one that closes it. */
function countParameters(text: string): number {
  let [count, depth, isInside] = [0, 0, false];
  for (const [token] of text.matchAll(/=>|\S/g)) {
    if (")]}>".includes(token)) depth -= 1;
    if (depth < 0) break;
    if (token === "," && depth === 0) isInside = false;
    else if (!isInside) [count, isInside] = [count + 1, true];
    if ("([{<".includes(token)) depth += 1;
  }
  return count;
}

/** The numbers of parameters of the constructors that have too many. */
function longConstructors(text: string): number[] {
  const bare = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const places = [...bare.matchAll(/\bconstructor\(/g)].map(({ 0: head, index }) => index + head.length);
  return places.map((at) => countParameters(bare.slice(at))).filter((count) => count > MOST_PARAMETERS);
}

function lintFile(text: string): string[] {
  const lines = text.trimEnd().split("\n").length;
  return [
    ...(text.startsWith("/**") ? [] : ["it does not begin with a comment on what it is for"]),
    ...(lines > MOST_LINES ? [`it has ${lines} lines: split it by subject`] : []),
    ...longConstructors(text).map((count) => `a constructor has ${count} parameters: name them`),
  ];
}

export function lintFiles(root: string): string[] {
  return sourceFiles(root).flatMap((file) =>
    lintFile(readFileSync(join(root, file), "utf8")).map((problem) => `${file}: ${problem}`),
  );
}

if (process.argv[1]?.endsWith("lint-files.ts")) {
  const problems = lintFiles(process.argv[2] ?? ".");
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
