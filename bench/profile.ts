/**
 * Where an operation of ours spends its time, by system call: shown when a figure falls short, so that a shortfall
 * comes with a lead. strace slows every call down; read the shares, not the milliseconds.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BenchHost, newAttachment, newCell } from "./attachments.ts";
import type { BenchAttachment, NetworkOperations, Verb } from "./harness/operations.ts";

const TRACE_TIMEOUT_MS = 30_000;
/** Heading and the costliest calls. */
const LINES_SHOWN = 12;

/** One table per verb, with masquerade. Says what to install where strace is missing. */
export function profileOperations(host: BenchHost): string {
  const { operations } = newCell(host, "ours", true);
  operations.time("ADD", newAttachment(host.containers.reserve()));
  const attachment = newAttachment(host.containers.next());
  const tables = (["ADD", "DEL"] as const).map((verb) => profile(host, operations, { verb, attachment }));
  return tables.join("\n\n");
}

interface ProfiledCall {
  readonly verb: Verb;
  readonly attachment: BenchAttachment;
}

function profile(host: BenchHost, operations: NetworkOperations, { verb, attachment }: ProfiledCall): string {
  const { env, inputFile } = operations.describe(verb, attachment);
  const summaryFile = join(host.folder, "profile");
  const { error, status } = spawnSync(
    "strace",
    ["-f", "-c", "-w", "-o", summaryFile, operations.contestant.executable],
    {
      env,
      input: readFileSync(inputFile),
      timeout: TRACE_TIMEOUT_MS,
    },
  );
  if (error) return `no profile of ${verb}: ${error.message}; apt-get install strace`;
  const lines = readFileSync(summaryFile, "latin1").split("\n").slice(0, LINES_SHOWN);
  return [`${verb} under strace (status ${status}), system calls by wall time:`, ...lines].join("\n");
}
