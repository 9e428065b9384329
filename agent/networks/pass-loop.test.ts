import { FairleadError } from "../../lib/errors.ts";
import type { Event } from "../../lib/ipam/api.ts";
import { settleTurns } from "../../test/support/turns.ts";
import { PassLoop, type Work } from "./pass-loop.ts";

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
