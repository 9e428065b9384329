import { parseDefaultPool } from "./default-pools.ts";
import { standardPools } from "./standard-pools.ts";

test("the pools of a machine are always the same, and its IPv6 prefix is its own", () => {
  const [v4, v6] = standardPools("machine-a");
  expect(v4).toEqual({ base: "10.77.0.0/16", size: 24 });
  expect(v6?.base).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/48$/);
  expect(standardPools("machine-a")).toEqual([v4, v6]);
  expect(standardPools("machine-b")[1]?.base).not.toBe(v6?.base);
});

test("whatever the machine, the pools are valid", () => {
  for (let seed = 0; seed < 500; seed++) {
    for (const pool of standardPools(String(seed))) expect(() => parseDefaultPool(pool)).not.toThrow();
  }
});
