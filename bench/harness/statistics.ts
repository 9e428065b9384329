/** The arithmetic of the benchmark. Pure, and free of any source of randomness but the one passed in. */

/** What is said of one list of samples. All but `count` are in the unit of the samples. */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A ratio with the interval that holds it in 95 % of resamplings. */
export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A source of numbers in [0, 1), as `Math.random` is. */
export type Random = () => number;

/**
 * The smallest sample that at least the share `q` of all samples does not exceed (nearest rank).
 * @param q in (0, 1]; the p99 of fewer than 100 samples is their maximum.
 * @throws RangeError without samples, or for a `q` outside its range.
 */
export function quantile(samples: readonly number[], q: number): number {
  if (!(q > 0 && q <= 1)) throw new RangeError(`quantile ${q}: must be in (0, 1]`);
  const sorted = Float64Array.from(samples).sort();
  const value = sorted[Math.ceil(q * sorted.length) - 1];
  if (value === undefined) throw new RangeError("quantile of no samples");
  return value;
}

/** @throws RangeError without samples. */
export function summarize(samples: readonly number[]): Summary {
  const sum = samples.reduce((total, sample) => total + sample, 0);
  return {
    count: samples.length,
    mean: sum / samples.length,
    min: quantile(samples, Number.MIN_VALUE),
    p50: quantile(samples, 0.5),
    p99: quantile(samples, 0.99),
    max: quantile(samples, 1),
  };
}

/** How often the samples are drawn anew for the interval of a ratio. */
const RESAMPLINGS = 1000;

/**
 * Median of `ours` over median of `theirs`, with a bootstrap interval: the noise of a run, not of the machine.
 * @throws RangeError when either list is empty.
 */
export function ratioOfMedians(ours: readonly number[], theirs: readonly number[], random: Random): Ratio {
  const resampled = Array.from({ length: RESAMPLINGS }, () => {
    return quantile(resample(ours, random), 0.5) / quantile(resample(theirs, random), 0.5);
  });
  return {
    value: quantile(ours, 0.5) / quantile(theirs, 0.5),
    low: quantile(resampled, 0.025),
    high: quantile(resampled, 0.975),
  };
}

/** As many samples, drawn with replacement. */
function resample(samples: readonly number[], random: Random): number[] {
  return samples.map(() => samples[Math.floor(random() * samples.length)] ?? Number.NaN);
}

/** The same items in random order (Fisher–Yates), as a new list. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [result[last] as T, result[other] as T];
    result[last] = b;
    result[other] = a;
  }
  return result;
}

/**
 * A small generator with a seed, so that a run can be repeated in the same order.
 * Source: mulberry32, Tommy Ettinger, public domain.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
