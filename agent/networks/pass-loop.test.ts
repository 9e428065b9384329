import { FairleadError } from "../../lib/errors.ts";
import type { Event } from "../../lib/ipam/api.ts";
import { PassLoop, type Work } from "./pass-loop.ts";

const event = (name: string) => ({ networkName: name, kind: "network-created" }) as Event;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let revision: number;
let passes: Work[];
let failures: number;
let gate: Promise<void>;
let loop: PassLoop;

beforeEach(() => {
  [revision, passes, failures, gate] = [0, [], 0, Promise.resolve()];
  loop = new PassLoop({
    revision: () => revision,
    pass: async (work) => {
      passes.push(work);
      await gate;
      if (failures-- > 0) throw new FairleadError({ code: "unavailable", operation: "x", reason: "y" });
    },
    onFailure: () => {},
    intervalMs: 60_000,
    retryMs: 1,
  });
});
afterEach(() => loop.close());

test("what is requested during a pass is one pass afterwards, and applied only then", async () => {
  let open = (): void => {};
  gate = new Promise((resolve) => {
    open = resolve;
  });
  revision = 1;
  loop.request(event("a"));
  revision = 3;
  loop.request(event("b"));
  loop.request(event("c"));
  let isApplied = false;
  const applied = loop.applied(3).then(() => {
    isApplied = true;
  });
  await pause(5);
  expect([passes.length, isApplied]).toEqual([1, false]);
  open();
  await applied;
  expect(passes).toEqual([[event("a")], [event("b"), event("c")]]);
});

test("everything swallows single networks", async () => {
  gate = pause(5) as Promise<void>;
  loop.request(event("a"));
  loop.request(event("b"));
  loop.request("all");
  loop.request(event("c"));
  revision = 9;
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
  await pause(0);
  loop.note();
  await loop.applied(2);
  expect(passes).toEqual([[event("a")], [event("a")], [event("a")], [event("a")]]);
});

test("after a restart nothing counts as applied until a pass that began after it is over", async () => {
  revision = 9;
  loop.request("all");
  await loop.applied(9);
  await pause(0);
  gate = pause(10) as Promise<void>;
  loop.request(event("a"));
  revision = 2;
  loop.restart();
  await loop.applied(1);
  expect(passes).toEqual(["all", [event("a")], "all"]);
});

test("closing waits for the pass under way and starts none", async () => {
  let isOver = false;
  gate = pause(10).then(() => {
    isOver = true;
  });
  loop.request("all");
  await loop.close();
  loop.request("all");
  expect([isOver, passes.length]).toEqual([true, 1]);
});
