import { FairleadError } from "../../lib/errors.ts";
import type { Event } from "../../lib/ipam/api.ts";
import { settleTurns } from "../../test/support/turns.ts";
import { PassLoop, type Work } from "./pass-loop.ts";
import { WorkQueue } from "./work-queue.ts";

const event = (name: string) => ({ networkName: name, kind: "network-created" }) as Event;

let revision: number;
let passes: Work[];
let failures: number;
let gate: Promise<void>;
/** Tells of the next pass that fails. */
let failed: PromiseWithResolvers<void>;
let loop: PassLoop;

/** Holds up passes until the function that is returned is called. */
function holdUp(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  return resolve;
}

beforeEach(() => {
  failed = Promise.withResolvers();
  [revision, passes, failures, gate] = [0, [], 0, Promise.resolve()];
  loop = new PassLoop({
    revision: () => revision,
    pass: async (work) => {
      passes.push(work);
      await gate;
      if (failures-- > 0) throw new FairleadError({ code: "unavailable", operation: "x", reason: "y" });
    },
    onFailure: () => failed.resolve(),
    intervalMs: 60_000,
    retryMs: 1,
  });
});
afterEach(() => loop.close());

test("what is requested during a pass is one pass afterwards, and applied only then", async () => {
  const open = holdUp();
  revision = 1;
  loop.request(event("a"));
  revision = 3;
  loop.request(event("b"));
  loop.request(event("c"));
  let isApplied = false;
  const applied = loop.applied(3).then(() => {
    isApplied = true;
  });
  await settleTurns();
  expect([passes.length, isApplied]).toEqual([1, false]);
  open();
  await applied;
  expect(passes).toEqual([[event("a")], [event("b"), event("c")]]);
});

test("closing while a failed pass waits for its next attempt leaves no timer behind", async () => {
  jest.useFakeTimers();
  failures = 1;
  loop.request(event("a"));
  await failed.promise;
  await loop.close();
  await jest.advanceTimersByTimeAsync(10);
  expect([passes.length, jest.getTimerCount()]).toEqual([1, 0]);
  jest.useRealTimers();
});

test("everything swallows single networks", async () => {
  const open = holdUp();
  loop.request(event("a"));
  loop.request(event("b"));
  loop.request("all");
  loop.request(event("c"));
  revision = 9;
  open();
  await loop.applied(9);
  expect(passes).toEqual([[event("a")], "all"]);
});

test("an event that asks for nothing counts as applied when nothing is to be done", async () => {
  revision = 5;
  loop.note();
  await loop.applied(5);
  expect(passes).toEqual([]);
});

test("a pass that fails is tried again with all its work, and counts only then", async () => {
  failures = 3;
  revision = 2;
  loop.request(event("a"));
  await failed.promise;
  loop.note();
  await loop.applied(2);
  expect(passes).toEqual([[event("a")], [event("a")], [event("a")], [event("a")]]);
});

test("after a restart nothing counts as applied until a pass that began after it is over", async () => {
  revision = 9;
  loop.request("all");
  await loop.applied(9);
  await settleTurns();
  const open = holdUp();
  loop.request(event("a"));
  revision = 2;
  loop.restart();
  open();
  await loop.applied(1);
  expect(passes).toEqual(["all", [event("a")], "all"]);
});

test("what failed alone is asked for again by itself, when its own time has come", async () => {
  const again = Promise.withResolvers<void>();
  const retries: WorkQueue = new WorkQueue({
    limits: { firstMs: 1, mostMs: 4 },
    work: (networkName) => {
      loop.request({ kind: "retry", networkId: "", networkName });
      again.resolve();
      return "handed-on";
    },
  });
  retries.failed("a", { thrown: new Error("x"), wish: undefined });
  await again.promise;
  await settleTurns();
  expect(passes).toEqual([[{ kind: "retry", networkId: "", networkName: "a" }]]);
  await retries.close();
});

test("closing waits for the pass under way and starts none", async () => {
  const open = holdUp();
  loop.request("all");
  let isClosed = false;
  const closing = loop.close().then(() => {
    isClosed = true;
  });
  await settleTurns();
  expect(isClosed).toBe(false);
  open();
  await closing;
  loop.request("all");
  expect(passes).toHaveLength(1);
});

describe("by the clock", () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask"] });
  });
  afterEach(() => jest.useRealTimers());

  /** A loop whose passes of these numbers fail, and the instants of its passes, in ms from now. */
  function openFailing(...failing: number[]): { timed: PassLoop; at: number[]; told: string[] } {
    const [at, told]: [number[], string[]] = [[], []];
    const begun = Date.now();
    const timed = new PassLoop({
      revision: () => 1,
      pass: async () => {
        at.push(Date.now() - begun);
        if (failing.includes(at.length)) throw new Error("no device");
      },
      onFailure: ({ message }) => told.push(message),
      intervalMs: 10_000,
      retryMs: 200,
    });
    return { timed, at, told };
  }

  test("everything is looked at anew every interval, until it is closed", async () => {
    const { timed, at } = openFailing();
    await jest.advanceTimersByTimeAsync(25_000);
    expect(at).toEqual([10_000, 20_000]);
    await timed.close();
    // Nothing holds up the process's end.
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(25_000);
    expect(at).toHaveLength(2);
  });

  test("each pause after a failure is twice the one before, and the first again after a success", async () => {
    const { timed, at, told } = openFailing(1, 2, 4);
    timed.request(event("a"));
    await jest.advanceTimersByTimeAsync(1_000);
    expect(at).toEqual([0, 200, 600]);
    timed.request(event("a"));
    await jest.advanceTimersByTimeAsync(1_000);
    expect(at).toEqual([0, 200, 600, 1_000, 1_200]);
    expect(told).toEqual(Array(3).fill("apply networks: no device"));
    await timed.close();
  });
});
