import { type FairLimits, FairQueue } from "./fair-queue.ts";

const LIMITS: FairLimits = {
  atOnce: 2,
  perAsker: 3,
  perAskerBytes: 1_000,
  totalBytes: 10_000,
  sliceMs: 1,
};

let done: string[];
let turns: (() => void)[];
let queue: FairQueue;
let nowMs: number;

beforeEach(() => {
  done = [];
  turns = [];
  nowMs = 0;
  queue = made(LIMITS);
});

const made = (limits: FairLimits): FairQueue =>
  new FairQueue({ limits, now: () => nowMs, nextTurn: (action) => turns.push(action) });

function submit(networkName: string, asker: string, { label = asker, sizeBytes = 10 } = {}): boolean {
  const run = (): void => {
    done.push(label);
    nowMs += 0.1;
  };
  return queue.submit({ networkName, asker }, { sizeBytes, run });
}

function nextTurn(): void {
  for (const action of turns.splice(0)) action();
}

test("the first few of each network are done at once, in each turn", () => {
  for (const network of ["a", "b"])
    for (let index = 0; index < 3; index++) submit(network, "x", { label: network });
  expect(done).toEqual(["a", "a", "b", "b"]);
  nextTurn();
  expect(done).toEqual(["a", "a", "b", "b", "a", "b"]);
  submit("a", "x", { label: "again" });
  expect(done.at(-1)).toBe("again");
});

test("what was done at once in one turn says nothing of the next, though nobody had to wait", () => {
  for (let turn = 0; turn < 3; turn++) {
    for (let index = 0; index < 2; index++) submit("a", "x", { label: `${turn}` });
    expect(done.slice(-2)).toEqual([`${turn}`, `${turn}`]);
    nextTurn();
  }
});

test("then networks take turns, and the askers of each", () => {
  for (const network of ["a", "b"]) for (let index = 0; index < 2; index++) submit(network, "first");
  done = [];
  for (let index = 0; index < 3; index++) submit("a", "loud", { label: `a/loud${index}` });
  submit("a", "quiet", { label: "a/quiet" });
  submit("b", "other", { label: "b/other" });
  nextTurn();
  expect(done).toEqual(["a/loud0", "b/other", "a/quiet", "a/loud1", "a/loud2"]);
});

test("nobody overtakes himself", () => {
  for (let index = 0; index < 4; index++) submit("a", "x", { label: `${index}` });
  nowMs = 0;
  turns.splice(0, 1)[0]?.();
  submit("a", "x", { label: "4" });
  while (turns.length > 0) nextTurn();
  expect(done).toEqual(["0", "1", "2", "3", "4"]);
});

test("a slice of time at a time; the rest in later turns", () => {
  queue = made({ ...LIMITS, perAsker: 100 });
  for (let index = 0; index < 32; index++) submit("a", "x");
  expect(done).toHaveLength(2);
  const counts: number[] = [];
  for (; turns.length > 0; counts.push(done.length)) nextTurn();
  expect(counts.length).toBeGreaterThan(2);
  expect(Math.max(...counts.map((count, at) => count - (counts[at - 1] ?? 2)))).toBeLessThanOrEqual(11);
  expect(done).toHaveLength(32);
});

test("a slice is over when all its time is, not later", () => {
  queue = made({ ...LIMITS, atOnce: 0, perAsker: 5, sliceMs: 0.2 });
  for (let index = 0; index < 5; index++) submit("a", "x");
  const counts: number[] = [];
  for (; turns.length > 0; counts.push(done.length)) {
    nowMs = 0;
    nextTurn();
  }
  expect(counts).toEqual([2, 4, 5]);
});

test("a full line takes no more, whatever others have", () => {
  for (let index = 0; index < 2; index++) submit("a", "first");
  expect([1, 2, 3, 4].map(() => submit("a", "loud"))).toEqual([true, true, true, false]);
  expect(submit("a", "quiet")).toBe(true);
  nextTurn();
  expect(submit("a", "loud")).toBe(true);
});

test("bytes are bounded, for one and for all", () => {
  queue = made({ ...LIMITS, atOnce: 0, totalBytes: 1_500 });
  expect([900, 101, 100].map((size) => submit("a", "x", { sizeBytes: size }))).toEqual([true, false, true]);
  expect([501, 500].map((size) => submit("b", "y", { sizeBytes: size }))).toEqual([false, true]);
  nextTurn();
  expect(done).toEqual(["x", "y", "x"]);
  expect(submit("b", "y", { sizeBytes: 1_000 })).toBe(true);
});

test("what was done of a line makes room in it for as many bytes", () => {
  queue = made({ ...LIMITS, atOnce: 0, sliceMs: 0 });
  expect([900, 100, 1].map((size) => submit("a", "x", { sizeBytes: size }))).toEqual([true, true, false]);
  nextTurn();
  expect(done).toHaveLength(1);
  expect([901, 900].map((size) => submit("a", "x", { sizeBytes: size }))).toEqual([false, true]);
});

test("by the clock and the event loop of the machine, everything is done", async () => {
  const real = new FairQueue({ limits: { ...LIMITS, perAsker: 1_000, perAskerBytes: 100_000, sliceMs: 0 } });
  let count = 0;
  const all = Promise.withResolvers<void>();
  const run = (): void => void (++count === 500 && all.resolve());
  for (let index = 0; index < 500; index++)
    real.submit({ networkName: "a", asker: "x" }, { sizeBytes: 1, run });
  // It does not keep the event loop from others until all is done.
  await new Promise((resolve) => setImmediate(resolve));
  expect(count).toBeLessThan(500);
  await all.promise;
  expect(count).toBe(500);
});
