/** The front before other programs than ours: each must find the process as if the kernel had entered it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "../..");

/** Uses what the dynamic linker sets up: constructors, thread-local and zeroed memory, symbols of a library. */
const PROGRAM = `
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
/* Stands for what Bun puts in. */
__attribute__((section(".bun"), used, aligned(8))) static struct { unsigned long bytes; char text[24]; } payload =
  {23, "program\\n---- Bun! ----\\n"};
static int zeroed[100000];
static __thread int local = 7;
static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 1; }
static void at_end(void) { puts("end"); }
int main(int argc, char **argv) {
  char bytes[100];
  long length = 0, count;
  while ((count = read(0, bytes, sizeof bytes)) > 0) length += count;
  atexit(at_end);
  for (int i = 0; i < 100000; i++) if (zeroed[i]) return 1;
  printf("%d %s %s|", argc, argv[argc - 1], getenv("CNI_COMMAND"));
  printf("%d %d %.1f %s|", constructed, local, sqrt(argc * 4.0), getauxval(AT_BASE) ? "base" : "none");
  printf("%ld\\n", length);
  return 3;
}
`;

/** The front goes below it. */
const ABOVE_ZERO = "-Wl,-Ttext-segment=0x400000";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "front-programs-"));
  writeFileSync(join(directory, "program.c"), PROGRAM);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The program, with the front before it. */
function compile(name: string, flags: readonly string[]): string {
  const program = join(directory, name);
  execFileSync("gcc", ["-O1", ...flags, "-o", program, join(directory, "program.c"), "-lm"]);
  execFileSync(process.execPath, ["--no-warnings", join(ROOT, "tools/front.ts"), program, "some-build"]);
  return program;
}

interface Surroundings {
  readonly env?: NodeJS.ProcessEnv;
  readonly args?: readonly string[];
}

describe.each<[string, string[]]>([
  ["at a fixed place", ["-no-pie"]],
  ["at a fixed place, its headers in the segment of its code", ["-no-pie", "-Wl,-z,noseparate-code"]],
  ["at any place", ["-pie", ABOVE_ZERO]],
  ["with all symbols bound at its start", ["-pie", ABOVE_ZERO, "-Wl,-z,now,-z,relro"]],
])("a program %s", (title, flags) => {
  const run = (argv0: string, input: string, { env = {}, args = [] }: Surroundings) => {
    const { status, stdout } = spawnSync(program, args, { argv0, env, input });
    return [status, stdout.toString()];
  };
  let program: string;
  beforeAll(() => {
    program = compile(title.replace(/\W+/g, "-"), flags);
  });

  test("under another name", () => {
    expect(run("program", "abc", { env: { CNI_COMMAND: "ADD" }, args: ["x", "y"] })).toEqual([
      3,
      "3 y ADD|1 7 3.5 base|3\nend\n",
    ]);
  });

  test.each([0, 23, 300_000])("as a plugin without a worker, with %i bytes on stdin", (length) => {
    const expected = `1 /opt/fairlead-bridge DEL|1 7 2.0 base|${length}\nend\n`;
    expect(run("/opt/fairlead-bridge", "x".repeat(length), { env: { CNI_COMMAND: "DEL" } })).toEqual([
      3,
      expected,
    ]);
  });

  test("is not entered for what the front answers", () => {
    const [status, stdout] = run("fairlead-bridge", "", { env: { CNI_COMMAND: "VERSION" } });
    expect([status, JSON.parse(String(stdout))]).toMatchObject([0, { cniVersion: "1.1.0" }]);
  });
});
