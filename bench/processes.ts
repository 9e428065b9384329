/** What a plugin costs before it does anything: the start of its process, and the memory that it takes. */
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BenchHost, newAttachment, newCell } from "./attachments.ts";
import { compare, type Figure } from "./harness/figures.ts";
import type { NetworkOperations } from "./harness/operations.ts";
import { waitForQuietMoment } from "./harness/quiet.ts";
import { type PreparedCommand, prepareCommand, spawn, wait } from "./harness/spawn.ts";
import { shuffled } from "./harness/statistics.ts";

const KIB_PER_MIB = 1024;
const GNU_TIME = "/usr/bin/time";
const ADD_TIMEOUT_MS = 30_000;

interface Candidate {
  readonly command: PreparedCommand;
  readonly samples: number[];
}

function versionCommand(executable: string): Candidate {
  const env = { CNI_COMMAND: "VERSION", CNI_PATH: "/nonexistent", PATH: "/usr/bin:/bin" };
  return { command: prepareCommand([executable], env), samples: [] };
}

/** VERSION from start to end of the process: of the interface plugin and of the IPAM plugin. */
export function measureStart(host: BenchHost, rounds: number): Figure[] {
  const { ours, reference } = host.contestants;
  const pair = (pick: "executable" | "ipamExecutable") => ({
    ours: versionCommand(ours[pick]),
    reference: versionCommand(reference[pick]),
  });
  const [main, ipam] = [pair("executable"), pair("ipamExecutable")];
  const candidates = [main.ours, main.reference, ipam.ours, ipam.reference];
  for (const candidate of candidates) startMs(candidate);
  for (let round = 0; round < rounds; round += 1) {
    for (const candidate of shuffled(candidates, host.random)) candidate.samples.push(startMs(candidate));
  }
  const samples = ({ ours: us, reference: them }: typeof main) => ({
    ours: us.samples,
    reference: them.samples,
  });
  return [
    compare("VERSION of the bridge plugin: process start", samples(main), { random: host.random }),
    compare("VERSION of the IPAM plugin: process start", samples(ipam), { random: host.random }),
  ];
}

/** Peak memory of an ADD. */
export function measureMemory(host: BenchHost, rounds: number): Figure {
  requireTime();
  const cells = { ours: newCell(host, "ours", false), reference: newCell(host, "reference", false) };
  const samples = { ours: [] as number[], reference: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const side of ["ours", "reference"] as const)
      samples[side].push(peakMemoryMib(host, cells[side].operations));
  }
  return compare("ADD: peak memory of its largest process", samples, { random: host.random, unit: "MiB" });
}

/** Calls `use` with descriptors that lead nowhere. */
function withNull<T>(use: (stdio: [number, number, number]) => T): T {
  const descriptor = openSync("/dev/null", "r+");
  try {
    return use([descriptor, descriptor, descriptor]);
  } finally {
    closeSync(descriptor);
  }
}

function startMs({ command }: Candidate): number {
  waitForQuietMoment();
  return withNull((stdio) => {
    const start = performance.now();
    const { status } = wait(spawn(command, stdio));
    const wallMs = performance.now() - start;
    if (status !== 0) throw new Error(`VERSION: status ${status}`);
    return wallMs;
  });
}

/** @throws when GNU time is not installed. */
function requireTime(): void {
  if (!existsSync(GNU_TIME)) throw new Error(`${GNU_TIME} is not there; apt-get install time`);
}

/**
 * The largest resident memory of any process of an ADD, in MiB. Through GNU time, a process too small to matter:
 * started from here, the plugin would inherit the high-water mark of this process.
 * Source: getrusage(2), ru_maxrss; fs/exec.c, exec_mmap().
 */
function peakMemoryMib(host: BenchHost, operations: NetworkOperations): number {
  const attachment = newAttachment(host.containers.next());
  const { env, inputFile } = operations.describe("ADD", attachment);
  const reportFile = join(host.folder, "memory");
  execFileSync(GNU_TIME, ["-f", "%M", "-o", reportFile, operations.contestant.executable], {
    env,
    input: readFileSync(inputFile),
    timeout: ADD_TIMEOUT_MS,
  });
  operations.time("DEL", attachment);
  return Number(readFileSync(reportFile, "latin1")) / KIB_PER_MIB;
}

/** The largest resident memory that a running process ever had, in MiB. Source: proc(5), VmHWM. */
export function highWaterMarkMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / KIB_PER_MIB;
}
