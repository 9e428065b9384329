/**
 * Tables without borders: a line of headings, a line per row, two spaces between columns.
 *
 * On a terminal a row is one line of it: what may be cut is cut, and columns that are missed least are left out. Where stdout is no
 * terminal everything is there.
 */
import { printable } from "./printable.ts";
import { cutItems, cutText, widthOf, wrapText } from "./width.ts";

export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /**
   * What may be done where the terminal is too narrow. "text": cut anywhere. "items": words, of which whole ones are left out, and
   * counted. "names": the same, and a first word that is too long is cut. "wrap" (the last column): goes on below. Absent: nothing;
   * addresses and names of states are never cut.
   */
  readonly cut?: "text" | "items" | "names" | "wrap";
  /** What may be cut has at least so many columns. Default: those of the heading, and 8. */
  readonly least?: number;
  /** Left out where the terminal is too narrow, the lowest number first; before them those that are empty in every row. */
  readonly drop?: number;
}

const GAP = 2;
/** Nothing is cut to less than this. */
const MIN_CUT_WIDTH = 8;
/** A column of sentences has at least this, or the table goes beyond the terminal. */
const MIN_WRAP_WIDTH = 24;
const EMPTY = "-";

/** A column with its cells, and how wide it must and would be. */
interface Laid<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  readonly wanted: number;
  readonly least: number;
}

/**
 * The table as text. `width` is that of the terminal; null: nothing is cut or left out. Text from outside cannot reach
 * the terminal as control sequences.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | null,
): string {
  return new TableWriter(columns, width).write(rows);
}

/**
 * A table that is written as its rows come: the first ones decide which columns there are. A column that proves too narrow later is wider
 * from there on; on a terminal another is then narrower, where it may be.
 */
export class TableWriter<Row> {
  readonly #columns: readonly Column<Row>[];
  readonly #width: number | null;
  #before: readonly Laid<Row>[] | null = null;

  constructor(columns: readonly Column<Row>[], width: number | null) {
    this.#columns = columns;
    this.#width = width;
  }

  /** The next rows as text; the headings come before the first. */
  write(rows: readonly Row[]): string {
    const shown = this.#layOut(rows);
    const widths = narrow(shown, this.#width);
    const lines =
      this.#before === null
        ? [shown.map(({ column }, at) => pad(column.heading, widths[at] ?? 0, column))]
        : [];
    for (let row = 0; row < rows.length; row += 1) lines.push(...linesOf(shown, widths, row));
    this.#before = shown.map((laid) => ({ ...laid, cells: [] }));
    return `${lines.map((line) => line.join(" ".repeat(GAP)).trimEnd()).join("\n")}\n`;
  }

  #layOut(rows: readonly Row[]): readonly Laid<Row>[] {
    if (this.#before !== null) return this.#before.map((laid) => widened(laid, layOut(laid.column, rows)));
    const all = this.#columns.map((column) => layOut(column, rows));
    return this.#width === null ? all : withoutDropped(all, this.#width);
  }
}

function widened<Row>(before: Laid<Row>, now: Laid<Row>): Laid<Row> {
  return { ...now, wanted: Math.max(before.wanted, now.wanted), least: Math.max(before.least, now.least) };
}

function layOut<Row>(column: Column<Row>, rows: readonly Row[]): Laid<Row> {
  const cells = rows.map((row) => printable(column.value(row)) || EMPTY);
  const heading = column.heading.length;
  const wanted = cells.reduce((widest, cell) => Math.max(widest, widthOf(cell)), heading);
  return { column, cells, wanted, least: Math.min(wanted, leastOf(column, cells)) };
}

function leastOf<Row>(
  { cut, heading, least = MIN_CUT_WIDTH }: Column<Row>,
  cells: readonly string[],
): number {
  if (cut === "text" || cut === "names") return Math.max(heading.length, least);
  if (cut === "wrap") return MIN_WRAP_WIDTH;
  if (cut === "items")
    return cells.reduce((most, cell) => Math.max(most, widthOf(cutItems(cell, 0))), heading.length);
  return Number.POSITIVE_INFINITY;
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP, -GAP);
}

function withoutDropped<Row>(all: readonly Laid<Row>[], width: number): readonly Laid<Row>[] {
  const order = all
    .filter(({ column }) => column.drop !== undefined)
    .sort((a, b) => Number(isEmpty(b)) - Number(isEmpty(a)) || (a.column.drop ?? 0) - (b.column.drop ?? 0));
  let shown = all;
  for (const least of order) {
    if (totalOf(shown.map((one) => one.least)) <= width) return shown;
    shown = shown.filter((one) => one !== least);
  }
  return shown;
}

function isEmpty<Row>({ cells }: Laid<Row>): boolean {
  return cells.every((cell) => cell === EMPTY);
}

/** Takes from the widest columns that may be cut until the table fits, or nothing more can be taken. */
function narrow<Row>(shown: readonly Laid<Row>[], width: number | null): number[] {
  const widths = shown.map(({ wanted }) => wanted);
  while (width !== null && totalOf(widths) > width) {
    const candidates = widths.map((wide, at) => (wide > (shown[at]?.least ?? 0) ? wide : 0));
    const widest = Math.max(...candidates);
    if (widest === 0) break;
    widths[candidates.indexOf(widest)] = widest - 1;
  }
  return widths;
}

/** A row's lines: more than one where a cell is wrapped. */
function linesOf<Row>(shown: readonly Laid<Row>[], widths: readonly number[], row: number): string[][] {
  const cells = shown.map(({ column, cells: own }, at) => fitCell(own[row] ?? "", widths[at] ?? 0, column));
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    shown.map(({ column }, at) => pad(cells[at]?.[line] ?? "", widths[at] ?? 0, column)),
  );
}

function fitCell<Row>(text: string, width: number, { cut }: Column<Row>): readonly string[] {
  if (cut === "wrap") return wrapText(text, width);
  if (cut === "items") return [cutItems(text, width)];
  if (cut === "names") return [cutText(cutItems(text, width), width)];
  return [cut === "text" ? cutText(text, width) : text];
}

function pad<Row>(text: string, width: number, { align = "left" }: Column<Row>): string {
  const blanks = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? blanks + text : text + blanks;
}
