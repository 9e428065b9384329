/** Instants as people write and read them. */
import { FairleadError } from "../../lib/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Reads an instant: RFC 3339 (`2026-01-31T12:00:00Z`), a local date or time (`2026-01-31`,
 * `2026-01-31 12:00`), or how long ago (`90s`, `15m`, `2h`, `3d`, `1w`). Returns RFC 3339 in UTC.
 * @throws FairleadError invalid-config
 */
export function parseInstant(text: string, nowMs: number): string {
  const [, count, unit] = /^(\d+)([smhdw])$/.exec(text) ?? [];
  const ms = count && unit ? nowMs - Number(count) * (UNIT_MS[unit] ?? 0) : parseDate(text);
  if (!Number.isNaN(new Date(ms).getTime())) return new Date(ms).toISOString();
  throw new FairleadError({
    code: "invalid-config",
    operation: "read instant",
    object: JSON.stringify(text.slice(0, 80)),
    reason: "it is not an instant",
    hint: "write 2026-01-31T12:00:00Z, 2026-01-31 12:00 (local time), or 3d for three days ago",
  });
}

function parseDate(text: string): number {
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i.test(text)) return Number.NaN;
  // A date alone would be read as UTC, one with a time as local.
  return Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(" ", "T"));
}

/** `2026-01-31 12:00:00` in UTC, without what a table has no use for. Null: nothing. */
export function formatInstant(instant: string | null): string {
  return instant === null ? "" : instant.replace("T", " ").replace(/\.\d+Z$|Z$/, "");
}
