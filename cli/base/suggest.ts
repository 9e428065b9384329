/** "Did you mean": the word that was probably meant. */
import { editDistance } from "../../lib/edit-distance.ts";

/** More changes than this are no slip of the finger. */
const MOST_CHANGES = 3;

/** The candidate that is nearest to `word`, or null when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const scored = candidates.map((candidate) => ({ candidate, changes: editDistance(word, candidate) }));
  const [best] = scored.sort((a, b) => a.changes - b.changes);
  if (best === undefined || best.changes > MOST_CHANGES) return null;
  // Half of a word is too much to be wrong about it.
  return best.changes * 2 <= Math.max(word.length, best.candidate.length) ? best.candidate : null;
}
