import { formatInstant, parseInstant } from "./time.ts";

const NOW = Date.parse("2026-01-31T12:00:00Z");
const local = (text: string): string => new Date(text).toISOString();

test.each([
  ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
  ["2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"],
  ["2026-01-31 12:00", local("2026-01-31T12:00:00")],
  ["2026-01-31", local("2026-01-31T00:00:00")],
  ["90s", "2026-01-31T11:58:30.000Z"],
  ["15m", "2026-01-31T11:45:00.000Z"],
  ["2h", "2026-01-31T10:00:00.000Z"],
  ["3d", "2026-01-28T12:00:00.000Z"],
  ["1w", "2026-01-24T12:00:00.000Z"],
])("%s is %s", (text, instant) => {
  expect(parseInstant(text, NOW)).toBe(instant);
});

test.each([
  "",
  "yesterday",
  "5",
  "5y",
  "-2h",
  "2026-13-01",
  "2026-02-31T25:00",
  "12:00",
  `${"9".repeat(20)}d`,
])("%j is refused", (text) => {
  expect(() => parseInstant(text, NOW)).toThrow("it is not an instant");
});

test("instants in tables are short", () => {
  expect([formatInstant("2026-01-31T12:00:00.123Z"), formatInstant(null)]).toEqual([
    "2026-01-31 12:00:00",
    "",
  ]);
});
