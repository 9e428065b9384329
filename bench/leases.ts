/**
 * `./build.sh bench --leases`: what an acquire waits for while somebody reads all of 150,000 leases, by each way to do so; what the
 * service needs of memory for it, and how long its journal gets while they are granted at full speed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type EnvironmentFacts, machineFacts } from "./harness/environment.ts";
import type { Figure } from "./harness/figures.ts";
import { fetchText, run } from "./harness/host.ts";
import { acquireMany } from "./harness/load.ts";
import { waitForQuietMachine } from "./harness/quiet.ts";
import { formatReport } from "./harness/report.ts";
import { serverState, startServer, stopServer } from "./harness/stage.ts";
import { type Summary, summarize } from "./harness/statistics.ts";

const NETWORK = "load";
const SUBNET = "10.0.0.0/12";
const CALLERS = 128;
/** Grants by one process that loads the service: it has a minute. */
const FILL = 5_000;
/** Largest share of the idle p99 that passes. */
const AT_MOST = 2;
const JOURNAL_MIB = 64;
const MIB = 1024 * 1024;
const KIB_A_MIB = 1024;
/** Between two commands or scrapes: what is measured is the service, and not how fast processes start beside it. */
const PAUSE_MS = 200;

/** Of rounds each idle time and each way to read has one: what else the machine does falls on all alike. */
const EXTENT = {
  full: { leases: 150_000, rounds: 5, seconds: 3 },
  quick: { leases: 5_000, rounds: 1, seconds: 1 },
};

interface Place {
  readonly fairlead: string;
  readonly folder: string;
  readonly socket: string;
  readonly pid: number;
  readonly seconds: number;
  readonly rounds: number;
}

/** Runs the stage; `args` are those of the program. Resolves with the exit status. */
export async function leasesMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      leases: { type: "boolean" },
      quick: { type: "boolean", default: false },
      json: { type: "string", default: "" },
      bin: { type: "string", default: join(import.meta.dirname, "../dist/bin") },
    },
  });
  const extent = EXTENT[values.quick ? "quick" : "full"];
  const idleBefore = waitForQuietMachine(values.quick ? 3_000 : 30_000);
  const bin = resolve(values.bin);
  const figures = await withServer(bin, (place) => measure({ ...place, ...extent }, extent.leases));
  const facts: EnvironmentFacts = {
    ...machineFacts(),
    ours: run(join(bin, "fairlead"), "version").trim(),
    reference: "itself, idle",
    idleBefore,
    seed: 0,
  };
  console.log(formatReport(figures, facts));
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ environment: facts, figures }, null, 2)}\n`);
  return 0;
}

/** A server on a folder of its own, for as long as `use` needs it. */
async function withServer<T>(
  bin: string,
  use: (place: Omit<Place, "seconds" | "rounds">) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "fl-bench-"));
  const socket = join(folder, "ipam.sock");
  let server: ChildProcess | undefined;
  try {
    server = await startServer({ bin, folder, socket, settings: "predefinedNetworks: false\n" });
    return await use({ fairlead: join(bin, "fairlead"), folder, socket, pid: server.pid ?? 0 });
  } finally {
    if (server !== undefined) await stopServer(server);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(place: Place, leases: number): Promise<Figure[]> {
  const { socket, folder, pid } = place;
  console.error(`bench: ${leases} grants at full speed`);
  for (let granted = 0; granted < leases; granted += FILL) {
    await acquireMany({ socket, networkName: NETWORK, subnet: SUBNET, callers: CALLERS, count: FILL });
  }
  const journalMib = statSync(join(serverState(folder), "ipam.db-wal")).size / MIB;
  const before = residentMib(pid);
  const { idle, during } = await measureInRounds(place);
  const granted = [idle, ...during.values()].reduce((sum, { count }) => sum + count, 0);
  return [
    figureOf("an acquire, idle", idle, null),
    journalFigure(journalMib),
    ...[...during].map(([name, latency]) => figureOf(`an acquire during ${name}`, latency, idle)),
    // What is granted meanwhile stays, and is no cost of reading.
    memoryFigure(before / leases, residentMib(pid) / (leases + granted)),
  ];
}

/** The latencies of all rounds together. */
async function measureInRounds(place: Place): Promise<{ idle: Summary; during: Map<string, Summary> }> {
  const ways = waysToRead(place);
  // As in a service that has run for a while: what is called for the first time is compiled meanwhile.
  for (const [, work] of ways) await work();
  const idle: number[] = [];
  const during = new Map(ways.map(([name]) => [name, [] as number[]]));
  for (let round = 1; round <= place.rounds; round += 1) {
    console.error(`bench: round ${round} of ${place.rounds}`);
    idle.push(...(await latenciesDuring(place, null)));
    for (const [name, work] of ways) during.get(name)?.push(...(await latenciesDuring(place, work)));
  }
  const summaries = [...during].map(([name, latencies]) => [name, summarize(latencies)] as const);
  return { idle: summarize(idle), during: new Map(summaries) };
}

type Work = () => Promise<void>;

function waysToRead(place: Place): readonly (readonly [string, Work])[] {
  const command = (...words: string[]): [string, Work] => [words.join(" "), () => runCommand(place, words)];
  return [
    command("ipam", "leases"),
    command("ipam", "endpoints"),
    command("ipam", "history", "10.0.0.2"),
    command("ipam", "check"),
    ["GET /metrics", async () => void (await fetchText(place.socket, "/metrics"))],
  ];
}

async function runCommand({ fairlead, socket }: Place, words: readonly string[]): Promise<void> {
  const child = spawn(fairlead, [...words, "--socket", socket], { stdio: ["ignore", "ignore", "inherit"] });
  const [status] = await once(child, "exit");
  if (status !== 0) throw new Error(`fairlead ${words.join(" ")} ended with ${status}`);
}

/** Latencies of one caller who acquires all the time, while `work` is done over and over. */
async function latenciesDuring({ socket, seconds }: Place, work: Work | null): Promise<readonly number[]> {
  const load = acquireMany({ socket, networkName: NETWORK, subnet: SUBNET, callers: 1, seconds });
  const endsAt = performance.now() + seconds * 1000;
  while (work !== null && performance.now() < endsAt) {
    await work();
    await pause(PAUSE_MS);
  }
  return (await load).latenciesMs;
}

function figureOf(name: string, latency: Summary, idle: Summary | null): Figure {
  const share = idle === null ? null : latency.p99 / idle.p99;
  return {
    name,
    unit: "ms",
    ours: latency,
    reference: idle,
    ratio: share === null ? null : { value: share, low: share, high: share },
    verdict: share === null ? null : { target: `p99 ≤ ${AT_MOST} × idle`, passed: share <= AT_MOST },
  };
}

function journalFigure(mib: number): Figure {
  const verdict = { target: `≤ ${JOURNAL_MIB} MiB`, passed: mib <= JOURNAL_MIB };
  return { name: "the journal", unit: "MiB", ours: summarize([mib]), reference: null, ratio: null, verdict };
}

/** The reference is the service before anybody read. */
function memoryFigure(before: number, after: number): Figure {
  const value = after / before;
  return {
    name: "memory a lease after reading, beside before",
    unit: "KiB",
    ours: summarize([after * KIB_A_MIB]),
    reference: summarize([before * KIB_A_MIB]),
    ratio: { value, low: value, high: value },
    verdict: null,
  };
}

function residentMib(pid: number): number {
  const [, kib = "0"] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  return Number(kib) / 1024;
}
