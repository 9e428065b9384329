/** Runs a command of this very executable to its end, in a process of its own: what blocks there holds up nobody here. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { basename } from "node:path";
import { formatLines, parseLines } from "./json-lines.ts";

const STDERR_BYTES = 4_096;

/** Path of this executable, whose commands can be run; null where it is something else, such as Node: there are none then. */
export function ownExecutable(): string | null {
  const { execPath } = process;
  return basename(execPath).startsWith("fairlead") ? execPath : null;
}

export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** It is ended after so long. */
  readonly limitMs: number;
  /** Exit statuses that are no failure. Default: 0. */
  readonly fine?: readonly number[];
}

/** @throws an Error with the end of what it wrote to stderr, or how it ended. */
export async function runChild(command: ChildCommand): Promise<void> {
  await endOf(begin(command, ["ignore", "ignore", "pipe"]), command.fine);
}

export interface Question extends Omit<ChildCommand, "fine"> {
  /** JSON values, one a line of stdin. */
  readonly lines: readonly unknown[];
}

/** Asks a command of this very executable, which answers each line with one. @throws an Error as {@link runChild} */
export async function askChild<T>({ lines, ...command }: Question): Promise<readonly T[]> {
  const child = begin(command, "pipe");
  let answers = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    answers += text;
  });
  // When it ends before it has read everything, its status says more than EPIPE.
  child.stdin?.on("error", () => {});
  child.stdin?.end(formatLines(lines));
  await endOf(child);
  return parseLines(answers);
}

/** In a process group of its own: Ctrl-C in a terminal ends the daemon, which waits for what is under way here. */
function begin({ program, args, limitMs }: ChildCommand, stdio: StdioOptions): ChildProcess {
  return spawn(program, args, { stdio, timeout: limitMs, detached: true });
}

function endOf(child: ChildProcess, fine: readonly number[] = [0]): Promise<void> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-STDERR_BYTES);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status !== null && fine.includes(status)) resolve();
      else reject(new Error(said.trim() || (signal === null ? `status ${status}` : `ended by ${signal}`)));
    });
  });
}
