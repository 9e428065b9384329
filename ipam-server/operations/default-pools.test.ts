import { formatPrefix } from "../../lib/addr/prefix.ts";
import { parseRange } from "../../lib/addr/range.ts";
import { freeBlock, parseDefaultPool } from "./default-pools.ts";

interface Ranges {
  readonly taken?: readonly string[];
  readonly resting?: readonly string[];
}

function lowest(base: string, size: number, { taken = [], resting = [] }: Ranges): string {
  const ranges = { taken: taken.map(parseRange), avoided: [], resting: resting.map(parseRange) };
  return formatPrefix(freeBlock([parseDefaultPool({ base, size })], base.includes(":") ? 6 : 4, ranges));
}

// The first of each pair is counted block by block, the second measured by gaps.
test.each([
  ["10.0.0.0/8", 24],
  ["10.0.0.0/8", 26],
  ["fd00::/48", 64],
  ["fd00::/40", 64],
])("the lowest block of %s by /%d that nothing touches", (base, size) => {
  const at = (block: number): string => {
    const steps = BigInt(block) << BigInt((base.includes(":") ? 128 : 32) - size);
    const { first } = parseRange(base);
    return formatPrefix({ address: { ...first, value: first.value + steps }, length: size });
  };
  const address = (block: number) => at(block).split("/")[0] ?? "";
  expect(lowest(base, size, {})).toBe(at(0));
  expect(lowest(base, size, { taken: [at(0), at(1), at(3)] })).toBe(at(2));
  expect(lowest(base, size, { taken: [address(0), `${address(1)}-${address(2)}`] })).toBe(at(3));
  expect(lowest(base, size, { taken: [at(1)] })).toBe(at(0));
  expect(lowest(base, size, { taken: ["0.0.0.0-10.0.0.0", "::-fd00::"] })).toBe(at(1));
  const justBefore = ["9.255.255.0", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:0"];
  expect(lowest(base, size, { taken: [`${justBefore[0]}-10.0.0.0`, `${justBefore[1]}-fd00::`] })).toBe(at(1));
  expect(lowest(base, size, { taken: justBefore })).toBe(at(0));
  expect(lowest(base, size, { taken: ["192.0.2.0/24", "fe00::/16"] })).toBe(at(0));
  expect(lowest(base, size, { taken: [at(0)], resting: [at(1), at(2)] })).toBe(at(3));
  expect(() => lowest(base, size, { taken: ["0.0.0.0/0", "::/0"] })).toThrow("no block is free");
  expect(lowest(base, size, { resting: [base] })).toBe(at(0));
});

test("where the host uses all of it, a block of its widest use is taken, then of narrower ones", () => {
  const avoided = ["10.0.0.0/25", "10.0.1.0/24", "10.0.2.0/23"].map(parseRange);
  const pools = [parseDefaultPool({ base: "10.0.0.0/22", size: 24 })];
  for (const uses of [avoided, avoided.toReversed()]) {
    const taken = [];
    for (const block of ["10.0.2.0/24", "10.0.3.0/24", "10.0.1.0/24", "10.0.0.0/24"]) {
      expect(formatPrefix(freeBlock(pools, 4, { taken, avoided: uses, resting: [] }))).toBe(block);
      taken.push(parseRange(block));
    }
  }
});

test("a refusal tells what is in the pools: of networks how much, and of the host's uses the first", () => {
  const pools = ["10.0.0.0/24", "10.9.0.0/24"].map((base) => parseDefaultPool({ base, size: 24 }));
  const within = Array.from({ length: 25 }, (_, at) => `10.9.0.${at}-10.9.0.${at + 1}`);
  const obstacles = {
    taken: ["10.0.0.0/24", "10.9.0.0/24", "10.7.0.0/24"].map(parseRange),
    avoided: ["192.0.2.0/24", ...within].map(parseRange),
    resting: [],
  };
  const refused = () => freeBlock(pools, 4, obstacles);
  expect(refused).toThrow(
    expect.objectContaining({
      ...{
        code: "pool-exhausted",
        reason: expect.stringMatching(/have 2 subnets there, beside .*10\.9\.0\.4-10\.9\.0\.5\)$/),
      },
      details: expect.objectContaining({ subnets: 2, avoided: within.slice(0, 20) }),
    }),
  );
});
