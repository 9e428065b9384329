import { printable } from "./printable.ts";
import { type Column, formatTable } from "./table.ts";

interface Row {
  readonly name: string;
  readonly id: string;
  readonly count: number;
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: "NAME", value: ({ name }) => name },
  { heading: "ID", value: ({ id }) => id, cut: true },
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
