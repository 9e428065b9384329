import fc from "fast-check";
import { IPv4, IPv6 } from "ip-num";
import {
  type Address,
  addressEquals,
  addressFromBytes,
  addressFromKey,
  addressToBytes,
  addressToKey,
  compareAddresses,
  formatAddress,
  highestValue,
  isMulticastAddress,
  offsetAddress,
  parseAddress,
  tryParseAddress,
} from "./address.ts";

const v4 = fc.bigInt({ min: 0n, max: highestValue(4) }).map((value): Address => ({ family: 4, value }));
/** Groups are often zero, so that "::" has something to do. */
const v6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map(
    (groups): Address => ({
      family: 6,
      value: groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n),
    }),
  )
  .filter(({ value }) => value >> 32n !== 0xffffn);
const anyAddress = fc.oneof(v4, v6);

describe("parseAddress", () => {
  test.each([
    ["0.0.0.0", 4, 0n],
    ["10.1.2.3", 4, 0x0a010203n],
    ["255.255.255.255", 4, 0xffff_ffffn],
    ["::", 6, 0n],
    ["::1", 6, 1n],
    ["1::", 6, 1n << 112n],
    ["FD00:0:0:0:0:0:0:000A", 6, 0xfd00_0000_0000_0000_0000_0000_0000_000an],
    ["1:2:3:4:5:6:7::", 6, 0x0001_0002_0003_0004_0005_0006_0007_0000n],
    ["64:ff9b::10.1.2.3", 6, 0x64_ff9b_0000_0000_0000_0000_0a01_0203n],
    ["1:2:3:4:5:6:10.1.2.3", 6, 0x0001_0002_0003_0004_0005_0006_0a01_0203n],
  ] as const)("%s", (text, family, value) => {
    expect(parseAddress(text)).toEqual({ family, value });
    expect(tryParseAddress(text)).toEqual({ family, value });
  });

  test.each([
    ["", "four numbers"],
    ["10.1.2", "four numbers"],
    ["10.1.2.3.4", "four numbers"],
    ["10.1.2.256", '"256" is not 0 to 255'],
    ["10.1.2.-1", "not 0 to 255"],
    ["10.1.2.", "not 0 to 255"],
    ["10.01.2.3", "leading zero"],
    ["010.1.2.3", "leading zero"],
    ["0x0a.1.2.3", "not 0 to 255"],
    [" 10.1.2.3", "not 0 to 255"],
    ["10.1.2.3\n", "not 0 to 255"],
    ["10.1.2.3/24", "it has a prefix length; write the address alone: 10.1.2.3"],
    ["fd00::1/64", "it has a prefix length; write the address alone: fd00::1"],
    ["10.1.2.300/24", "not 0 to 255"],
    ["10.1.2.3/", "not 0 to 255"],
    ["10.1.2.3:80", "hexadecimal"],
    ["١.1.1.1", "not 0 to 255"],
    ["fe80::1%eth0", "zone"],
    ["[::1]", "hexadecimal"],
    [":", "hexadecimal"],
    [":::", "hexadecimal"],
    ["1::2::3", "once"],
    ["1:2:3:4:5:6:7", "eight groups"],
    ["1:2:3:4:5:6:7:8:9", "eight groups"],
    ["1:2:3:4::5:6:7:8", "eight groups"],
    ["1:2:3:4:5:6:7:", "hexadecimal"],
    [":1:2:3:4:5:6:7", "hexadecimal"],
    ["12345::", "hexadecimal"],
    ["g::", "hexadecimal"],
    ["10.1.2.3::", "hexadecimal"],
    ["::10.1.2.3:1", "hexadecimal"],
    ["::10.1.2.03", "leading zero"],
    ["1:2:3:4:5:6:7:10.1.2.3", "eight groups"],
    ["::ffff:10.1.2.3", "IPv4-mapped"],
    ["0:0:0:0:0:ffff:a01:203", "IPv4-mapped"],
  ])("refuses %p", (text, reason) => {
    expect(() => parseAddress(text)).toThrow(
      expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(reason) }),
    );
    expect(() => parseAddress(text)).toThrow(`parse address ${JSON.stringify(text)}: `);
    expect(tryParseAddress(text)).toBeNull();
  });

  test("quotes no more than the start of a huge text", () => {
    const refusal = (() => {
      try {
        return parseAddress(`${"1".repeat(10_000_000)}.1.1.1`);
      } catch (error) {
        return error as Error;
      }
    })() as Error;
    expect(refusal.message.length).toBeLessThan(300);
  });

  test("takes what it formats and gives the same value back", () => {
    fc.assert(
      fc.property(anyAddress, (address) => expect(parseAddress(formatAddress(address))).toEqual(address)),
    );
  });

  test("never throws anything but its own error, and agrees with tryParseAddress", () => {
    const noise = fc.string({ unit: fc.constantFrom(..."0123456789abcdefg.:%/ ") });
    fc.assert(
      fc.property(fc.oneof(noise, fc.string()), (text) => {
        const result = tryParseAddress(text);
        if (result === null) expect(() => parseAddress(text)).toThrow(/^parse address "/);
        else expect(parseAddress(text)).toEqual(result);
      }),
      { numRuns: 2000 },
    );
  });

  test("reads IPv4 as ip-num does", () => {
    fc.assert(
      fc.property(v4, ({ value }) => expect(parseAddress(new IPv4(value).toString()).value).toBe(value)),
    );
  });

  test("reads IPv6 as ip-num does", () => {
    fc.assert(
      fc.property(v6, (address) => {
        expect(parseAddress(new IPv6(address.value).toString()).value).toBe(address.value);
        expect(new IPv6(formatAddress(address)).getValue()).toBe(address.value);
      }),
    );
  });
});

describe("formatAddress", () => {
  // Source: the examples of RFC 5952 §4 and §5.
  test.each([
    ["2001:0DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["0:0:1:1:1:1:0:0", "::1:1:1:1:0:0"],
    ["0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"],
  ])("%s is %s", (text, canonical) => {
    expect(formatAddress(parseAddress(text))).toBe(canonical);
  });

  test("shows the IPv4 address of a mapped one", () => {
    expect(formatAddress({ family: 6, value: 0xffff_0a01_0203n })).toBe("::ffff:10.1.2.3");
  });

  test("gives what the URL standard's serializer gives", () => {
    fc.assert(
      fc.property(v6, (address) =>
        expect(`[${formatAddress(address)}]`).toBe(new URL(`http://[${formatAddress(address)}]`).host),
      ),
    );
  });
});

describe("bytes and keys", () => {
  test("are in network order", () => {
    expect([...addressToBytes(parseAddress("10.1.2.3"))]).toEqual([10, 1, 2, 3]);
    expect([...addressToBytes(parseAddress("fd00::a"))]).toEqual([0xfd, ...new Array(14).fill(0), 10]);
    expect([...addressToKey(parseAddress("10.1.2.3"))]).toEqual([
      ...new Array(10).fill(0),
      0xff,
      0xff,
      10,
      1,
      2,
      3,
    ]);
  });

  test("round trip", () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(addressFromBytes(addressToBytes(address))).toEqual(address);
        expect(addressFromKey(addressToKey(address))).toEqual(address);
        expect(addressToKey(address)).toHaveLength(16);
      }),
    );
  });

  test("keys sort as addresses do", () => {
    fc.assert(
      fc.property(anyAddress, anyAddress, (a, b) => {
        expect(Math.sign(compareAddresses(a, b))).toBe(Buffer.compare(addressToKey(a), addressToKey(b)));
        expect(compareAddresses(a, b) === 0).toBe(addressEquals(a, b));
        expect(Math.sign(compareAddresses(b, a))).toBe(Math.sign(-compareAddresses(a, b)) + 0);
      }),
    );
  });

  test("the same number in two families is two addresses", () => {
    expect(addressEquals({ family: 4, value: 1n }, { family: 6, value: 1n })).toBe(false);
    expect(compareAddresses({ family: 4, value: 1n }, { family: 6, value: 1n })).not.toBe(0);
  });

  test("refuse what is none", () => {
    expect(() => addressFromBytes(new Uint8Array(6))).toThrow("4 or 16 bytes, not 6");
    expect(() => addressFromKey(new Uint8Array(4))).toThrow("16 bytes, not 4");
    expect(() => addressToKey({ family: 6, value: 0xffff_0a01_0203n })).toThrow("no key of its own");
  });
});

describe("offsetAddress", () => {
  test("counts in both directions up to the ends of the family", () => {
    expect(formatAddress(offsetAddress(parseAddress("10.0.0.255"), 1n))).toBe("10.0.1.0");
    expect(formatAddress(offsetAddress(parseAddress("fd00::"), -1n))).toBe(
      "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    );
    expect(formatAddress(offsetAddress(parseAddress("255.255.255.254"), 1n))).toBe("255.255.255.255");
  });

  test.each([
    ["255.255.255.255", 1n],
    ["0.0.0.0", -1n],
    ["::", -1n],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1n],
  ])("never leaves it: %s %p", (text, offset) => {
    expect(() => offsetAddress(parseAddress(text), offset)).toThrow(
      expect.objectContaining({ code: "invalid-config" }),
    );
  });

  test("is undone by the opposite offset", () => {
    fc.assert(
      fc.property(v4, fc.bigInt({ min: 0n, max: 1000n }), (address, offset) => {
        fc.pre(address.value + offset <= highestValue(4));
        expect(offsetAddress(offsetAddress(address, offset), -offset)).toEqual(address);
      }),
    );
  });
});

test.each([
  ["223.255.255.255", false],
  ["224.0.0.0", true],
  ["239.255.255.255", true],
  ["240.0.0.0", false],
  ["ff02::1", true],
  ["fe80::1", false],
])("isMulticastAddress(%s) is %p", (text, expected) => {
  expect(isMulticastAddress(parseAddress(text))).toBe(expected);
});
