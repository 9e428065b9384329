import fc from "fast-check";
import {
  decodeJson,
  describeJson,
  type Json,
  MAX_JSON_BYTES,
  MAX_JSON_DEPTH,
  requireObject,
} from "./json.ts";

const READING = { operation: "read thing", fault: "invalid-config" } as const;
const bytes = (text: string) => new TextEncoder().encode(text);

describe("decodeJson", () => {
  test("decodes what JSON.stringify encodes", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        expect(decodeJson(bytes(text), READING)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("keeps the last of equal keys", () => {
    expect(decodeJson(bytes(`{"a":1,"b":2,"a":3}`), READING)).toEqual({ a: 3, b: 2 });
  });

  test("makes a key of __proto__ and nothing else", () => {
    const value = decodeJson(bytes(`{"__proto__":{"isGateway":true}}`), READING) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test.each([
    ["", "it is empty"],
    ["{", "not JSON"],
    ["{}x", "not JSON"],
    ["{'a':1}", "not JSON"],
    [`{"a":1}}`, "not JSON"],
    ["}}}}", "not JSON"],
    [`"open`, "not JSON"],
    [`"\\`, "not JSON"],
    ["\u0000", "not JSON"],
  ])("calls %j broken", (text, words) => {
    const wrong = words === "not JSON" ? "it is empty" : "Unexpected";
    expect(() => decodeJson(bytes(text), READING)).not.toThrow(wrong);
    expect(() => decodeJson(bytes(text), READING)).toThrow(
      expect.objectContaining({ code: "decode-failure", message: expect.stringContaining(words) }),
    );
  });

  const arrays = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const objects = (depth: number) => `${'{"a":'.repeat(depth)}0${"}".repeat(depth)}`;
  const mixed = (depth: number) => `${'[{"a":'.repeat(depth / 2)}0${"}]".repeat(depth / 2)}`;
  // What is closed no longer counts: many in a row are as deep as one.
  const row = (depth: number) => `[${Array.from({ length: 10 }, () => objects(depth - 1)).join()}]`;
  const nestings = { arrays, objects, mixed, row };
  const kinds = Object.keys(nestings) as (keyof typeof nestings)[];

  test.each(kinds)(`takes ${MAX_JSON_DEPTH} levels: %s`, (kind) => {
    expect(() => decodeJson(bytes(nestings[kind](MAX_JSON_DEPTH)), READING)).not.toThrow();
  });

  test.each(kinds.flatMap((kind) => [MAX_JSON_DEPTH + 2, 20_000].map((depth) => [kind, depth] as const)))(
    "refuses %s of %d levels",
    (kind, depth) => {
      expect(() => decodeJson(bytes(nestings[kind](depth)), READING)).toThrow(
        expect.objectContaining({
          code: "invalid-config",
          message: expect.stringContaining(`${depth} levels`),
        }),
      );
    },
  );

  test("does not count brackets inside strings", () => {
    const text = JSON.stringify({ key: `${"[{".repeat(1000)}"\\`, list: ["\\", '"', "[".repeat(500)] });
    expect(decodeJson(bytes(text), READING)).toEqual(JSON.parse(text));
  });

  test("takes what is as large as may be", () => {
    expect(decodeJson(bytes("7".padEnd(MAX_JSON_BYTES)), READING)).toBe(7);
  });

  test("refuses what is too large before looking at it", () => {
    expect(() => decodeJson(new Uint8Array(MAX_JSON_BYTES + 1), READING)).toThrow(
      expect.objectContaining({ code: "invalid-config", message: expect.stringContaining("larger than") }),
    );
  });

  test("replaces invalid UTF-8, as Go does", () => {
    expect(decodeJson(Uint8Array.of(0x22, 0xff, 0x22), READING)).toBe("\ufffd");
  });
});

describe("requireObject", () => {
  test("takes null for an empty object", () => {
    expect(requireObject(null, READING)).toEqual({});
  });

  test.each([[[]], ["text"], [7], [true]] as Json[][])("refuses %j", (value) => {
    expect(() => requireObject(value ?? null, READING)).toThrow(
      expect.objectContaining({ code: "decode-failure" }),
    );
  });
});

test.each<[Json, string]>([
  [null, "null"],
  [[1, 2], "an array of 2"],
  [{ a: 1 }, "an object"],
  [true, "the boolean true"],
  [7, "the number 7"],
  ["x".repeat(78), `the string "${"x".repeat(78)}"`],
  ["x".repeat(79), `the string "${"x".repeat(79)}…`],
])("%j is described as %s", (value, expected) => {
  expect(describeJson(value)).toBe(expected);
});
