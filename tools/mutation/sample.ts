/** The arithmetic of a mutation sample: which faults are tried, and what their fates say of all others. */
import { shuffled } from "../../bench/harness/statistics.ts";
import { randomOf } from "../../test/support/random.ts";

/** How many faults are tried, and the seed that chooses the same ones again. */
export interface SampleSize {
  readonly count: number;
  readonly seed: number;
}

/** A share with the interval that holds the true one in 95 % of samples. All three are from 0 to 1. */
export interface Share {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What became of the faults of one folder that were tried. */
export interface FolderTally {
  readonly folder: string;
  readonly found: number;
  readonly tried: number;
}

/** A fault that was tried, by the file it was put into, relative to the repository. */
export interface TriedFault {
  readonly file: string;
  readonly found: boolean;
}

/** Standard deviations to each side that hold 95 % of a normal distribution. */
const Z = 1.959964;

/**
 * `count` of `items`, or all of them when there are fewer. Every item is as likely as any other.
 * The same items in the same order, and the same seed, give the same choice.
 */
export function choose<T>(items: readonly T[], { count, seed }: SampleSize): T[] {
  return shuffled(items, randomOf(seed)).slice(0, count);
}

/**
 * The Wilson score interval: it holds near 0 and 1, where scores are, and for small samples.
 *
 * @throws RangeError without tries, of which no share can be told.
 *
 * Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
 */
export function shareOf(found: number, tried: number): Share {
  if (tried === 0) throw new RangeError("share of nothing");
  const value = found / tried;
  const scale = 1 + Z ** 2 / tried;
  const centre = (value + Z ** 2 / (2 * tried)) / scale;
  const half = (Z * Math.sqrt((value * (1 - value)) / tried + Z ** 2 / (4 * tried ** 2))) / scale;
  return { value, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** By folder, in the order of their names, and of all of them at the end, under the name "all". */
export function tallyByFolder(faults: readonly TriedFault[]): FolderTally[] {
  const folders = [...new Set(faults.map(({ file }) => folderOf(file)))].sort();
  const tallies = folders.map((folder) => {
    return tally(
      folder,
      faults.filter(({ file }) => folderOf(file) === folder),
    );
  });
  return [...tallies, tally("all", faults)];
}

/** The table of the tallies, a line each. */
export function formatTallies(tallies: readonly FolderTally[]): string {
  const rows = tallies.map((one) => {
    return `${one.folder.padEnd(14)}${`${one.found} of ${one.tried}`.padStart(14)}  ${formatShare(one)}`;
  });
  return rows.join("\n");
}

function formatShare({ found, tried }: FolderTally): string {
  if (tried === 0) return "nothing was tried";
  const { value, low, high } = shareOf(found, tried);
  return `${percent(value)} % (${percent(low)} to ${percent(high)})`;
}

function percent(share: number): string {
  return (share * 100).toFixed(1);
}

function tally(folder: string, faults: readonly TriedFault[]): FolderTally {
  return { folder, found: faults.filter(({ found }) => found).length, tried: faults.length };
}

/** The folder at the top, below `lib` the one in it. */
function folderOf(file: string): string {
  const folders = file.split("/").slice(0, -1);
  return folders.slice(0, folders[0] === "lib" ? 2 : 1).join("/");
}
