import { FrameReader, frameMessage } from "./frames.ts";

const message = (length: number, fill = 7) => new Uint8Array(length).fill(fill);
const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

test("messages come out whole, however the stream is cut", () => {
  const sent = [message(3, 1), message(0), message(300, 2), message(1, 3)];
  const stream = joined(...sent.map(frameMessage));
  for (const step of [1, 2, 3, 7, 100, stream.length]) {
    const reader = new FrameReader();
    const got: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += step) got.push(...reader.push(stream.subarray(at, at + step)));
    expect(got).toEqual(sent);
    expect(reader.isPartial).toBe(false);
  }
});

test("it says whether a message is under way", () => {
  const reader = new FrameReader();
  expect(reader.isPartial).toBe(false);
  expect(reader.push(Uint8Array.of(0))).toEqual([]);
  expect(reader.isPartial).toBe(true);
  expect(reader.push(Uint8Array.of(1, 9, 0))).toEqual([Uint8Array.of(9)]);
  expect(reader.isPartial).toBe(true);
});

test("the longest message, byte by byte, is no quadratic work", () => {
  const reader = new FrameReader();
  const stream = frameMessage(message(65_535));
  const copying = jest.spyOn(Uint8Array.prototype, "set");
  let [got, copied] = [0, 0];
  for (let at = 0; at < stream.length; at++) {
    got += reader.push(stream.subarray(at, at + 1)).length;
    for (const [source] of copying.mock.calls) copied += source.length;
    copying.mockClear();
  }
  copying.mockRestore();
  expect(got).toBe(1);
  expect(copied).toBeGreaterThanOrEqual(stream.length);
  expect(copied).toBeLessThan(2 * stream.length);
});

test("what no length can say is refused", () => {
  expect(() => frameMessage(message(65_536))).toThrow(expect.objectContaining({ code: "unsupported-field" }));
});
