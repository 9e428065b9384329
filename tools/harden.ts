/**
 * Makes a copy of the Bun executable that no environment variable can steer.
 *
 * A CNI plugin runs as root in an environment that others choose. Bun's build flags turn off `.env`,
 * `bunfig.toml`, `package.json` and `tsconfig.json`; they do not turn off `BUN_OPTIONS` (runs a preload),
 * `BUN_BE_BUN` (turns the executable into the bun command line), `BUN_BYTECODE_ORDER_OUT` (writes a file as
 * root) and their like. So the base executable that ours is compiled upon has every name `BUN_*` and `NODE_*`
 * in its string tables overwritten with NUL bytes: a look-up of an empty name never finds anything, and no
 * environment can hold a name made of NULs.
 *
 * `BUN_JSC_*` is assembled from a prefix at run time; the front takes these variables away from plugins (plugins/front).
 * The build depends on no particular Bun version, but on what it must find: see REQUIRED.
 *
 * Usage: node tools/harden.ts BASE OUTPUT
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";

/** Names with a known effect on a compiled executable. One that is missing means: look again before you ship. */
const REQUIRED = [
  "BUN_OPTIONS",
  "BUN_BE_BUN",
  "BUN_BYTECODE_ORDER_OUT",
  "BUN_INSPECT",
  "BUN_INSPECT_PRELOAD",
];

/** Names that our own JavaScript may look up itself; blanking them would only confuse. */
const KEPT = new Set(["NODE_ENV"]);

const NUL = 0;
const NAME = /^(?:BUN|NODE)_[A-Z][A-Z0-9_]*$/;
const PREFIXES = ["BUN_", "NODE_"];

/** Blanks every NUL-delimited environment name in `image`, in place, and returns the names with their counts. */
export function blankEnvironmentNames(image: Buffer): Map<string, number> {
  const blanked = new Map<string, number>();
  for (const prefix of PREFIXES) {
    const needle = Buffer.concat([Buffer.from([NUL]), Buffer.from(prefix)]);
    for (let at = image.indexOf(needle); at >= 0; at = image.indexOf(needle, at + 1)) {
      const start = at + 1;
      const end = image.indexOf(NUL, start);
      const name = image.toString("latin1", start, end);
      if (!NAME.test(name) || KEPT.has(name)) continue;
      image.fill(NUL, start, end);
      blanked.set(name, (blanked.get(name) ?? 0) + 1);
    }
  }
  return blanked;
}

function main(base: string | undefined, output: string | undefined): void {
  if (!base || !output) throw new Error("usage: harden.ts BASE OUTPUT");
  const image = readFileSync(base);
  const blanked = blankEnvironmentNames(image);
  const missing = REQUIRED.filter((name) => !blanked.has(name));
  if (missing.length > 0) {
    throw new Error(`harden ${base}: names not found: ${missing.join(", ")}; this Bun keeps them elsewhere`);
  }
  writeFileSync(output, image);
  chmodSync(output, 0o755);
  console.log(`hardened base executable: ${blanked.size} environment names blanked`);
}

if (process.argv[1]?.endsWith("harden.ts")) main(process.argv[2], process.argv[3]);
