import fc from "fast-check";
import { ManualClock } from "../../lib/clock.ts";
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

test("a source that is set forward is not believed: what passed counts, at most twice", () => {
  const [source, elapsed] = [new ManualClock(10_000), new ManualClock(0)];
  const clock = new SteadyClock(source, 0, elapsed);
  source.advance(7_200_000);
  expect(clock.now()).toBe(10_000);
  for (const each of [source, elapsed]) each.advance(30_000);
  expect(clock.now()).toBe(70_000);
});

test("a source that is set back: what passed counts, at least half", () => {
  const [source, elapsed] = [new ManualClock(7_210_000), new ManualClock(0)];
  const clock = new SteadyClock(source, 0, elapsed);
  source.advance(-7_200_000);
  for (const each of [source, elapsed]) each.advance(30_000);
  expect(clock.now()).toBe(7_225_000);
});

test("a source that drifts is followed, and so is a long pause", () => {
  const [source, elapsed] = [new ManualClock(10_000), new ManualClock(0)];
  const clock = new SteadyClock(source, 0, elapsed);
  source.advance(3_600_100);
  elapsed.advance(3_600_000);
  expect(clock.now()).toBe(3_610_100);
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
