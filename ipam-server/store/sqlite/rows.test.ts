import { integer, text } from "./rows.ts";

test("a value of its column's kind is what it is", () => {
  expect([integer(7), integer(0), text("web"), text("")]).toEqual([7, 0, "web", ""]);
});

test.each([null, undefined, "7", 7n, new Uint8Array(1)])("%p is no integer: the row is damaged", (value) => {
  expect(() => integer(value)).toThrow(`expected an integer, found ${typeof value}`);
});

test.each([null, undefined, 7, new Uint8Array(1)])("%p is no text: the row is damaged", (value) => {
  expect(() => text(value)).toThrow(`expected text, found ${typeof value}`);
});
