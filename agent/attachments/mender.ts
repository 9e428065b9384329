/** Mends attachments in a process of its own: plugins block, and what blocks here would hold up names. */
import { spawn } from "node:child_process";
import { basename } from "node:path";
import type { MendRequest } from "./desired.ts";

const LIMIT_MS = 120_000;
const STDERR_BYTES = 4_096;

/** Carries the requests out and returns what was wrong with each: empty for one that went well. */
export type Mend = (requests: readonly MendRequest[]) => Promise<readonly string[]>;

/** By `fairlead attachment-mender`, which is this very executable; null when this is something else. */
export function mendByProcess(): Mend | null {
  const { execPath } = process;
  return basename(execPath).startsWith("fairlead") ? (requests) => run(execPath, requests) : null;
}

function run(program: string, requests: readonly MendRequest[]): Promise<readonly string[]> {
  const child = spawn(program, ["attachment-mender"], { stdio: "pipe", timeout: LIMIT_MS });
  let [answers, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    answers += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-STDERR_BYTES);
  });
  // When it ends before it has read everything, its status says more than EPIPE.
  child.stdin.on("error", () => {});
  child.stdin.end(requests.map(lineOf).join(""));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) =>
      status === 0 ? resolve(problemsOf(answers)) : reject(new Error(said.trim() || `status ${status}`)),
    );
  });
}

function lineOf({ plugin, env, config }: MendRequest): string {
  return `${JSON.stringify({ plugin, env, config: JSON.parse(config) })}\n`;
}

function problemsOf(answers: string): string[] {
  const lines = answers.split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { problem: string }).problem);
}
