import { getEventListeners } from "node:events";
import { Pauses, pauseFor } from "./pauses.ts";

test("pauses double up to a limit, and begin anew after a success", () => {
  const pauses = new Pauses({ firstMs: 100, mostMs: 500 });
  expect([pauses.next(), pauses.next(), pauses.next(), pauses.next(), pauses.next()]).toEqual([
    100, 200, 400, 500, 500,
  ]);
  pauses.reset();
  expect(pauses.next()).toBe(100);
});

test("a pause ends with its signal, and leaves no listener behind", async () => {
  const stop = new AbortController();
  await pauseFor(1, stop.signal);
  expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  const waiting = pauseFor(3_600_000, stop.signal);
  stop.abort();
  await waiting;
  await pauseFor(3_600_000, stop.signal);
});
