import fc from "fast-check";
import { parseAddress } from "./address.ts";
import {
  type AddressRange,
  formatRange,
  parseRange,
  rangeContains,
  rangeSize,
  rangesOverlap,
  subtractRanges,
} from "./range.ts";

/** Ranges inside 10.0.0.0 to 10.0.0.63, small enough to check address by address. */
const small = fc.tuple(fc.nat(63), fc.nat(63)).map(([a, b]) => range(Math.min(a, b), Math.max(a, b)));

function range(first: number, last: number): AddressRange {
  return { first: at(first), last: at(last) };
}

function at(index: number) {
  return { family: 4 as const, value: 0x0a000000n + BigInt(index) };
}

function members(one: AddressRange): number[] {
  return Array.from({ length: 64 }, (_, i) => i).filter((i) => rangeContains(one, at(i)));
}

describe("parseRange", () => {
  test.each([
    ["10.1.0.10-10.1.0.19", "10.1.0.10-10.1.0.19", 10n],
    ["10.1.0.10 - 10.1.0.19", "10.1.0.10-10.1.0.19", 10n],
    ["10.1.0.0/30", "10.1.0.0-10.1.0.3", 4n],
    ["10.1.0.7", "10.1.0.7", 1n],
    ["10.1.0.7-10.1.0.7", "10.1.0.7", 1n],
    ["fd00::-fd00::ffff", "fd00::-fd00::ffff", 65536n],
    ["::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1n << 128n],
  ])("%s", (text, formatted, size) => {
    expect(formatRange(parseRange(text))).toBe(formatted);
    expect(rangeSize(parseRange(text))).toBe(size);
  });

  test.each([
    ["10.1.0.9-10.1.0.1", "ends before it starts; write 10.1.0.1-10.1.0.9"],
    ["10.1.0.9-::1", "different families"],
    ["10.1.0.9-10.1.0.10-10.1.0.11", 'more than one "-"'],
    ["10.1.0.9-", "four numbers"],
    ["10.1.0.1/24", "write 10.1.0.0/24"],
    ["", "four numbers"],
  ])("refuses %p", (text, reason) => {
    expect(() => parseRange(text)).toThrow(
      expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(reason) }),
    );
  });
});

test("rangesOverlap is sharing an address", () => {
  fc.assert(
    fc.property(small, small, (a, b) =>
      expect(rangesOverlap(a, b)).toBe(members(a).some((i) => rangeContains(b, at(i)))),
    ),
  );
  expect(rangesOverlap(parseRange("0.0.0.0/0"), parseRange("::/0"))).toBe(false);
  expect(rangeContains(parseRange("::/0"), parseAddress("10.0.0.1"))).toBe(false);
});

describe("subtractRanges", () => {
  test("leaves exactly the addresses that no hole holds, in ascending runs that do not touch", () => {
    fc.assert(
      fc.property(small, fc.array(small, { maxLength: 6 }), (whole, holes) => {
        const rest = subtractRanges(whole, holes);
        const expected = members(whole).filter((i) => !holes.some((hole) => rangeContains(hole, at(i))));
        expect(rest.flatMap(members)).toEqual(expected);
        for (const [i, run] of rest.entries()) {
          const next = rest[i + 1];
          if (next) expect(next.first.value - run.last.value).toBeGreaterThan(1n);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("ignores holes of the other family and reaches the end of the address space", () => {
    const all = parseRange("::/0");
    expect(subtractRanges(all, [parseRange("0.0.0.0/0")])).toEqual([all]);
    expect(subtractRanges(all, [parseRange("8000::/1")]).map(formatRange)).toEqual([
      "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ]);
    expect(subtractRanges(all, [all])).toEqual([]);
  });
});
