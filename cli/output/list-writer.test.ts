import { formatJson } from "./json.ts";
import { writeJsonList, writeTable } from "./list-writer.ts";
import { type Column, formatTable } from "./table.ts";

interface Row {
  readonly name: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: "NAME", value: ({ name }) => name },
  { heading: "LENGTH", value: ({ name }) => String(name.length), align: "right" },
];

/** What was written, piece by piece; `readable` pieces are read, then nobody reads any more. */
class Output {
  readonly pieces: string[] = [];
  readonly columns = null;
  readonly #readable: number;

  constructor(readable = Number.POSITIVE_INFINITY) {
    this.#readable = readable;
  }

  out = async (text: string): Promise<void> => void this.pieces.push(text);
  err = async (): Promise<void> => {};

  get isReaderGone(): boolean {
    return this.pieces.length >= this.#readable;
  }
}

async function* inPieces<T>(items: readonly T[], size: number): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) {
    yield items.slice(at, at + size);
    yield [];
  }
}

const rows = (count: number): Row[] => Array.from({ length: count }, (_, at) => ({ name: `n${at}\n"` }));

test.each([0, 1, 2, 5])("the JSON of %i items is one document, as it is written at once", async (count) => {
  const output = new Output();
  await writeJsonList(output, "rows", inPieces(rows(count), 2));
  expect(output.pieces.join("")).toBe(formatJson({ rows: rows(count) }));
});

test.each([1, 999, 1_000])("a table of %i rows is laid out by all of them", async (count) => {
  const output = new Output();
  await writeTable(output, inPieces(rows(count), 100), { columns: COLUMNS, width: null, none: "None." });
  expect(output.pieces.join("")).toBe(formatTable(COLUMNS, rows(count), null));
});

test("a list of nothing says so", async () => {
  const output = new Output();
  await writeTable(output, inPieces<Row>([], 1), { columns: COLUMNS, width: null, none: "None." });
  expect(output.pieces).toEqual(["None.\n"]);
});

test("a column that proves too narrow is wider from there on, under one line of headings", async () => {
  const output = new Output();
  const long = { name: "a-name-that-nobody-expected" };
  const all = [...rows(1_000), long, { name: "n" }];
  await writeTable(output, inPieces(all, 500), { columns: COLUMNS, width: null, none: "None." });
  const lines = output.pieces.join("").trimEnd().split("\n");
  expect(lines).toHaveLength(1_003);
  expect(lines.filter((line) => line.startsWith("NAME"))).toHaveLength(1);
  expect(lines.slice(-2)).toEqual([
    "a-name-that-nobody-expected      27",
    "n                                 1",
  ]);
});

test.each([
  [
    "table",
    (output: Output, pieces: AsyncIterable<readonly Row[]>) =>
      writeTable(output, pieces, { columns: COLUMNS, width: null, none: "None." }),
  ],
  ["JSON", (output: Output, pieces: AsyncIterable<readonly Row[]>) => writeJsonList(output, "rows", pieces)],
])("a %s that nobody reads any more asks for no more of the list, and ends it", async (_name, write) => {
  let [asked, isEnded] = [0, false];
  async function* endless(): AsyncGenerator<readonly Row[]> {
    try {
      for (;;) {
        asked += 1;
        yield rows(1_000);
      }
    } finally {
      isEnded = true;
    }
  }
  await write(new Output(3), endless());
  expect([asked, isEnded]).toEqual([3, true]);
});
