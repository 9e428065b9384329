/** One run of the benchmark on a stage that is set: every measurement, then the table and the JSON. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startWorkerPool, type WorkerPool } from "../agent/workers/pool.ts";
import { silentLogger } from "../lib/log.ts";
import { WORKER_SOCKET_NAME } from "../lib/resident/place.ts";
import { measureAllocations } from "./allocations.ts";
import {
  type BenchHost,
  CONCURRENT_ATTACHMENTS,
  measureConcurrent,
  measureGrowth,
  measureSequential,
} from "./attachments.ts";
import { FairleadContestant, ReferenceContestant } from "./harness/contestants.ts";
import { environmentFacts } from "./harness/environment.ts";
import type { Figure } from "./harness/figures.ts";
import { ContainerPool } from "./harness/host.ts";
import type { Options } from "./harness/options.ts";
import { waitForQuietMachine } from "./harness/quiet.ts";
import { formatReport } from "./harness/report.ts";
import type { Stage } from "./harness/stage.ts";
import { seededRandom, summarize } from "./harness/statistics.ts";
import { highWaterMarkMib, measureMemory, measureStart } from "./processes.ts";
import { profileOperations } from "./profile.ts";
import { measurePublishedPorts } from "./published-ports.ts";

/** How much of everything a run does. */
interface Extent {
  readonly sequentialRounds: number;
  readonly concurrentRepeats: number;
  readonly growthRounds: number;
  readonly chainRounds: number;
  readonly leaseCounts: readonly number[];
  readonly startRounds: number;
  readonly memoryRounds: number;
  readonly loadSeconds: number;
  readonly quietLimitMs: number;
}

const FULL: Extent = {
  sequentialRounds: 100,
  concurrentRepeats: 5,
  growthRounds: 80,
  chainRounds: 60,
  leaseCounts: [0, 1000, 4000],
  startRounds: 100,
  memoryRounds: 10,
  loadSeconds: 6,
  quietLimitMs: 30_000,
};

const QUICK: Extent = {
  sequentialRounds: 8,
  concurrentRepeats: 1,
  growthRounds: 4,
  chainRounds: 4,
  leaseCounts: [0, 1000, 4000],
  startRounds: 10,
  memoryRounds: 3,
  loadSeconds: 1,
  quietLimitMs: 3_000,
};

const CALLERS = [1, 32, 128] as const;

/** @param pool null in a self-check: nobody of ours takes part. */
function contestants(stage: Stage, pool: WorkerPool | null): BenchHost["contestants"] {
  const { reference: folder, serverPid } = stage;
  const reference = new ReferenceContestant("reference", folder, stage.folder);
  if (pool === null) {
    const again = (name: string) => new ReferenceContestant(name, folder, stage.folder);
    return { ours: again("the reference again"), alone: again("and again"), reference };
  }
  const alone = { name: "fairlead without a worker", socket: socketWithoutWorkers(stage) };
  const helperPids = () => [serverPid, ...pool.pids, ...pool.reaperPids];
  return {
    ours: new FairleadContestant({ ...stage, name: "fairlead", helperPids }),
    alone: new FairleadContestant({ ...stage, ...alone, helperPids: () => [serverPid] }),
    reference,
  };
}

/** Another name for the socket of the IPAM service, beside which no worker listens. */
function socketWithoutWorkers({ folder, socket }: Stage): string {
  const alone = join(folder, "alone");
  mkdirSync(alone);
  const path = join(alone, "ipam.sock");
  symlinkSync(socket, path);
  return path;
}

/** The agent's workers, in the network namespace of this process, which is where the plugins are run. */
function startWorkers({ workers }: Options, { bin, socket }: Stage): Promise<WorkerPool> {
  return startWorkerPool({
    executable: join(bin, "fairlead"),
    socketPath: join(dirname(socket), WORKER_SOCKET_NAME),
    count: workers,
    logger: silentLogger,
  });
}

/** Measures everything, prints the table and writes the JSON. */
export async function measure(options: Options, stage: Stage): Promise<void> {
  const extent = options.quick ? QUICK : FULL;
  const folder = join(stage.folder, "runs");
  mkdirSync(folder);
  const pool = options.selfCheck ? null : await startWorkers(options, stage);
  const host: BenchHost = {
    contestants: contestants(stage, pool),
    containers: new ContainerPool(stage.hostNetns, CONCURRENT_ATTACHMENTS),
    folder,
    random: seededRandom(options.seed),
  };
  const idleBefore = waitForQuietMachine(extent.quietLimitMs);
  const measured = await measureAll(host, stage, { extent, only: options.only });
  const workerMemory = pool ? [memoryOf("a plugin worker", pool.pids)] : [];
  // The targets are Fairlead's: a self-check has none.
  const figures = options.selfCheck
    ? measured.map((figure) => ({ ...figure, verdict: null }))
    : [...measured, ...workerMemory];
  const facts = environmentFacts(options, idleBefore);
  const fallsShort = figures.some(({ verdict }) => verdict?.passed === false);
  const profile = fallsShort ? profileOperations(host) : "";
  await pool?.close();
  console.log([formatReport(figures, facts), profile].join("\n\n").trimEnd());
  const report = { environment: facts, figures, profile };
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

interface Measuring {
  readonly extent: Extent;
  /** Words in the names of what is measured; none: everything. */
  readonly only: readonly string[];
}

async function measureAll(host: BenchHost, stage: Stage, { extent, only }: Measuring): Promise<Figure[]> {
  const figures: Figure[] = [];
  const step = async (name: string, work: () => Figure[] | Promise<Figure[]>) => {
    if (only.length > 0 && !only.some((word) => name.includes(word))) return;
    console.error(`bench: ${name}`);
    figures.push(...(await work()));
  };
  await step("ADD and DEL, sequential", () => measureSequential(host, extent.sequentialRounds));
  await step("ADD and DEL, concurrent", () => measureConcurrent(host, extent.concurrentRepeats));
  await step("published ports, sequential", () => measurePublishedPorts(host, extent.chainRounds));
  await step("growth of ADD with the leases in the network", () =>
    measureGrowth(host, extent.leaseCounts, extent.growthRounds),
  );
  await step("process start", () => measureStart(host, extent.startRounds));
  await step("memory", () => [measureMemory(host, extent.memoryRounds)]);
  if (stage.serverPid !== 0) {
    const { socket, folder } = stage;
    const load = { socket, folder, callers: CALLERS, seconds: extent.loadSeconds };
    await step("allocations of the IPAM service", () => measureAllocations(load));
    figures.push(memoryOf("the IPAM service", [stage.serverPid]));
  }
  return figures;
}

/** After all that load: the largest that it got. */
function memoryOf(name: string, pids: readonly number[]): Figure {
  return {
    name: `peak memory of ${name}`,
    unit: "MiB",
    ours: summarize(pids.map(highWaterMarkMib)),
    reference: null,
    ratio: null,
    verdict: null,
  };
}
