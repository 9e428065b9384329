import { readFileSync } from "node:fs";
import { BootClock } from "./boot-clock.ts";

test("counts suspensions, in which the monotonic clock stands still, and never goes back", () => {
  let [uptime, monotonic] = ["1000.00 5.00\n", 200_000];
  const clock = new BootClock(
    () => uptime,
    () => monotonic,
  );
  expect(clock.now()).toBe(1_000_000);
  monotonic += 999;
  expect(clock.now()).toBe(1_000_999);
  // The kernel's text is up to ten milliseconds behind.
  [uptime, monotonic] = ["1001.99 5.00\n", 202_000];
  expect(clock.now()).toBe(1_002_000);
  [uptime, monotonic] = ["8202.99 5.00\n", 203_000];
  expect(clock.now()).toBe(8_202_990);
  [uptime, monotonic] = ["nonsense", 204_000];
  expect(clock.now()).toBe(8_203_990);
});

test("by the kernel's own file it does not run backwards", () => {
  const uptimeMs = Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1_000;
  const clock = new BootClock();
  const first = clock.now();
  expect(first).toBeGreaterThanOrEqual(uptimeMs);
  expect(first).toBeLessThan(uptimeMs + 60_000);
  expect(clock.now()).toBeGreaterThanOrEqual(first);
});
