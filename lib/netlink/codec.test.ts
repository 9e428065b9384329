import fc from "fast-check";
import { hexBytes } from "../../test/support/kernel/hex.ts";
import { formatAddress, parseAddress } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";
import {
  type Codec,
  fixedBytes,
  flag,
  hardwareAddress,
  i8,
  i32,
  i32be,
  ipAddress,
  macAddress,
  pad,
  string,
  struct,
  u8,
  u8Boolean,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
  zstring,
} from "./attribute.ts";

describe("codecs", () => {
  test.each<[string, Codec<unknown>, unknown, string]>([
    ["u8", u8, 0xfe, "fe"],
    ["i8", i8, -2, "fe"],
    ["u16", u16, 0x1234, "34 12"],
    ["u16be", u16be, 4789, "12 b5"],
    ["u32", u32, 4097, "01 10 00 00"],
    ["u32be", u32be, 0x12345, "00 01 23 45"],
    ["i32", i32, -1, "ff ff ff ff"],
    ["i32be", i32be, -2, "ff ff ff fe"],
    ["u64", u64, 1n, "01 00 00 00 00 00 00 00"],
    ["u64be", u64be, 1n, "00 00 00 00 00 00 00 01"],
    ["u8Boolean", u8Boolean, true, "01"],
    ["flag", flag, true, ""],
    ["zstring", zstring, "eth0", "65 74 68 30 00"],
    ["zstring beyond ASCII", zstring, "é", "c3 a9 00"],
    ["string", string, "eth0", "65 74 68 30"],
    ["ipAddress of IPv4", ipAddress, parseAddress("192.0.2.1"), "c0 00 02 01"],
    [
      "ipAddress of IPv6",
      ipAddress,
      parseAddress("2001:db8::1"),
      "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01",
    ],
    ["macAddress", macAddress, "02:42:ac:11:00:0f", "02 42 ac 11 00 0f"],
    ["hardwareAddress of a tunnel", hardwareAddress, "c0:00:02:01", "c0 00 02 01"],
    ["hardwareAddress of a link without one", hardwareAddress, "", ""],
    ["fixedBytes", fixedBytes(3), Uint8Array.of(1, 2, 3), "01 02 03"],
  ])("%s is read both ways", (...[_, codec, value, wire]) => {
    expect(codec.encode(value)).toEqual(hexBytes(wire));
    expect(codec.decode(hexBytes(wire))).toEqual(value);
  });

  test.each<[string, Codec<unknown>, string]>([
    ["u16", u16, "01"],
    ["u32", u32, "01 02 03"],
    ["u64", u64, "01 02 03 04"],
    ["flag", flag, "00"],
    ["ipAddress", ipAddress, "01 02 03 04 05"],
    ["macAddress", macAddress, "01 02 03 04 05"],
    ["fixedBytes", fixedBytes(3), "01 02 03 04"],
  ])("%s of another length is refused with both lengths", (_, codec, wire) => {
    const got = hexBytes(wire).length;
    expect(() => codec.decode(hexBytes(wire))).toThrow(new RegExp(`expected .*, got ${got}`));
  });

  test.each([
    "02:42:ac",
    "02:42:ac:11:00:0",
    "02:42:ac:11:00:0f:",
    "02-42-ac-11-00-0f",
    "0g:42:ac:11:00:0f",
    "x",
    "",
  ])("%s is no MAC", (text) => {
    expect(() => macAddress.encode(text)).toThrow(FairleadError);
  });

  test("any link-layer address and any text come back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 32 }), fc.string({ unit: "grapheme" }), (octets, text) => {
        expect(hardwareAddress.encode(hardwareAddress.decode(octets))).toEqual(octets);
        expect(string.decode(string.encode(text))).toBe(text.toWellFormed());
      }),
    );
  });

  test("upper case is written like lower case, and read as lower case", () => {
    expect(hardwareAddress.decode(hardwareAddress.encode("AA:BB:0C"))).toBe("aa:bb:0c");
  });

  test("text ends at its NUL, or at the end without one", () => {
    expect(zstring.decode(hexBytes("61 00 62"))).toBe("a");
    expect(zstring.decode(hexBytes("61 62"))).toBe("ab");
    expect(zstring.decode(hexBytes("ff"))).toBe("\ufffd");
  });

  test("an address knows its family by its length", () => {
    expect(formatAddress(ipAddress.decode(new Uint8Array(4)))).toBe("0.0.0.0");
    expect(formatAddress(ipAddress.decode(new Uint8Array(16)))).toBe("::");
  });
});

describe("structs", () => {
  const sample = struct("sample", { first: u8, _pad: pad(1), second: u16be, third: u32 });

  test("stand field after field, with their padding", () => {
    const wire = hexBytes("01 00 00 02 03 00 00 00");
    expect(sample.sizeBytes).toBe(8);
    expect(sample.encode({ first: 1, second: 2, third: 3 })).toEqual(wire);
    expect(sample.decode(wire)).toEqual({ first: 1, second: 2, third: 3 });
  });

  test("have zeros where nothing is given", () => {
    expect(sample.encode({ second: 2 })).toEqual(hexBytes("00 00 00 02 00 00 00 00"));
    expect(sample.zero).toEqual({ first: 0, second: 0, third: 0 });
  });

  test("stand inside structs", () => {
    const outer = struct("outer", { head: u16, inner: sample });
    expect(outer.encode({ head: 1, inner: { first: 1, second: 2, third: 3 } })).toEqual(
      hexBytes("01 00 01 00 00 02 03 00 00 00"),
    );
    expect(outer.encode({ head: 1 })).toHaveLength(10);
  });

  test("of another size are refused; as a prefix they may go on", () => {
    expect(() => sample.decode(new Uint8Array(9))).toThrow("sample: expected 8 bytes, got 9");
    expect(() => sample.decodePrefix(new Uint8Array(7))).toThrow("sample: expected at least 8 bytes, got 7");
    expect(sample.decodePrefix(new Uint8Array(9))).toEqual(sample.zero);
  });

  test("name the field that does not fit", () => {
    expect(() => sample.encode({ second: 70_000 })).toThrow("sample.second: 70000 does not fit u16be");
  });
});
