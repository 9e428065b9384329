import { printable } from "./printable.ts";
import { type Column, formatTable } from "./table.ts";

interface Row {
  readonly name: string;
  readonly id: string;
  readonly count: number;
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: "NAME", value: ({ name }) => name },
  { heading: "ID", value: ({ id }) => id, cut: "text" },
  { heading: "COUNT", value: ({ count }) => String(count), align: "right" },
];

const ROWS: readonly Row[] = [
  { name: "web", id: "0123456789abcdef0123456789abcdef", count: 5 },
  { name: "a-longer-name", id: "", count: 12345 },
];

test("columns are as wide as what is in them, nothing is cut where there is no terminal", () => {
  expect(formatTable(COLUMNS, ROWS, null)).toBe(
    [
      "NAME           ID                                COUNT",
      "web            0123456789abcdef0123456789abcdef      5",
      "a-longer-name  -                                 12345",
      "",
    ].join("\n"),
  );
});

test("in a terminal only what may be cut is cut, and it says so", () => {
  const lines = formatTable(COLUMNS, ROWS, 40).trimEnd().split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(lines[1]).toMatch(/^web {12}0123456789abcdef0… {6}5$/);
  expect(lines[2]).toContain("a-longer-name");
});

interface Facts {
  readonly address: string;
  readonly names: string;
  readonly node: string;
  readonly until: string;
  readonly message: string;
}

const FACT_COLUMNS: readonly Column<Facts>[] = [
  { heading: "ADDRESS", value: ({ address }) => address },
  { heading: "NAMES", value: ({ names }) => names, cut: "items" },
  { heading: "NODE", value: ({ node }) => node, drop: 1 },
  { heading: "UNTIL", value: ({ until }) => until, drop: 2 },
  { heading: "MESSAGE", value: ({ message }) => message, cut: "wrap" },
];

const FACTS: readonly Facts[] = [
  {
    address: "10.110.120.130",
    names: "web www alias",
    node: "n1",
    until: "",
    message: "a sentence that goes on",
  },
];

test("columns are left out before the row gets longer than the terminal: empty ones, then by rank", () => {
  const headings = (width: number | null) =>
    formatTable(FACT_COLUMNS, FACTS, width).split("\n")[0]?.split(/ +/);
  expect(headings(null)).toEqual(["ADDRESS", "NAMES", "NODE", "UNTIL", "MESSAGE"]);
  expect(headings(56)).toEqual(["ADDRESS", "NAMES", "NODE", "MESSAGE"]);
  expect(headings(50)).toEqual(["ADDRESS", "NAMES", "MESSAGE"]);
});

test("items are left out whole and counted, sentences go on below", () => {
  const rows = [{ ...FACTS[0], message: "this is a sentence that goes on below" } as Facts];
  expect(formatTable(FACT_COLUMNS, rows, 48)).toBe(
    [
      "ADDRESS         NAMES   MESSAGE",
      "10.110.120.130  web +2  this is a sentence that",
      "                        goes on below",
      "",
    ].join("\n"),
  );
});

test("characters that take two columns count as two, and those that take none as none", () => {
  const rows = [
    { name: "日本", id: "x", count: 1 },
    { name: "e\u0301", id: "y", count: 2 },
  ];
  expect(formatTable(COLUMNS, rows, null).split("\n").slice(1, 3)).toEqual([
    "日本  x       1",
    "e\u0301     y       2",
  ]);
});

test("a hundred thousand rows are no trouble", () => {
  const rows = Array.from({ length: 100_000 }, (_, count) => ({ name: "web", id: "x", count }));
  expect(formatTable(COLUMNS, rows, 80).split("\n")).toHaveLength(100_002);
});

test("a terminal that is far too narrow gets the table nevertheless", () => {
  const text = formatTable(COLUMNS, ROWS, 5);
  expect(text).toContain("a-longer-name");
  expect(text).toContain("12345");
});

test("nothing from outside reaches the terminal as a control sequence", () => {
  expect(printable("a\u001b[31mb\nc\u202ed")).toBe("a\\u001b[31mb\\u000ac\\u202ed");
  const text = formatTable(COLUMNS, [{ name: "x\u001b]0;t\u0007", id: "\r\n", count: 1 }], null);
  expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
});

test("no rows: the headings alone", () => {
  expect(formatTable(COLUMNS, [], null)).toBe("NAME  ID  COUNT\n");
});
