/** Long lists as JSON text in pieces, so that writing one does not hold up the answers of others. */
import { Readable } from "node:stream";

/** Lists up to this length are written at once. */
export const PIECE_ITEMS = 500;

/** The text of `{"<field>": [...items]}` as a stream that gives way to other work between its pieces. */
export function streamList(field: string, items: readonly unknown[]): Readable {
  return Readable.from(pieces(field, items), { objectMode: false });
}

async function* pieces(field: string, items: readonly unknown[]): AsyncGenerator<string> {
  yield `{${JSON.stringify(field)}:[`;
  for (let at = 0; at < items.length; at += PIECE_ITEMS) {
    const piece = items.slice(at, at + PIECE_ITEMS).map((item) => JSON.stringify(item));
    yield `${at > 0 ? "," : ""}${piece.join(",")}`;
    await new Promise(setImmediate);
  }
  yield "]}";
}
