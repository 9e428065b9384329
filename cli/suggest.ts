/** "Did you mean": the word that was probably meant. */

/** More changes than this are no slip of the finger. */
const MOST_CHANGES = 3;

/** The candidate that is nearest to `word`, or null when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const scored = candidates.map((candidate) => ({ candidate, changes: distance(word, candidate) }));
  const [best] = scored.sort((a, b) => a.changes - b.changes);
  if (best === undefined || best.changes > MOST_CHANGES) return null;
  // Half of a word is too much to be wrong about it.
  return best.changes * 2 <= Math.max(word.length, best.candidate.length) ? best.candidate : null;
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function distance(from: string, to: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= from.length; i++) {
    const row: number[] = [];
    for (let j = 0; j <= to.length; j++) row.push(cell(rows, row, from, to, i, j));
    rows.push(row);
  }
  return rows[from.length]?.[to.length] ?? 0;
}

function cell(
  rows: readonly number[][],
  row: readonly number[],
  from: string,
  to: string,
  i: number,
  j: number,
): number {
  if (i === 0 || j === 0) return i + j;
  const same = from[i - 1] === to[j - 1];
  const at = (up: number, left: number): number => (up === 0 ? row : rows[i - up])?.[j - left] ?? 0;
  const best = Math.min(at(1, 0) + 1, at(0, 1) + 1, at(1, 1) + (same ? 0 : 1));
  const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
  return swapped ? Math.min(best, at(2, 2) + 1) : best;
}
