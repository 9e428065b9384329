/**
 * Durable allocations per second of the IPAM service, and of the least that any durable store does, on the same disk in the
 * same run: a loop that puts one row per transaction into SQLite, which the rate is compared with, and one that puts as many
 * rows into each transaction as there are callers, which the latency is compared with.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { profileFigures, readGroups } from "./grant-profile.ts";
import type { Figure, Verdict } from "./harness/figures.ts";
import { acquireMany } from "./harness/load.ts";
import { waitForQuietMoment } from "./harness/quiet.ts";
import { type Summary, summarize } from "./harness/statistics.ts";

export interface AllocationOptions {
  readonly socket: string;
  /** On the disk that the service keeps its store on. */
  readonly folder: string;
  readonly callers: readonly number[];
  readonly seconds: number;
}

/** A million addresses, outside of those of the bridge networks: no run gets to the end of it. */
const SUBNET = "10.0.0.0/12";
/** The number of callers that the targets are about, and the targets. */
const TARGET = { callers: 128, perSecond: 5000, p99Ms: 25 } as const;

/** The rate and the latencies of one load. */
interface Rate {
  readonly perSecond: number;
  readonly latencyMs: Summary;
}

/** Figures per number of callers: allocations per second against SQLite inserts per second, latency, and where it comes from. */
export async function measureAllocations(options: AllocationOptions): Promise<Figure[]> {
  waitForQuietMoment();
  const baseline = insertLoop(join(options.folder, "baseline.sqlite"), options.seconds);
  const figures: Figure[] = [];
  for (const callers of options.callers) {
    const { socket, seconds } = options;
    const before = await readGroups(socket);
    const report = await acquireMany({ socket, networkName: "load", subnet: SUBNET, callers, seconds });
    const rate = {
      perSecond: report.latenciesMs.length / report.seconds,
      latencyMs: summarize(report.latenciesMs),
    };
    const after = await readGroups(socket);
    const group = insertLoop(join(options.folder, `group-${callers}.sqlite`), seconds, callers);
    figures.push(...allocationFigures(callers, rate, { single: baseline, group }));
    figures.push(...profileFigures(nameOf(callers), before, after));
  }
  return figures;
}

/** So many inserts per transaction, as durable as the service's own: WAL and synchronous=FULL. Latencies are of commits. */
function insertLoop(file: string, seconds: number, rows = 1): Rate {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE lease (address TEXT PRIMARY KEY, owner TEXT NOT NULL UNIQUE) WITHOUT ROWID");
  const insert = database.prepare("INSERT INTO lease VALUES (?, ?)");
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  for (let now = start; now < end; now = performance.now()) {
    database.exec("BEGIN IMMEDIATE");
    for (let row = 0; row < rows; row++) {
      const name = `${latencies.length}-${row}`;
      insert.run(`address-${name}`, `container-${name}`);
    }
    database.exec("COMMIT");
    latencies.push(performance.now() - now);
  }
  const elapsed = performance.now() - start;
  database.close();
  return { perSecond: (latencies.length * rows) / (elapsed / 1000), latencyMs: summarize(latencies) };
}

function nameOf(callers: number): string {
  return `allocations, ${callers} callers`;
}

interface Baselines {
  /** One row per transaction. */
  readonly single: Rate;
  /** A row of each caller per transaction. */
  readonly group: Rate;
}

function allocationFigures(callers: number, ours: Rate, { single, group }: Baselines): Figure[] {
  const p99 = ours.latencyMs.p99 / group.latencyMs.p99;
  const name = nameOf(callers);
  return [
    rateFigure(
      name,
      { ours, baseline: single },
      verdictAt(callers, `≥ ${TARGET.perSecond}/s`, ours.perSecond >= TARGET.perSecond),
    ),
    {
      name: `${name}: latency (ratio of the p99 to that of a plain group commit)`,
      unit: "ms",
      ours: ours.latencyMs,
      reference: group.latencyMs,
      ratio: { value: p99, low: p99, high: p99 },
      verdict: verdictAt(callers, `p99 ≤ ${TARGET.p99Ms} ms`, ours.latencyMs.p99 <= TARGET.p99Ms),
    },
  ];
}

function verdictAt(callers: number, target: string, passed: boolean): Verdict | null {
  return callers === TARGET.callers ? { target, passed } : null;
}

interface Rates {
  readonly ours: Rate;
  readonly baseline: Rate;
}

function rateFigure(name: string, { ours, baseline }: Rates, verdict: Verdict | null): Figure {
  const value = ours.perSecond / baseline.perSecond;
  return {
    name,
    unit: "ops/s",
    ours: summarize([ours.perSecond]),
    reference: summarize([baseline.perSecond]),
    ratio: { value, low: value, high: value },
    verdict,
  };
}
