/**
 * Order of names as people read them: `net2` before `net10`.
 *
 * Source: github.com/fvbommel/sortorder v1.0.1, NaturalLess, which Docker's command line sorts by.
 */
export function naturalOrder(a: string, b: string): number {
  const [left, right] = [chunksOf(a), chunksOf(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = compareChunks(left[at] ?? "", right[at] ?? "");
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Runs of digits, and single characters between them. */
function chunksOf(text: string): string[] {
  return text.match(/\d+|\D/g) ?? [];
}

function compareChunks(a: string, b: string): number {
  if (!/\d/.test(a) || !/\d/.test(b)) return a < b ? -1 : Number(a > b);
  const [left, right] = [a.replace(/^0+(?=\d)/, ""), b.replace(/^0+(?=\d)/, "")];
  if (left.length !== right.length) return left.length - right.length;
  if (left !== right) return left < right ? -1 : 1;
  return a.length - b.length;
}
