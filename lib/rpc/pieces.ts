/** All pieces of a list together. */
export async function joinPieces<T>(pieces: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const piece of pieces) for (const item of piece) all.push(item);
  return all;
}
