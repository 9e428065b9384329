/**
 * Columns as Docker lays them out: at least ten wide, three blanks between them, nothing behind the last one.
 *
 * Source: docker/cli v20.10, cli/command/formatter/formatter.go; Go's text/tabwriter.
 */
import { printable } from "./printable.ts";

const GAP = 3;
const NARROWEST = 10;

/** The marker of what was cut. */
const CUT = "…";

/** @param tabbed lines whose cells are separated by tabs. */
export function alignTabs(tabbed: readonly string[]): string[] {
  const rows = tabbed.map((line) => line.split("\t"));
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, at) => {
    const closed = rows.filter((row) => at < row.length - 1).map((row) => (row[at] ?? "").length + GAP);
    return Math.max(NARROWEST, ...closed);
  });
  return rows.map((row) =>
    row.map((cell, at) => (at < row.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell)).join(""),
  );
}

/** The same for cells; those of column `cutAt` are cut where the terminal is too narrow. */
export function alignCells(
  rows: readonly (readonly string[])[],
  { columns, cutAt }: { readonly columns: number | null; readonly cutAt: number },
): string[] {
  const cells = rows.map((row) => row.map(printable));
  const lines = alignTabs(cells.map((row) => row.join("\t")));
  const excess = columns === null ? 0 : Math.max(...lines.map((line) => line.length)) - columns;
  if (excess <= 0) return lines;
  const widest = Math.max(...cells.map((row) => row[cutAt]?.length ?? 0));
  const room = Math.max(NARROWEST - GAP, widest - excess);
  const cut = cells.map((row) =>
    row.map((cell, at) => (at === cutAt && cell.length > room ? cell.slice(0, room - 1) + CUT : cell)),
  );
  return alignTabs(cut.map((row) => row.join("\t")));
}
