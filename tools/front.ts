/**
 * Puts the front (plugins/front) in front of a compiled executable: the kernel enters it first, and it enters the runtime.
 *
 * The executable gets two more segments, before everything else in the file and in memory: one that holds its program headers,
 * and the front. Everything else moves up in the file, and stays where it is in memory. So the front is there, and can say so,
 * when the rest of the file is not. PT_INTERP loses its type, so that the kernel does not load the dynamic linker before the
 * front is asked; the front gives the type back when it loads it. Whatever is needed is in a section, too: strip(1) keeps
 * nothing else.
 *
 * Source: System V ABI, "Program Loading"; include/uapi/linux/elf.h.
 *
 * Usage: node tools/front.ts EXECUTABLE BUILD
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FrontOf, frontConstants, PAYLOAD_TRAILER } from "../plugins/front/constants.ts";
import {
  extendSections,
  readSections,
  type Section,
  SHF_EXECINSTR,
  unnamedSections,
} from "./front-sections.ts";

const SOURCES = join(import.meta.dirname, "../plugins/front");

/** Warnings are errors; nothing of a C library; no code but what is written. */
const COMPILER_FLAGS = `
  -std=c11 -Os -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Werror
  -ffreestanding -fpie -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none
  -fno-tree-loop-distribute-patterns -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack`
  .trim()
  .split(/\s+/);

const ELF_MAGIC = 0x46_4c_45_7f;
const PT_NULL = 0;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_PHDR = 6;
const READ = 4;
const READ_AND_EXECUTE = 5;
const FILE_HEADER_BYTES = 64;
const HEADER_BYTES = 56;
/** Largest page of the processors that we know: segments lie at a multiple of it, in the file as in memory. */
const ALIGNMENT = 0x1_0000;

/** What goes before everything else: one unit for the headers, one for the front. Pages of their own have rights of their own. */
const ROOM = 2 * ALIGNMENT;
/** Nothing is mapped below it. Source: vm.mmap_min_addr, Documentation/admin-guide/sysctl/vm.rst. */
const LOWEST_ADDRESS = 0x1_0000;

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly alignment: number;
}

/** Reads the program headers. @throws Error for what is no 64-bit little-endian ELF file. */
export function readSegments(image: Buffer): Segment[] {
  if (
    image.length < FILE_HEADER_BYTES ||
    image.readUInt32LE(0) !== ELF_MAGIC ||
    image[4] !== 2 ||
    image[5] !== 1
  ) {
    throw new Error("it is no 64-bit little-endian ELF file");
  }
  const table = Number(image.readBigUInt64LE(32));
  return Array.from({ length: image.readUInt16LE(56) }, (_, index) => {
    const at = table + index * HEADER_BYTES;
    const word = (place: number): number => Number(image.readBigUInt64LE(at + place));
    return {
      type: image.readUInt32LE(at),
      flags: image.readUInt32LE(at + 4),
      offset: word(8),
      address: word(16),
      fileBytes: word(32),
      memoryBytes: word(40),
      alignment: word(48),
    };
  });
}

/** What the executable's headers say, and where the front goes. */
interface Layout {
  readonly interpreter: string;
  /** Index of its program header in the new table. */
  readonly interpreterHeader: number;
  readonly entry: bigint;
  /** Of the headers in memory; in the file they are at its beginning. */
  readonly headersAddress: number;
  /** Of the front. */
  readonly address: number;
  /** What Bun put in: where it is in memory, and how long it says it is. */
  readonly payloadAddress: number;
  readonly payloadBytes: number;
}

/** @throws Error for an executable that it does not understand. */
export function layOut(image: Buffer): Layout {
  const segments = readSegments(image);
  const interpreterHeader = segments.findIndex(({ type }) => type === PT_INTERP);
  const firstLoad = segments.findIndex(({ type }) => type === PT_LOAD);
  const { offset, fileBytes } = segments[interpreterHeader] ?? { offset: 0, fileBytes: 0 };
  const first = segments[firstLoad];
  if (fileBytes === 0 || !first) throw new Error("it has no dynamic linker: is there a front already?");
  const hasRoom = first.address % ALIGNMENT === 0 && first.address >= ROOM + LOWEST_ADDRESS;
  if (!hasRoom || first.offset !== 0 || firstLoad < interpreterHeader) {
    throw new Error("it has no room before its first segment");
  }
  return {
    interpreter: image.toString("latin1", offset, offset + fileBytes - 1),
    interpreterHeader,
    entry: image.readBigUInt64LE(24),
    headersAddress: first.address - ROOM,
    address: first.address - ROOM + ALIGNMENT,
    ...payloadOf(image),
  };
}

/** Source: Bun, src/exe_format/elf.zig: section .bun, `u64 bytes | bytes`, which end with a trailer. */
function payloadOf(image: Buffer): Pick<Layout, "payloadAddress" | "payloadBytes"> {
  const payload = readSections(image).find(({ name }) => name === ".bun");
  const bytes = payload ? Number(image.readBigUInt64LE(payload.offset)) : 0;
  const end = (payload?.offset ?? 0) + 8 + bytes;
  if (!payload || image.toString("latin1", end - PAYLOAD_TRAILER.length, end) !== PAYLOAD_TRAILER) {
    throw new Error("Bun's payload is not where it is looked for; this Bun keeps it elsewhere");
  }
  return { payloadAddress: payload.address, payloadBytes: bytes };
}

/** The program that `front` (an ELF file) loads, put into `image`. */
export function attach(image: Buffer, layout: Layout, front: Buffer): Buffer {
  const segment = readSegments(front).find(({ type }) => type === PT_LOAD);
  if (segment?.address !== layout.address) throw new Error("the front is not linked to its place");
  if (segment.fileBytes > ALIGNMENT) throw new Error("the front does not fit into its place");
  const code = front.subarray(segment.offset, segment.offset + segment.fileBytes);
  const headers = segmentsWithFront(readSegments(image), layout, code.length);
  const sections = extendSections(image, ROOM, addedSections(image, layout, code.length));
  const before = Buffer.alloc(ROOM);
  image.copy(before, 0, 0, FILE_HEADER_BYTES);
  before.writeBigUInt64LE(front.readBigUInt64LE(24), 24);
  before.writeBigUInt64LE(BigInt(FILE_HEADER_BYTES), 32);
  before.writeBigUInt64LE(BigInt(ROOM + image.length + sections.tableAt), 40);
  before.writeUInt16LE(headers.length, 56);
  before.writeUInt16LE(sections.count, 60);
  Buffer.concat(headers.map(encodeSegment)).copy(before, FILE_HEADER_BYTES);
  code.copy(before, ALIGNMENT);
  return Buffer.concat([before, image, sections.bytes]);
}

function addedSections(image: Buffer, { address }: Layout, bytes: number): Section[] {
  const unnamed = readSegments(image)
    .filter(({ type }) => type === PT_LOAD)
    .flatMap((segment) => unnamedSections(image, segment));
  const moved = unnamed.map((section) => ({ ...section, offset: section.offset + ROOM }));
  return [{ name: ".fairlead_front", flags: SHF_EXECINSTR, address, offset: ALIGNMENT, bytes }, ...moved];
}

function segmentsWithFront(segments: readonly Segment[], layout: Layout, codeBytes: number): Segment[] {
  const tableBytes = (segments.length + 2) * HEADER_BYTES;
  const load = { type: PT_LOAD, alignment: ALIGNMENT };
  const size = (bytes: number) => ({ fileBytes: bytes, memoryBytes: bytes });
  const own: Segment[] = [
    {
      ...load,
      ...size(FILE_HEADER_BYTES + tableBytes),
      flags: READ,
      offset: 0,
      address: layout.headersAddress,
    },
    { ...load, ...size(codeBytes), flags: READ_AND_EXECUTE, offset: ALIGNMENT, address: layout.address },
  ];
  const moved = segments.map((segment): Segment => {
    const offset = segment.offset + ROOM;
    if (segment.type === PT_INTERP) return { ...segment, offset, type: PT_NULL };
    if (segment.type !== PT_PHDR) return { ...segment, offset };
    const address = layout.headersAddress + FILE_HEADER_BYTES;
    return { ...segment, ...size(tableBytes), offset: FILE_HEADER_BYTES, address };
  });
  // Headers of PT_LOAD stand in the order of their addresses, and behind those of PT_PHDR and PT_INTERP.
  return moved.toSpliced(layout.interpreterHeader + 1, 0, ...own);
}

function encodeSegment({ type, flags, ...segment }: Segment): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(flags, 4);
  const { offset, address, fileBytes, memoryBytes, alignment } = segment;
  [offset, address, address, fileBytes, memoryBytes, alignment].forEach((value, index) => {
    bytes.writeBigUInt64LE(BigInt(value), 8 + index * 8);
  });
  return bytes;
}

/** Compiles and links the front for one executable. */
function compile(of: FrontOf, address: number): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-front-"));
  try {
    writeFileSync(join(directory, "constants.h"), frontConstants(of));
    const sources = readdirSync(SOURCES).filter((name) => name.endsWith(".c"));
    const output = join(directory, "front");
    const linking = [`-Wl,-T,${SOURCES}/front.ld`, `-Wl,--defsym=FRONT_ADDRESS=0x${address.toString(16)}`];
    const inputs = sources.map((name) => join(SOURCES, name));
    execFileSync("gcc", [...COMPILER_FLAGS, `-I${directory}`, ...linking, "-o", output, ...inputs], {
      stdio: "inherit",
    });
    return readFileSync(output);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function main(executable: string | undefined, build: string | undefined): void {
  if (!executable || !build) throw new Error("usage: front.ts EXECUTABLE BUILD");
  const image = readFileSync(executable);
  const layout = layOut(image);
  const front = compile({ ...layout, build }, layout.address);
  writeFileSync(executable, attach(image, layout, front));
  console.log(`front: ${front.length} bytes at 0x${layout.address.toString(16)}`);
}

if (process.argv[1]?.endsWith("front.ts")) main(process.argv[2], process.argv[3]);
