import { attach, layOut, readSegments } from "./front.ts";

const PT_NULL = 0;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const HEADERS_AT = 64;
const HEADER_BYTES = 56;
const INTERPRETER = "/lib/ld.so";
const INTERPRETER_AT = 0x300;

interface Header {
  readonly type: number;
  readonly offset?: number;
  readonly address?: number;
  readonly bytes?: number;
}

/** An ELF file of so many bytes, with these program headers. */
function elf(headers: readonly Header[], entry: number, size = 0x500): Buffer {
  const image = Buffer.alloc(size, 0xaa);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]).copy(image);
  image.writeBigUInt64LE(BigInt(entry), 24);
  image.writeBigUInt64LE(BigInt(HEADERS_AT), 32);
  image.writeUInt16LE(headers.length, 56);
  image.write(`${INTERPRETER}\0`, INTERPRETER_AT, "latin1");
  headers.forEach(({ type, offset = 0, address = offset, bytes = 0x10 }, index) => {
    const at = HEADERS_AT + index * HEADER_BYTES;
    image.writeUInt32LE(type, at);
    image.writeUInt32LE(4, at + 4);
    [offset, address, address, bytes, bytes, 0x1000].forEach((value, word) => {
      image.writeBigUInt64LE(BigInt(value), at + 8 + word * 8);
    });
  });
  return image;
}

const interpreter: Header = { type: PT_INTERP, offset: INTERPRETER_AT, bytes: INTERPRETER.length + 1 };
const program = (): Buffer =>
  elf(
    [
      interpreter,
      { type: PT_LOAD, offset: 0, address: 0x200000, bytes: 0x500 },
      { type: PT_LOAD, offset: 0x400, address: 0x31_0400, bytes: 0x2_0000 },
      { type: PT_NOTE, offset: 0x380 },
    ],
    0x200100,
  );
const front = (address: number): Buffer =>
  elf([{ type: PT_LOAD, offset: 0x400, address, bytes: 0x80 }], address + 0x20);

test("the front goes behind everything else, in the file and in memory", () => {
  expect(layOut(program())).toEqual({
    interpreter: INTERPRETER,
    interpreterHeader: 0,
    noteHeader: 3,
    entry: 0x200100n,
    address: 0x34_0000,
    offset: 0x1_0000,
  });
});

test("the kernel loads it instead of the dynamic linker and enters it; all else stays", () => {
  const before = program();
  const layout = layOut(before);
  const after = attach(before, layout, front(layout.address));
  expect(after.readBigUInt64LE(24)).toBe(0x34_0020n);
  const segments = readSegments(after);
  expect(segments.map(({ type }) => type)).toEqual([PT_NULL, PT_LOAD, PT_LOAD, PT_LOAD]);
  expect(segments[3]).toMatchObject({
    offset: 0x1_0000,
    address: 0x34_0000,
    fileBytes: 0x80,
    memoryBytes: 0x80,
  });
  expect(after.subarray(0x1_0000).equals(front(layout.address).subarray(0x400, 0x480))).toBe(true);
  // Of the program only the entry, one type and one header are others.
  const changed = [...before.keys()].filter((at) => before[at] !== after[at]);
  const noteAt = HEADERS_AT + 3 * HEADER_BYTES;
  expect(changed.filter((at) => !(at >= 24 && at < 32) && at !== HEADERS_AT && at < noteAt)).toEqual([]);
  expect(Math.max(...changed)).toBeLessThan(noteAt + HEADER_BYTES);
  expect(after.length).toBe(0x1_0080);
});

test.each<[string, () => Buffer, string]>([
  ["another file", () => Buffer.from("#!/bin/sh"), "no 64-bit little-endian ELF file"],
  ["a static program", () => elf([{ type: PT_LOAD }, { type: PT_NOTE }], 1), "no dynamic linker"],
  [
    "a program without a header to spare",
    () => elf([interpreter, { type: PT_LOAD }], 1),
    "no header to spare",
  ],
  [
    "a header to spare before the last PT_LOAD",
    () => elf([interpreter, { type: PT_NOTE }, { type: PT_LOAD }], 1),
    "no header to spare",
  ],
])("%s is refused", (_, image, message) => {
  expect(() => layOut(image())).toThrow(message);
});

test("a second front is refused", () => {
  const layout = layOut(program());
  expect(() => layOut(attach(program(), layout, front(layout.address)))).toThrow("is there a front already?");
});

test("a front that is linked to another place is refused", () => {
  const layout = layOut(program());
  expect(() => attach(program(), layout, front(layout.address + 0x1000))).toThrow("not linked to its place");
});
