import { formatPrefix } from "../lib/addr/prefix.ts";
import { parseRange } from "../lib/addr/range.ts";
import { freeBlock, parseDefaultPool } from "./default-pools.ts";

function lowest(base: string, size: number, taken: string[], resting: string[] = []): string {
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
  expect(lowest(base, size, [])).toBe(at(0));
  expect(lowest(base, size, [at(0), at(1), at(3)])).toBe(at(2));
  expect(lowest(base, size, [address(0), `${address(1)}-${address(2)}`])).toBe(at(3));
  expect(lowest(base, size, [at(1)])).toBe(at(0));
  expect(lowest(base, size, ["0.0.0.0-10.0.0.0", "::-fd00::"])).toBe(at(1));
  expect(lowest(base, size, ["192.0.2.0/24", "fe00::/16"])).toBe(at(0));
  expect(lowest(base, size, [at(0)], [at(1), at(2)])).toBe(at(3));
  expect(() => lowest(base, size, ["0.0.0.0/0", "::/0"])).toThrow("no block is free");
  expect(lowest(base, size, [], [base])).toBe(at(0));
});
