/**
 * Lists as they come: the first rows are shown while the service still looks for the last, and no more is held than a few of them. Whoever
 * reads no further (`| head`) ends it.
 */
import type { Io } from "../base/io.ts";
import { type Column, TableWriter } from "./table.ts";

/** Rows by which a table's columns are laid out. */
const FIRST_ROWS = 1_000;

/** `{"<field>": [...]}`, as `formatJson` writes it. */
export async function writeJsonList(
  io: Io,
  field: string,
  pieces: AsyncIterable<readonly unknown[]>,
): Promise<void> {
  let begin = `{\n  ${JSON.stringify(field)}: [`;
  let isEmpty = true;
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    await io.out(`${begin}${piece.map((item) => `\n    ${indented(item)}`).join(",")}`);
    begin = ",";
    isEmpty = false;
    if (io.isReaderGone === true) return;
  }
  await io.out(isEmpty ? `${begin}]\n}\n` : "\n  ]\n}\n");
}

/** JSON holds no line break but those of its layout. */
function indented(item: unknown): string {
  return JSON.stringify(item, null, 2).replaceAll("\n", "\n    ");
}

export interface ListTable<Row> {
  readonly columns: readonly Column<Row>[];
  /** Of the terminal; null: nothing is cut or left out. */
  readonly width: number | null;
  /** What is said of an empty list. */
  readonly none: string;
}

/** A table whose columns are laid out by its first thousand rows; one that proves too narrow later becomes wider from there on. */
export async function writeTable<Row>(
  io: Io,
  pieces: AsyncIterable<readonly Row[]>,
  { columns, width, none }: ListTable<Row>,
): Promise<void> {
  const table = new TableWriter(columns, width);
  let isEmpty = true;
  for await (const rows of withLongFirst(pieces)) {
    await io.out(table.write(rows));
    isEmpty = false;
    if (io.isReaderGone === true) return;
  }
  if (isEmpty) await io.out(`${none}\n`);
}

/** The same rows, the first thousand together. No piece is empty. */
async function* withLongFirst<Row>(pieces: AsyncIterable<readonly Row[]>): AsyncGenerator<readonly Row[]> {
  let first: Row[] | null = [];
  for await (const piece of pieces) {
    if (first === null) {
      if (piece.length > 0) yield piece;
      continue;
    }
    first.push(...piece);
    if (first.length < FIRST_ROWS) continue;
    yield first;
    first = null;
  }
  if (first !== null && first.length > 0) yield first;
}
