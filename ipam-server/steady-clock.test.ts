import fc from "fast-check";
import { ManualClock } from "../lib/clock.ts";
import { SteadyClock } from "./steady-clock.ts";

test("follows its source forward", () => {
  const source = new ManualClock(1000);
  const clock = new SteadyClock(source, 0);
  source.advance(500);
  expect(clock.now()).toBe(1500);
});

test("runs at half speed while its source is behind, then follows it again", () => {
  const source = new ManualClock(10_000);
  const clock = new SteadyClock(source, 0);
  source.advance(-4000);
  expect(clock.now()).toBe(10_000);
  source.advance(2000);
  expect(clock.now()).toBe(11_000);
  source.advance(6000);
  expect(clock.now()).toBe(14_000);
  source.advance(1000);
  expect(clock.now()).toBe(15_000);
});

test("begins no earlier than what was shown before", () => {
  expect(new SteadyClock(new ManualClock(1000), 5000).now()).toBe(5000);
});

test("never goes back, and in small steps gains no more than its source", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1000, max: 50 })), (steps) => {
      const source = new ManualClock(1_000_000);
      const clock = new SteadyClock(source, 0);
      let last = clock.now();
      let highest = source.now();
      for (const step of steps) {
        source.advance(step);
        const now = clock.now();
        expect(now).toBeGreaterThanOrEqual(last);
        // Behind what was shown: at most what the source gained. Otherwise it is the source's own time.
        if (source.now() < highest) expect(now - last).toBeLessThanOrEqual(Math.max(0, step));
        highest = Math.max(highest, now);
        last = now;
      }
    }),
  );
});
