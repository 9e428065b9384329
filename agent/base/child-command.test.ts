import { askChild, type ChildCommand, ownExecutable, runChild } from "./child-command.ts";

const LIMIT_MS = 30_000;
const { execPath } = process;
afterEach(() => {
  process.execPath = execPath;
});

/** Runs in place of a command of the executable. */
function script(text: string, limitMs = LIMIT_MS): ChildCommand {
  return { program: process.execPath, args: ["-e", text], limitMs };
}

test("commands are there where this is Fairlead's executable, and nowhere else", () => {
  expect(ownExecutable()).toBeNull();
  process.execPath = "/usr/lib/fairlead/fairlead-0.2";
  expect(ownExecutable()).toBe("/usr/lib/fairlead/fairlead-0.2");
});

test("each line is answered with one, however large they are", async () => {
  const echo = "process.stdin.pipe(process.stdout)";
  const lines = [{ text: "x".repeat(100_000) }, null, 7, "ä\n"];
  expect(await askChild({ ...script(echo), lines })).toEqual(lines);
});

test("a child that reads nothing is told of by how it ends", async () => {
  const lines = ["x".repeat(1_000_000)];
  await expect(askChild({ ...script("process.exit(4)"), lines })).rejects.toThrow(/^status 4$/);
});

test("what it wrote last to stderr is the reason", async () => {
  const fails = "process.stderr.write('a'.repeat(5000) + ' the end\\n'); process.exitCode = 1";
  await expect(runChild(script(fails))).rejects.toThrow(/^a{4087} the end$/);
});

test("statuses that are no failure are none", async () => {
  await runChild({ ...script("process.exit(3)"), fine: [0, 3] });
  await expect(runChild({ ...script("process.exit(3)"), fine: [0, 4] })).rejects.toThrow(/^status 3$/);
});

test("one that does not end is ended, and said to be", async () => {
  await expect(runChild(script("setInterval(() => {}, 1000)", 500))).rejects.toThrow(/^ended by SIGTERM$/);
});

test("a program that is not there is the reason", async () => {
  await expect(runChild({ program: "/nonexistent", args: [], limitMs: LIMIT_MS })).rejects.toThrow(/ENOENT/);
});

test("Ctrl-C in this one's terminal is not told to it: it leads a process group of its own", async () => {
  const group = "console.log(require('node:fs').readFileSync('/proc/self/stat', 'utf8').split(' ')[4])";
  const pid = "console.log(process.pid)";
  const [leader, own] = await askChild<number>({ ...script(`${group};${pid}`), lines: [] });
  expect(leader).toBe(own);
});
