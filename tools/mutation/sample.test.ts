import { choose, formatTallies, shareOf, tallyByFolder } from "./sample.ts";

const items = Array.from({ length: 1000 }, (_, index) => index);

describe("choose", () => {
  test("chooses as many as asked for, none twice, and all when there are fewer", () => {
    const chosen = choose(items, { count: 40, seed: 1 });
    expect(new Set(chosen).size).toBe(40);
    expect(choose([1, 2, 3], { count: 40, seed: 1 }).sort()).toEqual([1, 2, 3]);
  });

  test("chooses the same by the same seed, others by another", () => {
    const chosen = choose(items, { count: 40, seed: 1 });
    expect(choose(items, { count: 40, seed: 1 })).toEqual(chosen);
    expect(choose(items, { count: 40, seed: 2 })).not.toEqual(chosen);
  });

  test("reaches the whole of what there is", () => {
    const chosen = Array.from({ length: 200 }, (_, seed) => choose(items, { count: 40, seed })).flat();
    expect(new Set(chosen).size).toBe(1000);
  });
});

describe("shareOf", () => {
  test.each([
    // found, tried, low, high: the first three as published by Newcombe (1998), table I, method 3.
    { found: 81, tried: 263, low: 0.2553, high: 0.3662 },
    { found: 15, tried: 148, low: 0.0624, high: 0.1605 },
    { found: 0, tried: 20, low: 0, high: 0.1611 },
    { found: 20, tried: 20, low: 0.8389, high: 1 },
  ])("$found of $tried", ({ found, tried, low, high }) => {
    const share = shareOf(found, tried);
    expect(share.value).toBe(found / tried);
    expect(share.low).toBeCloseTo(low, 4);
    expect(share.high).toBeCloseTo(high, 4);
  });

  test("tells no share of nothing", () => {
    expect(() => shareOf(0, 0)).toThrow(RangeError);
  });
});

test("tallies are by the folder at the top, below lib by the one in it", () => {
  const tallies = tallyByFolder([
    { file: "plugins/main/bridge/add.ts", found: true },
    { file: "lib/ipam/pool.ts", found: false },
    { file: "plugins/workspace.ts", found: false },
    { file: "lib/cni/json.ts", found: true },
  ]);
  expect(tallies).toEqual([
    { folder: "lib/cni", found: 1, tried: 1 },
    { folder: "lib/ipam", found: 0, tried: 1 },
    { folder: "plugins", found: 1, tried: 2 },
    { folder: "all", found: 2, tried: 4 },
  ]);
});

test("the table gives each share with its interval", () => {
  const table = formatTallies([
    { folder: "agent", found: 20, tried: 20 },
    { folder: "all", found: 0, tried: 0 },
  ]);
  expect(table).toMatch(
    /^agent +20 of 20 {2}100\.0 % \(83\.9 to 100\.0\)\nall +0 of 0 {2}nothing was tried$/,
  );
});
