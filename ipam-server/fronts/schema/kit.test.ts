import { boolean, object, optional, pickFields, string } from "./kit.ts";

const text = string("A text", { maxLength: 9 });
const schema = object<{ a: string; b: string; c?: boolean }>("Something", {
  a: text,
  b: text,
  c: optional(boolean("A choice")),
});

test("some fields of an object are an object that refuses all others, and demands what the whole did of them", () => {
  expect(pickFields(schema, (field) => field !== "b")).toEqual({
    ...{ type: "object", description: "Something", additionalProperties: false, required: ["a"] },
    properties: { a: text, c: boolean("A choice") },
  });
});

test("where none of them was demanded, nothing is said of it", () => {
  expect(Object.keys(pickFields(schema, (field) => field === "c") ?? {})).toEqual([
    ...["type", "description", "additionalProperties", "properties"],
  ]);
});

test("all fields are the schema itself, so that it can be referred to; none are no schema", () => {
  expect(pickFields(schema, () => true)).toBe(schema);
  expect(pickFields(schema, () => false)).toBeNull();
});
