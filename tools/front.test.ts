import { PAYLOAD_TRAILER } from "../plugins/front/constants.ts";
import { attach, layOut, readSegments } from "./front.ts";
import { readSections } from "./front-sections.ts";

const PT_NULL = 0;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const PT_PHDR = 6;
const HEADERS_AT = 64;
const HEADER_BYTES = 56;
const INTERPRETER = "/lib/ld.so";
const INTERPRETER_AT = 0x300;
const PAYLOAD_AT = 0x400;
const NAMES_AT = 0x4a0;
const SECTIONS_AT = 0x500;
const ROOM = 0x2_0000;

interface Header {
  readonly type: number;
  readonly offset?: number;
  readonly address?: number;
  readonly bytes?: number;
}

const PAYLOAD = Buffer.concat([Buffer.from("modules"), Buffer.from(PAYLOAD_TRAILER, "latin1")]);
const NAMES = "\0.bun\0.names\0";

/** An ELF file with these program headers, and two sections: .bun at 0x31_0400 with a payload, and the names. */
function elf(headers: readonly Header[], entry: number, payload = PAYLOAD): Buffer {
  const image = Buffer.alloc(SECTIONS_AT + 3 * 64);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]).copy(image);
  image.writeBigUInt64LE(BigInt(entry), 24);
  image.writeBigUInt64LE(BigInt(HEADERS_AT), 32);
  image.writeBigUInt64LE(BigInt(SECTIONS_AT), 40);
  image.writeUInt16LE(headers.length, 56);
  [3, 2].forEach((value, index) => void image.writeUInt16LE(value, 60 + index * 2));
  image.write(`${INTERPRETER}\0`, INTERPRETER_AT, "latin1");
  image.writeBigUInt64LE(BigInt(payload.length), PAYLOAD_AT);
  payload.copy(image, PAYLOAD_AT + 8);
  image.write(NAMES, NAMES_AT, "latin1");
  headers.forEach(({ type, offset = 0, address = offset, bytes = 0x10 }, index) => {
    const at = HEADERS_AT + index * HEADER_BYTES;
    image.writeUInt32LE(type, at);
    image.writeUInt32LE(4, at + 4);
    writeWords(image, at + 8, [offset, address, address, bytes, bytes, 0x1000]);
  });
  writeSection(image, 1, { nameAt: 1, words: [3, 0x31_0400, PAYLOAD_AT, 8 + payload.length] });
  writeSection(image, 2, { nameAt: NAMES.indexOf(".names"), words: [0, 0, NAMES_AT, NAMES.length] });
  return image;
}

function writeWords(image: Buffer, at: number, words: readonly number[]): void {
  words.forEach((value, index) => void image.writeBigUInt64LE(BigInt(value), at + index * 8));
}

/** `words`: flags, address, offset, size. */
function writeSection(
  image: Buffer,
  index: number,
  { nameAt, words }: { nameAt: number; words: readonly number[] },
): void {
  const at = SECTIONS_AT + index * 64;
  image.writeUInt32LE(nameAt, at);
  image.writeUInt32LE(1, at + 4);
  writeWords(image, at + 8, words);
}

const interpreter: Header = { type: PT_INTERP, offset: INTERPRETER_AT, bytes: INTERPRETER.length + 1 };
const text: Header = { type: PT_LOAD, offset: 0, address: 0x20_0000, bytes: 0x380 };
const data: Header = { type: PT_LOAD, offset: 0x400, address: 0x31_0400, bytes: 0x80 };
const program = (payload = PAYLOAD): Buffer =>
  elf(
    [
      { type: PT_PHDR, offset: 64, address: 0x20_0040, bytes: 5 * HEADER_BYTES },
      interpreter,
      text,
      data,
      { type: PT_NOTE, offset: 0x380 },
    ],
    0x200100,
    payload,
  );
const front = (address: number, bytes = 0x80): Buffer =>
  elf([{ type: PT_LOAD, offset: 0x400, address, bytes }], address + 0x20);

test("the front goes before everything else", () => {
  expect(layOut(program())).toEqual({
    interpreter: INTERPRETER,
    interpreterHeader: 1,
    entry: 0x200100n,
    headersAddress: 0x1e_0000,
    address: 0x1f_0000,
    payloadAddress: 0x31_0400,
    payloadBytes: PAYLOAD.length,
  });
});

test("the kernel loads it instead of the dynamic linker and enters it; all else stays where it is in memory", () => {
  const before = program();
  const layout = layOut(before);
  const after = attach(before, layout, front(layout.address));
  expect(after.readBigUInt64LE(24)).toBe(0x1f_0020n);
  const shown = readSegments(after).map(({ type, flags, offset, address }) => [type, flags, offset, address]);
  expect(shown).toEqual([
    [PT_PHDR, 4, 64, 0x1e_0040],
    [PT_NULL, 4, ROOM + INTERPRETER_AT, INTERPRETER_AT],
    [PT_LOAD, 4, 0, 0x1e_0000],
    [PT_LOAD, 5, 0x1_0000, 0x1f_0000],
    [PT_LOAD, 4, ROOM, 0x20_0000],
    [PT_LOAD, 4, ROOM + 0x400, 0x31_0400],
    [PT_NOTE, 4, ROOM + 0x380, 0x380],
  ]);
  const [headers] = readSegments(after);
  expect([headers?.fileBytes, headers?.memoryBytes]).toEqual([7 * HEADER_BYTES, 7 * HEADER_BYTES]);
  expect(after.subarray(0x1_0000, 0x1_0080).equals(front(layout.address).subarray(0x400, 0x480))).toBe(true);
  expect(after.subarray(ROOM, ROOM + before.length).equals(before)).toBe(true);
});

test("all that the program needs is in sections, which is what strip keeps", () => {
  const layout = layOut(program());
  const image = attach(program(), layout, front(layout.address));
  const sections = readSections(image).map(({ name, address, offset, bytes }) => [
    name,
    address,
    offset,
    bytes,
  ]);
  expect(sections).toEqual([
    ["", 0, 0, 0],
    [".bun", 0x31_0400, ROOM + PAYLOAD_AT, 8 + PAYLOAD.length],
    [".names", 0, ROOM + program().length, expect.any(Number)],
    [".fairlead_front", 0x1f_0000, 0x1_0000, 0x80],
    // Behind the payload is nothing but zeros.
    [".fairlead_unnamed", 0x20_0000, ROOM, 0x380],
  ]);
});

test.each<[string, () => Buffer, string]>([
  ["another file", () => Buffer.from("#!/bin/sh"), "no 64-bit little-endian ELF file"],
  ["a static program", () => elf([text, data], 1), "no dynamic linker"],
  ["a program at the lowest address", () => elf([interpreter, { ...text, address: 0x2_0000 }], 1), "no room"],
  ["a program at an odd address", () => elf([interpreter, { ...text, address: 0x20_1000 }], 1), "no room"],
  ["a first segment without the headers", () => elf([interpreter, { ...text, offset: 0x10 }], 1), "no room"],
  ["a dynamic linker behind the first segment", () => elf([text, interpreter], 1), "no room"],
  ["a payload without its trailer", () => program(Buffer.from("modules")), "payload is not where"],
])("%s is refused", (_, image, message) => {
  expect(() => layOut(image())).toThrow(message);
});

test("a second front is refused", () => {
  const layout = layOut(program());
  expect(() => layOut(attach(program(), layout, front(layout.address)))).toThrow("is there a front already?");
});

test.each([
  ["that is linked to another place", 0x1000, 0x80, "not linked to its place"],
  ["that is too long", 0, 0x1_0001, "does not fit"],
])("a front %s is refused", (...[_, shift, bytes, message]) => {
  const layout = layOut(program());
  expect(() => attach(program(), layout, front(layout.address + shift, bytes))).toThrow(message);
});
