import fc from "fast-check";
import { decodeJson, type Json, MAX_JSON_BYTES, MAX_JSON_DEPTH, requireObject } from "./json.ts";

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
    expect(() => decodeJson(bytes(text), READING)).toThrow(
      expect.objectContaining({ code: "decode-failure", message: expect.stringContaining(words) }),
    );
  });

  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

  test(`takes ${MAX_JSON_DEPTH} levels`, () => {
    expect(() => decodeJson(bytes(nested(MAX_JSON_DEPTH)), READING)).not.toThrow();
  });

  test.each([MAX_JSON_DEPTH + 1, 10_000, 1_000_000])("refuses %d levels", (depth) => {
    expect(() => decodeJson(bytes(nested(depth)), READING)).toThrow(
      expect.objectContaining({
        code: "invalid-config",
        message: expect.stringContaining(`${depth} levels`),
      }),
    );
  });

  test("does not count brackets inside strings", () => {
    const text = JSON.stringify({ key: `${"[{".repeat(1000)}"\\`, list: ["\\", '"', "[".repeat(500)] });
    expect(decodeJson(bytes(text), READING)).toEqual(JSON.parse(text));
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
