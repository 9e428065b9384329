import fc from "fast-check";
import { deriveIfname, ifnameProblem, validateIfname } from "./ifname.ts";
import { deriveMac, isMulticastMac, macFromBytes, macToBytes, parseInterfaceMac, parseMac } from "./mac.ts";
import { isVni, parseVni } from "./vni.ts";

describe("MAC addresses", () => {
  test.each([
    ["02:ab:cd:ef:01:23", "02:ab:cd:ef:01:23"],
    ["02-AB-CD-EF-01-23", "02:ab:cd:ef:01:23"],
  ])("%s", (text, canonical) => expect(parseMac(text)).toBe(canonical));

  test.each([
    "",
    "02:ab:cd:ef:01",
    "02:ab:cd:ef:01:23:45",
    "2:ab:cd:ef:01:23",
    "02abcdef0123",
    "02:ab:cd:ef:01:2g",
    "02:ab-cd:ef:01:23",
  ])("refuses %p", (text) => {
    expect(() => parseMac(text)).toThrow(expect.objectContaining({ code: "invalid-config" }));
    expect(() => parseMac(text)).toThrow(JSON.stringify(text));
  });

  test("an interface holds neither a group address nor none", () => {
    expect(() => parseInterfaceMac("01:00:5e:00:00:01")).toThrow("group address");
    expect(() => parseInterfaceMac("00:00:00:00:00:00")).toThrow("all-zero");
    expect(parseInterfaceMac("02:00:00:00:00:01")).toBe("02:00:00:00:00:01");
    expect(isMulticastMac("ff:ff:ff:ff:ff:ff")).toBe(true);
  });

  test("bytes round trip", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        expect(macToBytes(macFromBytes(bytes))).toEqual(bytes);
        expect(parseMac(macFromBytes(bytes))).toBe(macFromBytes(bytes));
      }),
    );
    expect(() => macFromBytes(new Uint8Array(20))).toThrow("6 bytes, not 20");
  });

  test("derived ones are local, unicast, steady and distinct", () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const mac = deriveMac(seed);
        expect(parseInterfaceMac(mac)).toBe(mac);
        expect((macToBytes(mac)[0] ?? 0) & 3).toBe(2);
      }),
    );
    expect(deriveMac("net1\0c1\0eth0")).toBe("a6:4f:3d:fb:7f:d8");
    expect(new Set(Array.from({ length: 50_000 }, (_, i) => deriveMac(`net\0${i}`))).size).toBe(50_000);
  });
});

describe("interface names", () => {
  test.each(["eth0", "a", "fifteen-bytes-x", "veth@1", "eth0.100", "...", "é"])("%p is one", (text) => {
    expect(validateIfname(text)).toBe(text);
  });

  test.each([
    ["", "it is empty"],
    [".", '"." and ".." are not allowed'],
    ["..", '"." and ".." are not allowed'],
    ["sixteen-bytes-xx", "it has 16 bytes"],
    ["éééééééé", "it has 16 bytes"],
    ["a/b", 'it holds "/"'],
    ["a:b", 'it holds ":"'],
    ["a b", 'it holds " "'],
    ["a\tb", 'it holds "\\t"'],
    ["a\u2003b", 'it holds "\u2003"'],
    ["a\0b", 'it holds "\\u0000"'],
    ["eth%d", 'it holds "%"'],
    ["à", "it holds the byte 0xa0"],
  ])("%p is none", (text, reason) => {
    expect(ifnameProblem(text)?.startsWith(reason)).toBe(true);
    expect(() => validateIfname(text)).toThrow(
      expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(reason) }),
    );
  });

  test("derived ones are names, steady and distinct", () => {
    fc.assert(
      fc.property(fc.string(), (seed) => expect(deriveIfname("fl", seed)).toMatch(/^fl[0-9a-f]{11}$/)),
    );
    expect(deriveIfname("fl", "net1\0c1\0eth0")).toBe("fla74f3dfb7fd");
    expect(() => deriveIfname("fairlead", "x")).toThrow("19 bytes");
  });
});

describe("VNI", () => {
  test.each([
    ["1", 1],
    ["4096", 4096],
    ["16777215", 16777215],
  ])("%s", (text, value) => expect(parseVni(text)).toBe(value));

  test.each(["", "0", "-1", "16777216", "007", "1e3", "0x10", "1.5", " 1"])("refuses %p", (text) => {
    expect(() => parseVni(text)).toThrow(expect.objectContaining({ code: "invalid-config" }));
  });

  test("isVni", () => {
    expect([0, 1, 1.5, 0xffffff, 0x1000000].map(isVni)).toEqual([false, true, false, true, false]);
  });
});
