import fc from "fast-check";
import { FairleadError } from "../../errors.ts";
import {
  absentIfEmpty,
  instant,
  list,
  nullable,
  number,
  optional,
  optionalWords,
  record,
  required,
  text,
  words,
  wrapped,
} from "./codec.ts";

function codeOf(act: () => unknown): string {
  try {
    return `no error: ${JSON.stringify(act())}`;
  } catch (thrown) {
    return thrown instanceof FairleadError ? thrown.code : String(thrown);
  }
}

test("instants go both ways to the millisecond, from the year 1 to 9999", () => {
  const range = {
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  };
  fc.assert(
    fc.property(fc.date(range), (date) => {
      const value = date.toISOString();
      const { seconds, nanos } = instant.encode(value);
      expect(nanos).toBeGreaterThanOrEqual(0);
      expect(nanos).toBeLessThan(1_000_000_000);
      expect(instant.decode({ seconds, nanos })).toBe(value);
    }),
  );
});

test("instants in other zones and of other precision are read", () => {
  expect(instant.encode("2026-01-31T14:00:00+02:00")).toEqual({ seconds: 1_769_860_800, nanos: 0 });
  expect(instant.encode("1969-12-31T23:59:59.5Z")).toEqual({ seconds: -1, nanos: 500_000_000 });
  expect(instant.decode({ seconds: 0, nanos: 999_999_999 })).toBe("1970-01-01T00:00:00.999Z");
});

test.each(["", "yesterday", "2026-01-31", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00", "1769860800"])(
  "%j is no instant",
  (value) => {
    expect(codeOf(() => instant.encode(value))).toBe("invalid-config");
  },
);

test.each([
  { seconds: 1e15, nanos: 0 },
  { seconds: -1e15, nanos: 0 },
  { seconds: 0, nanos: -1 },
  { seconds: 0, nanos: 1e9 },
])("%j is no Timestamp", (message) => {
  expect(codeOf(() => instant.decode(message))).toBe("decode-failure");
});

test("words are known on both sides", () => {
  type Color = "COLOR_UNSPECIFIED" | "COLOR_DARK_RED" | "UNRECOGNIZED";
  const color = words<"dark-red", Color>("color", { "dark-red": "COLOR_DARK_RED" });
  expect(color.encode("dark-red")).toBe("COLOR_DARK_RED");
  expect(color.decode("COLOR_DARK_RED")).toBe("dark-red");
  expect(codeOf(() => color.decode("COLOR_UNSPECIFIED"))).toBe("decode-failure");
  expect(codeOf(() => color.decode("UNRECOGNIZED"))).toBe("decode-failure");
  expect(codeOf(() => color.encode("blue" as "dark-red"))).toBe("invalid-config");
  const filter = optionalWords(color, "COLOR_UNSPECIFIED");
  expect([filter.encode(undefined), filter.decode("COLOR_UNSPECIFIED")]).toEqual([
    "COLOR_UNSPECIFIED",
    undefined,
  ]);
  expect(codeOf(() => filter.decode("UNRECOGNIZED"))).toBe("decode-failure");
});

test("a record leaves out what is absent, and keeps null apart from it", () => {
  interface Value {
    readonly a: string;
    readonly b?: string;
    readonly c: number | null;
    readonly d?: readonly string[];
    readonly e: readonly (readonly string[])[];
  }
  interface Message {
    a: string;
    b?: string | undefined;
    c?: number | undefined;
    d: string[];
    e: { items: string[] }[];
  }
  const codec = record<Value, Message>({
    a: text,
    b: optional(text),
    c: nullable(number),
    d: absentIfEmpty(list(text), () => []),
    e: list(wrapped("items", list(text))),
  });
  const sparse = { a: "", c: null, e: [[], ["x"]] };
  expect(codec.encode(sparse)).toEqual({ a: "", d: [], e: [{ items: [] }, { items: ["x"] }] });
  expect(codec.decode(codec.encode(sparse))).toEqual(sparse);
  expect(Object.keys(codec.decode(codec.encode(sparse)))).toEqual(["a", "c", "e"]);
  const full = { a: "a", b: "", c: 0, d: ["x"], e: [] };
  expect(codec.decode(codec.encode(full))).toEqual(full);
});

test("a message that must be there is missed", () => {
  expect(codeOf(() => required("key", text).decode(undefined))).toBe("decode-failure");
});
