import { linesOf } from "./lines.ts";

const lines = (text: string) =>
  [...linesOf(new TextEncoder().encode(text))].map((line) => new TextDecoder().decode(line));

test.each([
  ["", []],
  ["one\n", ["one"]],
  ["one\n\ntwo\n", ["one", "", "two"]],
  ["one\nhalf a line", ["one"]],
])("the whole lines of %j are %j", (text, expected) => {
  expect(lines(text)).toEqual(expected);
});
