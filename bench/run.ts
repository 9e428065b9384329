/** One run of the benchmark on a stage that is set: every measurement, then the table and the JSON. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measureAllocations } from "./allocations.ts";
import {
  type BenchHost,
  CONCURRENT_ATTACHMENTS,
  measureConcurrent,
  measureGrowth,
  measureSequential,
} from "./attachments.ts";
import { type Contestant, FairleadContestant, ReferenceContestant } from "./contestants.ts";
import { environmentFacts } from "./environment.ts";
import type { Figure } from "./figures.ts";
import { ContainerPool } from "./host.ts";
import type { Options } from "./options.ts";
import { highWaterMarkMib, measureMemory, measureStart } from "./processes.ts";
import { profileOperations } from "./profile.ts";
import { waitForQuietMachine } from "./quiet.ts";
import { formatReport } from "./report.ts";
import type { Stage } from "./stage.ts";
import { seededRandom, summarize } from "./statistics.ts";

/** How much of everything a run does. */
interface Extent {
  readonly sequentialRounds: number;
  readonly concurrentRepeats: number;
  readonly growthRounds: number;
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
  leaseCounts: [0, 1000, 4000],
  startRounds: 10,
  memoryRounds: 3,
  loadSeconds: 1,
  quietLimitMs: 3_000,
};

const CALLERS = [1, 32, 128] as const;

function contestants(options: Options, stage: Stage): { ours: Contestant; reference: Contestant } {
  const reference = new ReferenceContestant("reference", options.reference, stage.folder);
  const ours = options.selfCheck
    ? new ReferenceContestant("the reference again", options.reference, stage.folder)
    : new FairleadContestant(options.bin, stage.socket, stage.folder);
  return { ours, reference };
}

/** Measures everything, prints the table and writes the JSON. */
export async function measure(options: Options, stage: Stage): Promise<void> {
  const extent = options.quick ? QUICK : FULL;
  const folder = join(stage.folder, "runs");
  mkdirSync(folder);
  const host: BenchHost = {
    contestants: contestants(options, stage),
    containers: new ContainerPool(stage.hostNetns, CONCURRENT_ATTACHMENTS),
    folder,
    random: seededRandom(options.seed),
  };
  const idleBefore = waitForQuietMachine(extent.quietLimitMs);
  const measured = await measureAll(host, stage, extent);
  // The targets are Fairlead's: a self-check has none.
  const figures = options.selfCheck ? measured.map((figure) => ({ ...figure, verdict: null })) : measured;
  const facts = environmentFacts(host, idleBefore, options.seed);
  const fallsShort = figures.some(({ verdict }) => verdict?.passed === false);
  const profile = fallsShort ? profileOperations(host) : "";
  console.log([formatReport(figures, facts), profile].join("\n\n").trimEnd());
  const report = { environment: facts, figures, profile };
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

async function measureAll(host: BenchHost, stage: Stage, extent: Extent): Promise<Figure[]> {
  const figures: Figure[] = [];
  const step = async (what: string, work: () => Figure[] | Promise<Figure[]>) => {
    console.error(`bench: ${what}`);
    figures.push(...(await work()));
  };
  await step("ADD and DEL, one at a time", () => measureSequential(host, extent.sequentialRounds));
  await step("ADD and DEL, concurrent", () => measureConcurrent(host, extent.concurrentRepeats));
  await step("ADD by leases in the network", () =>
    measureGrowth(host, extent.leaseCounts, extent.growthRounds),
  );
  await step("process start", () => measureStart(host, extent.startRounds));
  await step("memory", () => [measureMemory(host, extent.memoryRounds)]);
  if (stage.serverPid !== 0) {
    const { socket, folder } = stage;
    const load = { socket, folder, callers: CALLERS, seconds: extent.loadSeconds };
    await step("allocations of the IPAM service", () => measureAllocations(load));
    figures.push(serverMemory(stage.serverPid));
  }
  return figures;
}

/** After all that load: the largest that the service got. */
function serverMemory(pid: number): Figure {
  const ours = summarize([highWaterMarkMib(pid)]);
  return {
    name: "peak memory of the IPAM service",
    unit: "MiB",
    ours,
    reference: null,
    ratio: null,
    verdict: null,
  };
}
