import { ListReader } from "./list-reader.ts";

const LINES = '{"leases":[\n{"a":1},\n{"a":"},\\n]"},\n{"a":3}\n]}';
const ITEMS = [{ a: 1 }, { a: "},\n]" }, { a: 3 }];

function readAll(chunks: readonly string[]): unknown[] {
  const reader = new ListReader("leases", "test");
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
}

test("wherever the text is divided, each item comes once", () => {
  for (let at = 0; at <= LINES.length; at += 1) {
    expect(readAll([LINES.slice(0, at), LINES.slice(at)])).toEqual(ITEMS);
  }
});

test("an item is there as soon as its line is", () => {
  const reader = new ListReader("leases", "test");
  expect(reader.push('{"leases":[\n{"a":1},\n{"a"')).toEqual([{ a: 1 }]);
});

test.each([
  ["a list that comes as a whole", '{"leases":[{"a":1},{"a":2}]}', [{ a: 1 }, { a: 2 }]],
  ["an empty one", '{"leases":[]}', []],
])("%s is read", (_name, text, items) => {
  expect(readAll([text.slice(0, 5), text.slice(5)])).toEqual(items);
});

test("a list without its end is refused, wherever it was cut", () => {
  for (let at = 1; at < LINES.length; at += 1) {
    expect(() => readAll([LINES.slice(0, at)])).toThrow();
  }
});
