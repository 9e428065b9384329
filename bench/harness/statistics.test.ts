import fc from "fast-check";
import { quantile, ratioOfMedians, seededRandom, shuffled, summarize } from "./statistics.ts";

const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });
const oneTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe("quantile", () => {
  test("is the nearest rank", () => {
    expect(quantile(oneTo(100), 0.5)).toBe(50);
    expect(quantile(oneTo(100), 0.99)).toBe(99);
    expect(quantile(oneTo(100), 1)).toBe(100);
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([3, 1, 2], 0.99)).toBe(3);
    expect(quantile([7], 0.01)).toBe(7);
  });

  test("sorts by value, not by text", () => {
    expect(quantile([10, 9, 100], 1)).toBe(100);
  });

  test("leaves its input alone", () => {
    const input = [3, 1, 2];
    quantile(input, 0.5);
    expect(input).toEqual([3, 1, 2]);
  });

  test("refuses no samples and a share outside (0, 1]", () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
    for (const q of [0, -1, 1.01, Number.NaN]) expect(() => quantile([1], q)).toThrow(RangeError);
  });

  test("is a sample that enough samples do not exceed, and no smaller sample is", () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.001, max: 1, noNaN: true }), (list, q) => {
        const value = quantile(list, q);
        const atMost = (limit: number) => list.filter((sample) => sample <= limit).length;
        expect(list).toContain(value);
        expect(atMost(value)).toBeGreaterThanOrEqual(Math.ceil(q * list.length));
        expect(list.filter((sample) => sample < value).length).toBeLessThan(Math.ceil(q * list.length));
      }),
    );
  });
});

test("summarize", () => {
  expect(summarize(oneTo(200))).toEqual({ count: 200, mean: 100.5, min: 1, p50: 100, p99: 198, max: 200 });
  expect(() => summarize([])).toThrow(RangeError);
});

describe("ratioOfMedians", () => {
  test("of constant samples is exact, without spread", () => {
    expect(ratioOfMedians([2, 2, 2], [4, 4], seededRandom(1))).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
  });

  test("lies inside its interval, which widens with the noise", () => {
    const random = seededRandom(7);
    const noisy = (spread: number) => oneTo(100).map(() => 10 + spread * (random() - 0.5));
    const calm = ratioOfMedians(noisy(1), noisy(1), random);
    const wild = ratioOfMedians(noisy(10), noisy(10), random);
    for (const { value, low, high } of [calm, wild]) {
      expect(low).toBeLessThanOrEqual(value);
      expect(high).toBeGreaterThanOrEqual(value);
    }
    expect(wild.high - wild.low).toBeGreaterThan(calm.high - calm.low);
  });
});

describe("shuffled", () => {
  test("keeps every item, and its input", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const before = [...items];
        const result = shuffled(items, seededRandom(seed));
        expect([...result].sort()).toEqual([...items].sort());
        expect(items).toEqual(before);
      }),
    );
  });

  test("puts each of three items first about equally often", () => {
    const random = seededRandom(3);
    const firsts = oneTo(3000).map(() => shuffled(["a", "b", "c"], random)[0]);
    for (const item of ["a", "b", "c"]) {
      expect(firsts.filter((first) => first === item).length).toBeGreaterThan(900);
    }
  });
});

describe("seededRandom", () => {
  test("repeats with the same seed, differs with another, stays in [0, 1)", () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return oneTo(1000).map(() => random());
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
    expect(draw(5).every((number) => number >= 0 && number < 1)).toBe(true);
  });
});
