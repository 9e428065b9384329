/** What a run finds out, as values: the table and the JSON file are two views of these. */
import { type Random, type Ratio, ratioOfMedians, type Summary, summarize } from "./statistics.ts";

/** What is always known of samples. */
export type Quantiles = Pick<Summary, "count" | "p50" | "p99">;

/** One comparison of us with a reference, or of one state of ours with another. */
export interface Figure {
  readonly name: string;
  /** Of the samples: "ms", "MiB", "ops/s". */
  readonly unit: string;
  readonly ours: Quantiles | null;
  readonly reference: Quantiles | null;
  /** Ours over the reference, of medians; null where there is nothing to compare with. */
  readonly ratio: Ratio | null;
  /** What the figure is held against; null for one that is only reported. */
  readonly verdict: Verdict | null;
}

export interface Verdict {
  /** In words, for the table: "ratio ≤ 0.35". */
  readonly target: string;
  readonly passed: boolean;
}

export interface Samples {
  readonly ours: readonly number[];
  readonly reference: readonly number[];
}

/** A comparison of two lists of samples. `atMost` is the largest ratio that passes. */
export function compare(
  name: string,
  samples: Samples,
  options: { atMost?: number; unit?: string; random: Random },
): Figure {
  const ratio = ratioOfMedians(samples.ours, samples.reference, options.random);
  const { atMost } = options;
  return {
    name,
    unit: options.unit ?? "ms",
    ours: summarize(samples.ours),
    reference: summarize(samples.reference),
    ratio,
    verdict: atMost === undefined ? null : { target: `ratio ≤ ${atMost}`, passed: ratio.value <= atMost },
  };
}
