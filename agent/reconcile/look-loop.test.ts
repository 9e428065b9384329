/** When is looked, as stories on a clock that only the story moves. */
import { LookLoop } from "./look-loop.ts";

let looks: string[];
let changed: boolean;
/** How long the looks that follow last, and what each says: whether another should follow soon. */
let lastsMs: number;
let answers: (boolean | Error)[];
/** Why it cannot be told whether anything has changed. */
let blindness: Error | null;
let loop: LookLoop;

beforeEach(() => {
  jest.useFakeTimers();
  [looks, changed, lastsMs, answers, blindness] = [[], false, 0, [], null];
  const startedAt = performance.now();
  loop = new LookLoop({
    hasChanged: () => {
      if (blindness !== null) throw blindness;
      const was = changed;
      changed = false;
      return was;
    },
    look: async () => {
      looks.push(`look at ${performance.now() - startedAt}`);
      if (lastsMs > 0) await new Promise((resolve) => setTimeout(resolve, lastsMs));
      const answer = answers.shift() ?? false;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onFailure: (thrown) => void looks.push((thrown as Error).message),
  });
});
afterEach(async () => {
  await loop.close();
  jest.useRealTimers();
});

/** What happens in so many milliseconds. */
async function within(ms: number): Promise<string[]> {
  await jest.advanceTimersByTimeAsync(ms);
  return looks.splice(0);
}

test("looks with the first tick, then as soon as something has changed, and ten seconds after the last look", async () => {
  expect(await within(1_000)).toEqual(["look at 250"]);
  changed = true;
  expect(await within(500)).toEqual(["look at 1250"]);
  expect(await within(9_749)).toEqual([]);
  expect(await within(1)).toEqual(["look at 11250"]);
});

test("looks again with the next tick when more follows soon", async () => {
  answers = [true, true, false];
  expect(await within(2_000)).toEqual(["look at 250", "look at 500", "look at 750"]);
});

test("looking takes a twentieth of the time, whatever changes, and a long look makes nobody blind for long", async () => {
  lastsMs = 50;
  expect(await within(350)).toEqual(["look at 250"]);
  // It rests for 950 ms after its 50.
  changed = true;
  expect(await within(1_150)).toEqual(["look at 1250"]);
  await within(100);
  lastsMs = 1_000;
  changed = true;
  // Nineteen times as long would be nineteen seconds.
  expect(await within(2_100)).toEqual(["look at 2250"]);
  changed = true;
  expect(await within(1_549)).toEqual([]);
  expect(await within(1)).toEqual(["look at 5250"]);
  await within(1_000);
});

test("what changes while it looks or rests is seen with the first tick after that", async () => {
  lastsMs = 60;
  await within(300);
  changed = true;
  // It rests until 1450.
  expect(await within(1_199)).toEqual([]);
  expect(await within(1)).toEqual(["look at 1500"]);
  await within(100);
});

test("the next round begins ten seconds after the last one began, however long that was", async () => {
  lastsMs = 50;
  expect(await within(10_249)).toEqual(["look at 250"]);
  expect(await within(1)).toEqual(["look at 10250"]);
  await within(100);
});

test("who wants to know now waits for two looks at most, though more follows soon each time", async () => {
  answers = [true, true, true];
  const knownAfter = loop.now().then(() => looks.length);
  await within(0);
  expect(await Promise.race([knownAfter, "waiting"])).toBe(2);
});

test("a wish waits until it has rested; who wants to know now does not wait, and sees what follows soon", async () => {
  lastsMs = 50;
  expect(await within(350)).toEqual(["look at 250"]);
  loop.request();
  expect(await within(899)).toEqual([]);
  expect(await within(1)).toEqual(["look at 1250"]);
  answers = [false, true, false];
  await within(100);
  let isKnown = false;
  void loop.now().then(() => {
    isKnown = true;
  });
  expect(await within(99)).toEqual(["look at 1350", "look at 1400"].slice(0, 2));
  expect(isKnown).toBe(false);
  await within(1);
  expect(isKnown).toBe(true);
});

test("a look that fails is told, and followed as any other", async () => {
  answers = [new Error("no kernel")];
  expect(await within(300)).toEqual(["look at 250", "no kernel"]);
  changed = true;
  expect(await within(200)).toEqual(["look at 500"]);
});

test("a look that fails is no reason to look again with the next tick", async () => {
  answers = [new Error("no kernel")];
  expect(await within(10_000)).toEqual(["look at 250", "no kernel"]);
});

test("that it cannot be told whether anything has changed is told, and is no change", async () => {
  await within(250);
  blindness = new Error("no answer");
  expect(await within(500)).toEqual(["no answer", "no answer"]);
});

test("who wants to know now waits for one look where nothing more follows", async () => {
  const knownAfter = loop.now().then(() => looks.length);
  await within(0);
  expect(await knownAfter).toBe(1);
});

test("closing waits for the look that is under way, and leaves no timer", async () => {
  lastsMs = 70;
  await within(300);
  let isClosed = false;
  const closing = loop.close().then(() => {
    isClosed = true;
  });
  await within(19);
  expect(isClosed).toBe(false);
  await within(1);
  await closing;
  expect(jest.getTimerCount()).toBe(0);
});
