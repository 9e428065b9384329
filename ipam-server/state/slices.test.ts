import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { Breather, inSlices } from "./slices.ts";

jest.mock("node:timers/promises", () => ({
  setTimeout: jest.fn(() => Promise.resolve()),
  setImmediate: jest.fn(() => Promise.resolve()),
}));

/** Numbers below `count`; every step takes its time of a clock that the test moves. */
function* slowNumbers(count: number, tick: () => void): Generator<number | undefined> {
  for (let at = 0; at < count; at += 1) {
    tick();
    yield at % 2 === 0 ? at : undefined;
  }
}

function clock(stepMs: number): () => void {
  let now = 0;
  jest.spyOn(performance, "now").mockImplementation(() => now);
  return () => {
    now += stepMs;
  };
}

afterEach(() => {
  jest.restoreAllMocks();
  jest.clearAllMocks();
});

test("a slice ends by the clock, and every step comes once, in order", async () => {
  const pieces: (readonly number[])[] = [];
  for await (const piece of inSlices(slowNumbers(20, clock(0.05)), { groups: 0 })) pieces.push(piece);
  expect(pieces.length).toBeGreaterThan(2);
  expect(pieces.flat()).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
});

test("steps that cost nothing make one slice", async () => {
  const pieces: (readonly number[])[] = [];
  for await (const piece of inSlices(slowNumbers(2_000, clock(0)), { groups: 0 })) pieces.push(piece);
  expect(pieces).toHaveLength(1);
  expect(pieces.flat()).toHaveLength(1_000);
});

test("a search that finds nothing pauses as well, and yields no empty piece", async () => {
  function* nothing(tick: () => void): Generator<undefined> {
    for (let at = 0; at < 400; at += 1) {
      tick();
      yield undefined;
    }
  }
  for await (const piece of inSlices(nothing(clock(1)), { groups: 0 }))
    throw new Error(`a piece of ${piece.length}`);
  expect(jest.mocked(nextTurn).mock.calls.length).toBeGreaterThan(50);
});

test("a reader rests when a change was begun since the last time, and else only lets others have their turn", async () => {
  const demand = { groups: 3 };
  const breather = new Breather(demand);
  await breather.breathe();
  expect([jest.mocked(nextTurn).mock.calls.length, jest.mocked(pause).mock.calls]).toEqual([1, []]);
  demand.groups += 1;
  await breather.breathe();
  expect([jest.mocked(nextTurn).mock.calls.length, jest.mocked(pause).mock.calls]).toEqual([1, [[1]]]);
  await breather.breathe();
  expect([jest.mocked(nextTurn).mock.calls.length, jest.mocked(pause).mock.calls]).toEqual([2, [[1]]]);
});

test("changes that come in every slice make the reader rest in every pause", async () => {
  const demand = { groups: 0 };
  function* wanted(tick: () => void): Generator<number> {
    for (let at = 0; at < 40; at += 1) {
      tick();
      demand.groups += 1;
      yield at;
    }
  }
  for await (const _ of inSlices(wanted(clock(1)), demand));
  expect(jest.mocked(nextTurn)).not.toHaveBeenCalled();
  expect(jest.mocked(pause).mock.calls.length).toBeGreaterThanOrEqual(9);
});
