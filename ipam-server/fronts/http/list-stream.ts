/** Lists as JSON text in pieces: the first goes out at once, and no more of a list is held than a piece. */
import { Readable } from "node:stream";

/** A list that is given at once is written in pieces of so many. */
const PIECE_ITEMS = 256;
/** An answer that nobody takes any more is given up: what it is read from may have to be kept for it. */
const STALLED_MS = 30_000;

/** An answer as a whole, or as a stream. */
export type ListAnswer = { readonly whole: object } | { readonly stream: Readable };

/** A list that comes in one piece is answered as a whole, and so with its length. @throws what the first piece throws */
export async function answerList(
  field: string,
  pieces: AsyncIterable<readonly unknown[]>,
): Promise<ListAnswer> {
  const rest = pieces[Symbol.asyncIterator]();
  const first = await rest.next();
  if (first.done === true) return { whole: { [field]: [] } };
  const second = await rest.next();
  if (second.done === true) return { whole: { [field]: first.value } };
  return { stream: streamOf(field, joined([first.value, second.value], rest)) };
}

/** Pieces that are too large, in several. */
export async function* cut<T>(pieces: AsyncIterable<readonly T[]>): AsyncGenerator<readonly T[]> {
  for await (const piece of pieces) {
    if (piece.length <= PIECE_ITEMS) yield piece;
    else yield* piecesOf(piece);
  }
}

async function* piecesOf<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < items.length; at += PIECE_ITEMS) {
    yield items.slice(at, at + PIECE_ITEMS);
    await new Promise(setImmediate);
  }
}

type Pieces = AsyncIterator<readonly unknown[]>;

async function* joined(
  begun: readonly (readonly unknown[])[],
  rest: Pieces,
): AsyncGenerator<readonly unknown[]> {
  try {
    yield* begun;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}

/** The text of `{"<field>": [...items]}`, an item a line. */
function streamOf(field: string, pieces: AsyncIterable<readonly unknown[]>): Readable {
  let stalled: NodeJS.Timeout | undefined;
  async function* text(): AsyncGenerator<string> {
    let begin = `{${JSON.stringify(field)}:[\n`;
    for await (const piece of pieces) {
      stalled = setTimeout(giveUp, STALLED_MS);
      yield begin + piece.map((item) => JSON.stringify(item)).join(",\n");
      clearTimeout(stalled);
      begin = ",\n";
    }
    yield "\n]}";
  }
  const stream = Readable.from(text(), { objectMode: false });
  const giveUp = (): void => void stream.destroy(new Error(`nobody took the answer for ${STALLED_MS} ms`));
  stream.once("close", () => clearTimeout(stalled));
  return stream;
}
