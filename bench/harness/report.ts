/** The figures of a run as a table for people. */
import Table from "cli-table3";
import type { EnvironmentFacts } from "./environment.ts";
import type { Figure, Quantiles } from "./figures.ts";
import type { Ratio } from "./statistics.ts";

const HEAD = ["figure", "unit", "fairlead p50", "p99", "reference p50", "p99", "ratio (95 %)", "target", ""];
const NUMBERS_ALIGNED = [
  "left",
  "left",
  "right",
  "right",
  "right",
  "right",
  "right",
  "left",
  "left",
] as const;

export function formatReport(figures: readonly Figure[], facts: EnvironmentFacts): string {
  const table = new Table({
    head: HEAD,
    colAligns: [...NUMBERS_ALIGNED],
    style: { head: [], border: [], compact: true },
  });
  table.push(...figures.map(row));
  return [formatFacts(facts), table.toString(), formatVerdicts(figures)].join("\n");
}

function row(figure: Figure): string[] {
  const { name, unit, ours, reference, ratio, verdict } = figure;
  const mark = verdict === null ? "" : verdict.passed ? "pass" : "FALLS SHORT";
  return [name, unit, ...pair(ours), ...pair(reference), formatRatio(ratio), verdict?.target ?? "", mark];
}

/** p50 and p99; the latter only where there are several samples. */
function pair(summary: Quantiles | null): [string, string] {
  if (summary === null) return ["", ""];
  return [formatNumber(summary.p50), summary.count > 1 ? formatNumber(summary.p99) : ""];
}

/** Three significant digits, or whole numbers from 100 on. */
function formatNumber(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

function formatRatio(ratio: Ratio | null): string {
  if (ratio === null) return "";
  const [value, low, high] = [ratio.value, ratio.low, ratio.high].map((number) => number.toFixed(2));
  return low === high ? `${value}` : `${value} (${low}–${high})`;
}

function formatFacts(facts: EnvironmentFacts): string {
  const { kernel, cpu, cores, memoryMib, node, ours, reference, idleBefore } = facts;
  return [
    `machine    ${cores} × ${cpu}, ${memoryMib} MiB, Linux ${kernel}, ${Math.round(idleBefore * 100)} % idle before the run`,
    `fairlead   ${ours}`,
    `reference  ${reference}`,
    `measured by Node ${node}`,
  ].join("\n");
}

function formatVerdicts(figures: readonly Figure[]): string {
  const judged = figures.filter(({ verdict }) => verdict !== null);
  const short = judged.filter(({ verdict }) => verdict?.passed === false);
  if (judged.length === 0) return "no targets";
  if (short.length === 0) return `all ${judged.length} targets met`;
  return `${judged.length - short.length} of ${judged.length} targets met; short of: ${short.map(({ name }) => name).join("; ")}`;
}
