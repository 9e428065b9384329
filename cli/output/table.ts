/** Tables without borders: a line of headings, a line per row, two spaces between columns. */
import Table from "cli-table3";
import { printable } from "./printable.ts";

export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /** May be cut when the terminal is too narrow. Addresses and names of states never are. */
  readonly cut?: boolean;
}

const GAP = 2;
/** A column is never cut to less than this. */
const MIN_CUT_WIDTH = 8;

/**
 * The table as text. `width` is that of the terminal; null: nothing is cut. Text from outside cannot reach
 * the terminal as control sequences.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | null,
): string {
  const cells = rows.map((row) => columns.map(({ value }) => printable(value(row)) || "-"));
  const widths = columns.map(({ heading }, at) =>
    Math.max(heading.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const table = new Table({
    head: columns.map(({ heading }) => heading),
    colWidths: narrow(columns, widths, width).map((columnWidth) => columnWidth + GAP),
    colAligns: columns.map(({ align = "left" }) => align),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": GAP },
    chars: NO_BORDERS,
  });
  table.push(...cells);
  const lines = table.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

/** Takes from the widest columns that may be cut until the table fits, or nothing more can be taken. */
function narrow<Row>(
  columns: readonly Column<Row>[],
  wanted: readonly number[],
  width: number | null,
): number[] {
  const widths = [...wanted];
  const total = (): number => widths.reduce((sum, columnWidth) => sum + columnWidth + GAP, -GAP);
  while (width !== null && total() > width) {
    const candidates = widths.map((columnWidth, at) => (columns[at]?.cut ? columnWidth : 0));
    const widest = Math.max(...candidates);
    if (widest <= MIN_CUT_WIDTH) break;
    widths[candidates.indexOf(widest)] = widest - 1;
  }
  return widths;
}

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};
