import fc from "fast-check";
import { refusalOf } from "../../test/support/failures.ts";
import { hexBytes } from "../../test/support/kernel/hex.ts";
import { FairleadError } from "../errors.ts";
import {
  attribute,
  attributeTable,
  flag,
  i32,
  nestedList,
  repeated,
  string,
  tagged,
  u8,
  u16be,
  u32,
  u64,
  type ValueOf,
  zstring,
} from "./attribute.ts";

const innerTable = attributeTable("inner", { one: attribute("INNER_ONE", 1, u32) });
const otherTable = attributeTable("other", { port: attribute("OTHER_PORT", 1, u16be) });
const table = attributeTable("sample", {
  name: attribute("S_NAME", 1, zstring),
  count: attribute("S_COUNT", 2, u8),
  inner: attribute("S_INNER", 3, innerTable),
  items: attribute("S_ITEMS", 4, nestedList("S_ITEM", 1, innerTable)),
  many: repeated("S_MANY", 5, u32),
  on: attribute("S_ON", 6, flag),
  kind: attribute("S_KIND", 7, string),
  data: tagged("S_DATA", 8, { kindKey: "kind", codecs: { inner: innerTable, other: otherTable } }),
  big: attribute("S_BIG", 9, u64),
  signed: attribute("S_SIGNED", 10, i32),
});
type Sample = ValueOf<typeof table>;

const valueArbitrary: fc.Arbitrary<Sample> = fc
  .record(
    {
      name: fc.string({ unit: fc.constantFrom("a", "é", "-", "0"), maxLength: 15 }),
      count: fc.integer({ min: 0, max: 255 }),
      inner: fc.record({ one: fc.nat() }, { requiredKeys: [] }),
      items: fc.array(fc.record({ one: fc.nat() }, { requiredKeys: [] })),
      many: fc.array(fc.nat(), { minLength: 1 }),
      on: fc.constant(true as const),
      big: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      signed: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      unknown: fc.array(
        fc.record({ type: fc.integer({ min: 100, max: 0x3fff }), payload: fc.uint8Array({ maxLength: 9 }) }),
        { minLength: 1 },
      ),
    },
    { requiredKeys: [] },
  )
  .chain((base) =>
    fc.constantFrom<Sample>(
      base,
      { ...base, kind: "inner", data: { one: 7 } },
      { ...base, kind: "other", data: { port: 4789 } },
      { ...base, kind: "novel" },
    ),
  );

describe("attribute table", () => {
  test("writes length, type, flags, byte order and padding as the kernel reads them", () => {
    const value: Sample = { name: "eth0", count: 3, kind: "other", data: { port: 4789 }, on: true };
    expect(table.encode(value)).toEqual(
      hexBytes(`
        09 00 01 00   # length 9, S_NAME
        65 74 68 30   # "eth0"
        00 00 00 00   # NUL, padding
        05 00 02 00   # length 5, S_COUNT
        03 00 00 00   # 3, padding
        09 00 07 00   # length 9, S_KIND
        6f 74 68 65   # "othe"
        72 00 00 00   # "r", padding
        0c 00 08 80   # length 12, S_DATA with NLA_F_NESTED
        06 00 01 00   # length 6, OTHER_PORT
        12 b5 00 00   # 4789 big-endian, padding
        04 00 06 00   # length 4, S_ON
      `),
    );
  });

  test("gives back every value it wrote", () => {
    fc.assert(
      fc.property(valueArbitrary, (value) => {
        expect(table.decode(table.encode(value))).toEqual(value);
      }),
    );
  });

  test("keeps unknown attributes, flags included, and writes them again", () => {
    const wire = hexBytes(`
      08 00 63 c0   # type 99, NLA_F_NESTED | NLA_F_NET_BYTEORDER
      de ad be ef
      05 00 02 00   # S_COUNT
      01 00 00 00
      05 00 62 00   # type 98
      2a 00 00 00
    `);
    const value = table.decode(wire);
    expect(value).toEqual({
      count: 1,
      unknown: [
        { type: 99, flags: 0xc000, payload: Uint8Array.of(0xde, 0xad, 0xbe, 0xef) },
        { type: 98, payload: Uint8Array.of(0x2a) },
      ],
    });
    expect(table.decode(table.encode(value))).toEqual(value);
  });

  test("keeps the data of a kind it does not know, wherever the kind stands", () => {
    const wire = hexBytes(`
      08 00 08 80   # S_DATA before its kind
      01 02 03 04
      09 00 07 00   # S_KIND "novel"
      6e 6f 76 65 6c 00 00 00
    `);
    const value = table.decode(wire);
    expect(value.kind).toBe("novel");
    expect(value.unknown).toEqual([{ type: 8, flags: 0x8000, payload: Uint8Array.of(1, 2, 3, 4) }]);
    expect(table.decode(table.encode(value))).toEqual(value);
  });

  test("does not take a kind for a property that every object has", () => {
    const wire = table.encode({ kind: "constructor", unknown: [{ type: 8, payload: new Uint8Array(4) }] });
    expect(table.decode(wire).unknown).toHaveLength(1);
  });

  test("reads data before its kind", () => {
    const value = table.decode(
      Uint8Array.of(
        ...table.encode({ unknown: [{ type: 8, payload: otherTable.encode({ port: 1 }) }] }),
        ...table.encode({ kind: "other" }),
      ),
    );
    expect(value).toEqual({ kind: "other", data: { port: 1 } });
  });

  test("copies what it keeps: the caller may reuse the buffer", () => {
    const wire = table.encode({ unknown: [{ type: 50, payload: Uint8Array.of(1, 2, 3, 4) }] });
    const value = table.decode(wire);
    wire.fill(0xff);
    expect(value.unknown?.[0]?.payload).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  test("names the attribute, its nest and both lengths when a payload is too short", () => {
    const wire = table.encode({ unknown: [{ type: 3, payload: hexBytes("06 00 01 00 01 02 00 00") }] });
    const error = refusalOf(() => table.decode(wire));
    expect(error.code).toBe("decode-failure");
    expect(error.message).toContain("S_INNER/INNER_ONE: expected 4 bytes, got 2");
  });

  test.each([
    ["below its header", "03 00 01 00"],
    ["beyond the end", "09 00 01 00 65 74 68 30"],
    ["cut in its header", "05 00 02 00 01 00 00 00 04 00"],
  ])("refuses an attribute whose length is %s", (_, hex) => {
    expect(refusalOf(() => table.decode(hexBytes(hex))).code).toBe("decode-failure");
  });

  test("throws nothing but decode-failure on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (wire) => {
        try {
          const value = table.decode(wire);
          expect(table.decode(table.encode(value))).toEqual(value);
        } catch (error) {
          if (!(error instanceof FairleadError)) throw error;
          expect(error.code).toBe("decode-failure");
        }
      }),
    );
  });

  test.each<[string, Sample, string]>([
    ["a number too large", { count: 256 }, "S_COUNT: 256 does not fit u8 (0 to 255)"],
    ["a negative number", { count: -1 }, "S_COUNT: -1 does not fit u8"],
    ["a fraction", { inner: { one: 0.5 } }, "S_INNER/INNER_ONE: 0.5 does not fit u32"],
    ["a bigint too large", { big: 2n ** 64n }, "S_BIG"],
    ["a NUL inside a name", { name: "a\0b" }, "S_NAME"],
  ])("refuses to write %s", (_, value, text) => {
    const error = refusalOf(() => table.encode(value));
    expect(error.code).toBe("unsupported-field");
    expect(error.message).toContain(text);
  });

  test("refuses to write a payload beyond what a u16 length can say", () => {
    const payload = new Uint8Array(65_532);
    expect(refusalOf(() => table.encode({ unknown: [{ type: 1, payload }] })).code).toBe("unsupported-field");
  });

  test("refuses list elements of another type", () => {
    const wire = hexBytes("0c 00 04 80 08 00 02 00 00 00 00 00");
    expect(refusalOf(() => table.decode(wire)).message).toContain("S_ITEMS/S_ITEM: expected type 1, got 2");
  });
});
