/** Runs a command of this very executable to its end, in a process of its own: what blocks there holds up nobody here. */
import { spawn } from "node:child_process";

const STDERR_BYTES = 4_096;

export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** It is ended after so long. */
  readonly limitMs: number;
  /** Exit statuses that are no failure. Default: 0. */
  readonly fine?: readonly number[];
}

/** @throws an Error with the end of what it wrote to stderr, or its status. */
export function runChild({ program, args, limitMs, fine = [0] }: ChildCommand): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], timeout: limitMs });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-STDERR_BYTES);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) =>
      status !== null && fine.includes(status)
        ? resolve()
        : reject(new Error(said.trim() || `status ${status}`)),
    );
  });
}
