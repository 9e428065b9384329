/** Keys that are nearly right. */

/**
 * The key that was probably meant by `key`, which is none of `known`; null when it is one of them (in whatever case, as
 * keys are read) or near none. `range-start` and `range_start` are the same word; else one letter may be wrong, missing, too
 * many, or swapped with its neighbour.
 */
export function misspelt(key: string, known: readonly string[]): string | null {
  const folded = key.toLowerCase();
  if (known.some((one) => one.toLowerCase() === folded)) return null;
  const bare = folded.replaceAll(/[-_]/g, "");
  return known.find((one) => isNear(bare, one.toLowerCase())) ?? null;
}

function isNear(a: string, b: string): boolean {
  if (a === b) return true;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length < 4 || long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at++;
  if (short.length < long.length) return short.slice(at) === long.slice(at + 1);
  const isSwapped = short[at] === long[at + 1] && short[at + 1] === long[at];
  return (
    short.slice(at + 1) === long.slice(at + 1) || (isSwapped && short.slice(at + 2) === long.slice(at + 2))
  );
}
