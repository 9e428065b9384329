import { formatPrefix } from "../../lib/addr/prefix.ts";
import { parseDefaultPool } from "./default-pools.ts";
import { poolsOrStandard, standardPools } from "./standard-pools.ts";

test("the pools of a machine are always the same, and its IPv6 prefix is its own", () => {
  const pools = standardPools("machine-a");
  expect(pools.slice(0, -1)).toEqual([
    { base: "10.64.0.0/13", size: 24 },
    { base: "172.16.0.0/12", size: 24 },
    { base: "192.168.0.0/16", size: 24 },
  ]);
  const v6 = pools.at(-1);
  expect(v6?.base).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/48$/);
  expect(standardPools("machine-a")).toEqual(pools);
  expect(standardPools("machine-b").at(-1)?.base).not.toBe(v6?.base);
});

test("whatever the machine, the pools are valid, and written as everybody writes them", () => {
  for (let seed = 0; seed < 500; seed++) {
    for (const pool of standardPools(String(seed)))
      expect(formatPrefix(parseDefaultPool(pool).base)).toBe(pool.base);
  }
});

test("who names pools of one family keeps the standard ones of the other", () => {
  const ipv4 = { base: "10.9.0.0/16", size: 26 };
  const ipv6 = { base: "fd00:9::/48", size: 64 };
  expect(poolsOrStandard([ipv4], "a")).toEqual([ipv4, standardPools("a").at(-1)]);
  expect(poolsOrStandard([ipv6], "a")).toEqual([ipv6, ...standardPools("a").slice(0, -1)]);
  expect(poolsOrStandard([ipv4, ipv6], "a")).toEqual([ipv4, ipv6]);
  expect(poolsOrStandard(null, "a")).toEqual(standardPools("a"));
});
