import fc from "fast-check";
import { IPv4CidrRange, IPv6CidrRange } from "ip-num";
import { type Address, addressBits, formatAddress, highestValue, parseAddress } from "./address.ts";
import {
  comparePrefixes,
  firstAddress,
  firstHost,
  formatPrefix,
  lastAddress,
  lastHost,
  netmask,
  type Prefix,
  parseInterfaceAddress,
  parseLoosePrefix,
  parsePrefix,
  prefixContains,
  prefixContainsPrefix,
  prefixEquals,
  prefixesOverlap,
  prefixOf,
  prefixSize,
  tryParsePrefix,
} from "./prefix.ts";

const address = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc
    .bigInt({ min: 0n, max: highestValue(family) })
    .filter((value) => family === 4 || value >> 32n !== 0xffffn)
    .map((value): Address => ({ family, value })),
);
const prefix = address.chain((a) =>
  fc.integer({ min: 0, max: addressBits(a.family) }).map((length) => prefixOf(a, length)),
);
/** Two prefixes that often overlap: the second starts as the first does. */
const related = fc
  .tuple(prefix, prefix, fc.integer({ min: 0, max: 128 }))
  .map(([a, b, length]): [Prefix, Prefix] => {
    return length % 2 === 0 ? [a, b] : [a, prefixOf(a.address, length % (addressBits(a.address.family) + 1))];
  });

describe("parsePrefix", () => {
  test.each(["10.1.0.0/16", "0.0.0.0/0", "10.1.2.3/32", "::/0", "fd00:1::/64", "::1/128"])("%s", (text) => {
    expect(formatPrefix(parsePrefix(text))).toBe(text);
    expect(tryParsePrefix(text)).toEqual(parsePrefix(text));
  });

  test.each([
    ["10.1.2.3/24", "bits beyond its length; write 10.1.2.0/24"],
    ["fd00::1/64", "write fd00::/64"],
    ["10.1.0.7", "no prefix length; write it like 10.1.0.0/24"],
    ["fd00::7", "no prefix length; write it like fd00::/64"],
    ["usePodCidr", "four numbers"],
    ["usePodCidr/24", "four numbers"],
    ["10.1.0.0/33", "not 0 to 32"],
    ["::/129", "not 0 to 128"],
    ["10.1.0.0/", "not 0 to 32"],
    ["10.1.0.0/08", "not 0 to 32"],
    ["10.1.0.0/+8", "not 0 to 32"],
    ["10.1.0.0/-1", "not 0 to 32"],
    ["10.1.0.0/8/8", "not 0 to 32"],
    ["10.1.0.0/255.255.0.0", "not 0 to 32; write the number of bits after the slash, like 10.1.0.0/24"],
    ["10.1.0/24", "four numbers"],
    ["/24", "four numbers"],
  ])("refuses %p", (text, reason) => {
    expect(() => parsePrefix(text)).toThrow(
      expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(reason) }),
    );
    expect(tryParsePrefix(text)).toBeNull();
  });

  test("takes what formatPrefix gives", () => {
    fc.assert(fc.property(prefix, (p) => expect(parsePrefix(formatPrefix(p))).toEqual(p)));
  });
});

test("parseInterfaceAddress keeps the host bits", () => {
  expect(formatPrefix(parseInterfaceAddress("10.1.2.3/24"))).toBe("10.1.2.3/24");
  expect(() => parseInterfaceAddress("10.1.2.3")).toThrow(
    'parse interface address "10.1.2.3": it has no prefix length; write it like 10.1.2.3/24',
  );
  expect(() => parseInterfaceAddress("10.1.2.3/40")).toThrow("not 0 to 32");
});

test("parseLoosePrefix keeps the host bits, and gives advice about a prefix", () => {
  expect(formatPrefix(parseLoosePrefix("10.1.2.3/24"))).toBe("10.1.2.3/24");
  expect(() => parseLoosePrefix("10.1.2.3")).toThrow(
    'parse prefix "10.1.2.3": it has no prefix length; write it like 10.1.2.0/24',
  );
});

describe("bounds", () => {
  test("are ip-num's", () => {
    fc.assert(
      fc.property(prefix, (p) => {
        const Range = p.address.family === 4 ? IPv4CidrRange : IPv6CidrRange;
        const oracle = Range.fromCidr(formatPrefix(p));
        expect(firstAddress(p).value).toBe(oracle.getFirst().getValue());
        expect(lastAddress(p).value).toBe(oracle.getLast().getValue());
        expect(prefixSize(p)).toBe(oracle.getSize());
      }),
    );
  });

  test.each([
    ["10.1.0.0/16", "10.1.0.1", "10.1.255.254"],
    ["10.1.0.0/30", "10.1.0.1", "10.1.0.2"],
    ["10.1.0.0/31", "10.1.0.0", "10.1.0.1"],
    ["10.1.0.5/32", "10.1.0.5", "10.1.0.5"],
    ["0.0.0.0/0", "0.0.0.1", "255.255.255.254"],
    ["fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff"],
    ["fd00::/126", "fd00::1", "fd00::3"],
    ["fd00::/127", "fd00::", "fd00::1"],
    ["fd00::7/128", "fd00::7", "fd00::7"],
  ])("hosts of %s are %s to %s", (text, first, last) => {
    expect(formatAddress(firstHost(parsePrefix(text)))).toBe(first);
    expect(formatAddress(lastHost(parsePrefix(text)))).toBe(last);
  });

  test.each([
    [4, 0, "0.0.0.0"],
    [4, 20, "255.255.240.0"],
    [4, 32, "255.255.255.255"],
    [6, 64, "ffff:ffff:ffff:ffff::"],
  ] as const)("the netmask of family %p, length %p is %s", (family, length, expected) => {
    expect(formatAddress(netmask(family, length))).toBe(expected);
  });
});

describe("containment", () => {
  test("is what comparing with the bounds says", () => {
    fc.assert(
      fc.property(prefix, address, (p, a) => {
        const inside =
          a.family === p.address.family &&
          a.value >= firstAddress(p).value &&
          a.value <= lastAddress(p).value;
        expect(prefixContains(p, a)).toBe(inside);
        expect(prefixContains(p, firstAddress(p)) && prefixContains(p, lastAddress(p))).toBe(true);
      }),
    );
  });

  test("of prefixes is what ip-num says", () => {
    fc.assert(
      fc.property(related, ([a, b]) => {
        fc.pre(a.address.family === b.address.family);
        const Range = a.address.family === 4 ? IPv4CidrRange : IPv6CidrRange;
        const [left, right] = [Range.fromCidr(formatPrefix(a)), Range.fromCidr(formatPrefix(b))];
        const contains = left.isEquals(right as never) || left.contains(right as never);
        expect(prefixContainsPrefix(a, b)).toBe(contains);
        expect(prefixesOverlap(a, b)).toBe(contains || right.contains(left as never));
      }),
    );
  });

  test("never crosses families", () => {
    expect(prefixContains(parsePrefix("0.0.0.0/0"), parseAddress("::1"))).toBe(false);
    expect(prefixesOverlap(parsePrefix("0.0.0.0/0"), parsePrefix("::/0"))).toBe(false);
  });
});

test.each([-1, 33, 1.5])("prefixOf refuses the length %p", (length) => {
  expect(() => prefixOf(parseAddress("10.0.0.0"), length)).toThrow("not a prefix length");
});

test("comparePrefixes puts the larger of two that start alike first", () => {
  const sorted = ["10.1.0.0/24", "10.0.0.0/8", "::/0", "10.1.0.0/16"].map(parsePrefix).sort(comparePrefixes);
  expect(sorted.map(formatPrefix)).toEqual(["::/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/24"]);
  expect(prefixEquals(parsePrefix("10.0.0.0/8"), parsePrefix("10.0.0.0/9"))).toBe(false);
  expect(prefixEquals(parsePrefix("FD00:0:0::/8"), parsePrefix("fd00::/8"))).toBe(true);
});
