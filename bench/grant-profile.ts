/**
 * Where the time of a grant goes, under load: the service measures each group of changes by itself, and tells in its metrics.
 *
 * What is read before a load is taken off what is read after it. Quantiles are of groups, not of grants, and lie inside a bucket:
 * they are as exact as its bounds.
 */
import type { Figure } from "./harness/figures.ts";
import { fetchText } from "./harness/host.ts";

/** Counts of one histogram, by the upper bound of the bucket; not cumulated. */
export type Buckets = ReadonlyMap<number, number>;
export type GroupCounts = ReadonlyMap<string, Buckets>;

interface Part {
  readonly metric: string;
  readonly name: string;
  readonly unit: string;
  /** From what the metric counts in to the unit. */
  readonly factor: number;
}

const PARTS: readonly Part[] = [
  { metric: "fairlead_group_wait_seconds", name: "waiting for its group", unit: "ms", factor: 1000 },
  { metric: "fairlead_group_stage_seconds", name: "its group applied in memory", unit: "ms", factor: 1000 },
  { metric: "fairlead_group_commit_seconds", name: "its group made durable", unit: "ms", factor: 1000 },
  { metric: "fairlead_group_requests", name: "grants in a group", unit: "", factor: 1 },
];

/** @throws when the service does not answer, or has none of these metrics. */
export async function readGroups(socket: string): Promise<GroupCounts> {
  const text = await fetchText(socket, "/metrics");
  return new Map(PARTS.map(({ metric }) => [metric, bucketsOf(text, metric)]));
}

/** A figure for each part of a grant's way, of what happened between two readings. */
export function profileFigures(load: string, before: GroupCounts, after: GroupCounts): Figure[] {
  return PARTS.map(({ metric, name, unit, factor }): Figure => {
    const counts = difference(before.get(metric), after.get(metric));
    const count = [...counts.values()].reduce((sum, each) => sum + each, 0);
    const [p50, p99] = [0.5, 0.99].map((share) => factor * quantile(counts, share)) as [number, number];
    return {
      name: `${load}: ${name}`,
      unit,
      ours: { count, p50, p99 },
      reference: null,
      ratio: null,
      verdict: null,
    };
  });
}

/** Linear inside the bucket, as Prometheus does. NaN where nothing was counted. */
export function quantile(counts: Buckets, share: number): number {
  const total = [...counts.values()].reduce((sum, each) => sum + each, 0);
  let below = 0;
  let lower = 0;
  for (const [upper, count] of counts) {
    const wanted = share * total - below;
    if (count > 0 && wanted <= count)
      return Number.isFinite(upper) ? lower + ((upper - lower) * wanted) / count : lower;
    below += count;
    lower = upper;
  }
  return Number.NaN;
}

/** Of the text format of Prometheus, where each bucket holds those below it, too. */
export function bucketsOf(text: string, metric: string): Buckets {
  const lines = text.split("\n").filter((line) => line.startsWith(`${metric}_bucket{le="`));
  if (lines.length === 0) throw new Error(`the service has no metric ${metric}`);
  let below = 0;
  return new Map(
    lines.map((line) => {
      const [, bound = "", count = ""] = /le="([^"]+)"\} (\d+)/u.exec(line) ?? [];
      const own = Number(count) - below;
      below = Number(count);
      return [bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound), own];
    }),
  );
}

function difference(before: Buckets = new Map(), after: Buckets = new Map()): Buckets {
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}
