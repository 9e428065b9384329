import { hexBytes } from "../../test/support/kernel/hex.ts";
import { compressedName, foldName, labelsOf, plainName } from "./name.ts";
import { Writer } from "./writer.ts";

const read = (bytes: Uint8Array, at = 0) => compressedName.read(bytes, at, bytes.length);

function written(...names: readonly string[]): Uint8Array {
  const out = new Writer(65_535);
  for (const name of names) compressedName.write(out, name);
  return out.finish();
}

test.each([
  ["", "00"],
  ["a", "01 61 00"],
  ["Web.Example", "03 57 65 62 07 45 78 61 6d 70 6c 65 00"],
  ["a\\.b.c", "03 61 2e 62 01 63 00"],
  ["a\\\\b", "03 61 5c 62 00"],
  ["a\\032b\\000\\255", "05 61 20 62 00 ff 00"],
  ["\\.", "01 2e 00"],
])("%j has exactly one text and one form on the wire", (name, hex) => {
  expect(written(name)).toEqual(hexBytes(hex));
  expect(read(hexBytes(hex))).toEqual({ value: name, next: hexBytes(hex).length });
});

test("the end of a name that is there already becomes a pointer, in the same case only", () => {
  expect(written("web.net", "db.net", "NET", "net")).toEqual(
    hexBytes(`03 77 65 62 03 6e 65 74 00   # web.net at 0
              02 64 62 c0 04               # db, then net at 4
              03 4e 45 54 00               # NET is another spelling
              c0 04`),
  );
});

test("a name of a younger record type is never shortened", () => {
  const out = new Writer(100);
  compressedName.write(out, "web.net");
  plainName.write(out, "web.net");
  expect(out.length).toBe(18);
});

test("after a pointer goes on what follows it, not what it leads to", () => {
  const bytes = hexBytes("01 61 00 01 62 c0 00 ff");
  expect(read(bytes, 3)).toEqual({ value: "b.a", next: 7 });
});

test.each([
  ["to itself", "c0 00", 0],
  ["forwards", "c0 02 01 61 00", 0],
  ["into what was read of the name", "01 61 c0 00", 0],
  ["back and forth", "c0 02 c0 00", 2],
  ["to a label that runs into the name again", "02 61 61 00 01 62 c0 00".replace("00 01", "01 01"), 4],
])("a pointer %s is refused", (_what, hex, at) => {
  expect(() => read(hexBytes(hex), at)).toThrow(/DNS message/);
});

/** `hops` pointers, each to the one before it, the first to the root. */
function chained(hops: number): Uint8Array {
  const bytes = new Uint8Array(2 * hops + 2);
  for (let hop = 1; hop <= hops; hop++) {
    const target = 2 * (hop - 1);
    bytes.set([0xc0 | (target >> 8), target & 0xff], 2 * hop);
  }
  return bytes;
}

test("126 pointers, each one back, are the most: as many as labels of one byte need", () => {
  expect(read(chained(126), 252)).toEqual({ value: "", next: 254 });
  expect(() => read(chained(127), 254)).toThrow(/more than 126 pointers/);
  const labels = Array.from({ length: 127 }, (_, index) => String.fromCharCode(97 + (index % 26)));
  const out = new Writer(4_096);
  // Each suffix is written before the name that ends in it: every one is a label and a pointer.
  const offsets = labels.map((_, index) => {
    const at = out.length;
    compressedName.write(out, labels.slice(-1 - index).join("."));
    return at;
  });
  expect(compressedName.read(out.finish(), offsets[126] ?? -1, out.length).value).toBe(labels.join("."));
});

test.each([
  ["a label beyond the end", "05 61 62"],
  ["no end", "01 61"],
  ["half a pointer", "c0"],
  ["a label of a kind that was never defined", "41 61 00"],
  ["more than 255 bytes", `${`3f ${"61 ".repeat(63)}`.repeat(4)} 00`],
])("a name with %s is refused", (_what, hex) => {
  expect(() => read(hexBytes(hex))).toThrow(expect.objectContaining({ code: "decode-failure" }));
});

test("255 bytes are the most", () => {
  const labels = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)];
  expect(read(written(labels.join("."))).value).toBe(labels.join("."));
  expect(() => written(`${labels.join(".")}d`)).toThrow(
    expect.objectContaining({ code: "unsupported-field" }),
  );
});

test.each(["a..b", ".a", "a.", "a".repeat(64), "ä€"])("%j cannot be written", (name) => {
  expect(() => written(name)).toThrow(expect.objectContaining({ code: "unsupported-field" }));
});

test("labels are split at dots that separate", () => {
  expect(labelsOf("")).toEqual([]);
  expect(labelsOf("a.b")).toEqual(["a", "b"]);
  expect(labelsOf("a\\.b.c\\\\.d")).toEqual(["a\\.b", "c\\\\", "d"]);
  expect(labelsOf("a\\.")).toEqual(["a\\."]);
});

test("names are compared without case", () => {
  expect(foldName("Web.NET")).toBe("web.net");
});
