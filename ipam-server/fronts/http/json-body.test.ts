import fc from "fast-check";
import { exceedsDepth } from "./json-body.ts";

/** Depth of a parsed value, by walking it. */
function depthOf(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("the depth of a text is that of its value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      const depth = depthOf(value);
      expect([exceedsDepth(text, depth), exceedsDepth(text, depth - 1)]).toEqual([false, depth > 0]);
    }),
  );
});

test.each([
  ['"[[[["', 0, false],
  ['"\\"[[[["', 0, false],
  ['"\\\\"[', 0, true],
  ["[][][]", 1, false],
  ["[".repeat(1_000_000), 32, true],
])("%.20s within %i", (text, limit, exceeds) => {
  expect(exceedsDepth(text, limit)).toBe(exceeds);
});
