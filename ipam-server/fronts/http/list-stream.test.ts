import { settleTurns } from "../../../test/support/turns.ts";
import { answerList, cut } from "./list-stream.ts";

/** Pieces of a list that tell when whoever reads them has let go. */
function piecesFrom(pieces: readonly (readonly unknown[])[], failsAt = Number.POSITIVE_INFINITY) {
  const state = { taken: 0, isOver: false };
  async function* iterate(): AsyncGenerator<readonly unknown[]> {
    try {
      for (const [at, piece] of pieces.entries()) {
        if (at === failsAt) throw new Error("the state is gone");
        state.taken += 1;
        yield piece;
      }
    } finally {
      state.isOver = true;
    }
  }
  return { pieces: iterate(), state };
}

async function streamOf(pieces: AsyncIterable<readonly unknown[]>) {
  const answer = await answerList("items", pieces);
  if ("whole" in answer) throw new Error("it came as a whole");
  return answer.stream;
}

test("a list of no piece, or of one, is answered as a whole", async () => {
  expect(await answerList("items", piecesFrom([]).pieces)).toEqual({ whole: { items: [] } });
  expect(await answerList("items", piecesFrom([[1, { a: 2 }]]).pieces)).toEqual({
    whole: { items: [1, { a: 2 }] },
  });
});

test("a longer one is the same JSON, an item a line, and lets go of what it was read from", async () => {
  for (const count of [2, 3, 7]) {
    const all = Array.from({ length: count }, (_, at) => [{ at }, `text ${at}`]);
    const { pieces, state } = piecesFrom(all);
    let text = "";
    for await (const chunk of await streamOf(pieces)) text += String(chunk);
    expect(JSON.parse(text)).toEqual({ items: all.flat() });
    expect(text.split("\n")).toHaveLength(2 * count + 2);
    expect(state).toEqual({ taken: count, isOver: true });
  }
});

test("what fails before the stream begins is thrown; what fails later breaks the stream off", async () => {
  await expect(answerList("items", piecesFrom([[1], [2]], 0).pieces)).rejects.toThrow("the state is gone");
  await expect(answerList("items", piecesFrom([[1], [2]], 1).pieces)).rejects.toThrow("the state is gone");
  const stream = await streamOf(piecesFrom([[1], [2], [3]], 2).pieces);
  let text = "";
  const reading = (async () => {
    for await (const chunk of stream) text += String(chunk);
  })();
  await expect(reading).rejects.toThrow("the state is gone");
  expect(() => JSON.parse(text)).toThrow();
});

test("a client that goes away lets go of what is read", async () => {
  const { pieces, state } = piecesFrom([[1], [2], [3], [4]]);
  const stream = await streamOf(pieces);
  for await (const _chunk of stream) break;
  await settleTurns();
  expect(state.isOver).toBe(true);
  expect(state.taken).toBeLessThan(4);
});

describe("by the clock", () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask"] });
  });
  afterEach(() => jest.useRealTimers());

  const large = Array.from({ length: 20 }, () => ["x".repeat(100_000)]);

  test("an answer that nobody takes is given up after half a minute", async () => {
    const { pieces, state } = piecesFrom(large);
    const stream = await streamOf(pieces);
    const failed = new Promise<Error>((resolve) => stream.once("error", resolve));
    stream.read(0);
    await settleTurns();
    await jest.advanceTimersByTimeAsync(29_999);
    expect(stream.destroyed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect((await failed).message).toBe("nobody took the answer for 30000 ms");
    expect(state.taken).toBeLessThan(large.length);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("one whose client has gone leaves no timer", async () => {
    const stream = await streamOf(piecesFrom(large).pieces);
    stream.read(0);
    await settleTurns();
    stream.destroy();
    await settleTurns();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("one that is taken, however slowly, is not", async () => {
    const stream = await streamOf(piecesFrom(large.slice(0, 5)).pieces);
    let bytes = 0;
    for await (const chunk of stream) {
      bytes += String(chunk).length;
      await jest.advanceTimersByTimeAsync(29_000);
    }
    expect(bytes).toBeGreaterThan(500_000);
    expect(jest.getTimerCount()).toBe(0);
  });
});

test("what comes at once goes on in pieces of 256, and smaller ones as they are", async () => {
  const items = Array.from({ length: 603 }, (_, at) => at);
  async function* given(): AsyncGenerator<readonly number[]> {
    yield items.slice(0, 3);
    yield items.slice(3);
  }
  const pieces: (readonly number[])[] = [];
  for await (const piece of cut(given())) pieces.push(piece);
  expect(pieces.map(({ length }) => length)).toEqual([3, 256, 256, 88]);
  expect(pieces.flat()).toEqual(items);
});
