/** What a piece of code asks of the kernel, as strace sees it. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs `script` on Bun and returns the system calls among `names` that its main thread made, in order, as text.
 *
 * @param directory takes strace's output.
 */
export function syscallTrace(names: readonly string[], script: string, directory: string): string[] {
  const root = join(__dirname, "../../..");
  const trace = join(directory, "trace");
  const bun = join(root, "node_modules", ".bin", "bun");
  execFileSync("strace", ["-o", trace, "-e", `trace=${names.join(",")}`, bun, "-e", script]);
  return readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => names.some((name) => line.startsWith(`${name}(`)));
}
