import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { LIBC_CHECKS, type LibcCheckResult } from "../contract/libc.ts";

const REGISTER = join(__dirname, "../support/register-no-bun-ffi.ts");
const root = join(__dirname, "..", "..");
const runtimes = {
  "node:ffi": [process.execPath, "--experimental-ffi", "--no-warnings", "--import", REGISTER],
  "bun:ffi": [join(root, "node_modules", ".bin", "bun")],
};

describe.each(Object.entries(runtimes))("the C library by %s", (_, [program = "", ...options]) => {
  const script = join(root, "test", "contract", "libc.ts");
  const output = execFileSync(program, [...options, script], { encoding: "utf8", timeout: 60_000 });
  const results = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LibcCheckResult);

  test("all checks ran", () => expect(results.map((r) => r.name)).toEqual(LIBC_CHECKS.map((c) => c.name)));
  test.each(results)("$name", ({ failure }) => expect(failure).toBeNull());
});
