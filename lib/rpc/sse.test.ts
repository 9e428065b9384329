import fc from "fast-check";
import { createSseParser } from "./sse.ts";

function parse(pieces: readonly string[]): string[] {
  const messages: string[] = [];
  const take = createSseParser((data) => messages.push(data));
  for (const piece of pieces) take(piece);
  return messages;
}

test("comments and other fields are skipped, several data lines are one message", () => {
  const text =
    ": hello\n\nid: 5\nevent: x\ndata: one\n\ndata: two\ndata:three\n\n: beat\n\nid: 6\n\ndata: cut off";
  expect(parse([text])).toEqual(["one", "two\nthree"]);
});

test("carriage returns do not matter", () => {
  expect(parse(["data: a\r\n\r\ndata: b\r", "\n\r\n"])).toEqual(["a", "b"]);
});

test("it does not matter where the pieces begin and end", () => {
  const text = 'id: 1\ndata: {"a":"é"}\n\n: x\n\ndata: second\n\n';
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), text.length];
      const pieces = places.slice(1).map((end, at) => text.slice(places[at], end));
      expect(parse(pieces)).toEqual(['{"a":"é"}', "second"]);
    }),
  );
});

test("a message without end is not kept for ever", () => {
  const take = createSseParser(() => {});
  expect(() => {
    for (let at = 0; at < 20; at++) take("x".repeat(100_000));
  }).toThrow("does not end");
});
