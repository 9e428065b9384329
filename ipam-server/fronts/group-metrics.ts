/**
 * Where the time of a change goes: waiting for its group, being staged, being committed. What is left of a request's latency is its
 * front's: reading, checking and answering it.
 *
 * Measured once for each group, so that a request under load pays for a fraction of it.
 */
import { Histogram, type Registry } from "prom-client";

/** What became of one group of changes. Times in milliseconds. */
export interface GroupFigures {
  readonly requests: number;
  /** How long the one that came first had waited when staging began. */
  readonly waitedMs: number;
  readonly stagedMs: number;
  /** Null: nothing had changed, or the commit failed. */
  readonly committedMs: number | null;
}

const SECONDS = [
  ...[0.000_1, 0.000_25, 0.000_5, 0.001, 0.001_5, 0.002, 0.003, 0.004, 0.006, 0.008],
  ...[0.012, 0.016, 0.024, 0.032, 0.05, 0.1, 0.25, 1, 5],
];
const REQUESTS = [1, 2, 4, 8, 16, 32, 64, 96, 128, 256, 512];
const MS = 1000;

export class GroupMetrics {
  readonly #requests = histogram("fairlead_group_requests", "Changes that were committed together", REQUESTS);
  readonly #wait = histogram(
    "fairlead_group_wait_seconds",
    "Time that the first change of a group waited until it was staged",
    SECONDS,
  );
  readonly #stage = histogram(
    "fairlead_group_stage_seconds",
    "Time that it took to apply a group's changes in memory",
    SECONDS,
  );
  readonly #commit = histogram(
    "fairlead_group_commit_seconds",
    "Time that it took to make a group's changes durable",
    SECONDS,
  );

  registerIn(registry: Registry): void {
    for (const each of [this.#requests, this.#wait, this.#stage, this.#commit]) registry.registerMetric(each);
  }

  readonly observe = ({ requests, waitedMs, stagedMs, committedMs }: GroupFigures): void => {
    this.#requests.observe(requests);
    this.#wait.observe(waitedMs / MS);
    this.#stage.observe(stagedMs / MS);
    if (committedMs !== null) this.#commit.observe(committedMs / MS);
  };
}

function histogram(name: string, help: string, buckets: number[]): Histogram {
  return new Histogram({ name, help, buckets, registers: [] });
}
