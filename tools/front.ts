/**
 * Puts the front (plugins/front) in front of a compiled executable: the kernel enters it first, and it enters the runtime.
 *
 * The executable gets one more segment, behind everything else in the file and in memory. Its header takes the place of
 * PT_NOTE's, which nothing needs at run time. PT_INTERP loses its type, so that the kernel does not load the dynamic linker
 * before the front is asked; the front gives the type back when it loads it.
 *
 * Source: System V ABI, "Program Loading"; include/uapi/linux/elf.h.
 *
 * Usage: node tools/front.ts EXECUTABLE BUILD
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FrontOf, frontConstants } from "../plugins/front/constants.ts";

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
const PT_NOTE = 4;
const READ_AND_EXECUTE = 5;
const HEADER_BYTES = 56;
/** Largest page of the processors that we know: segments lie at a multiple of it, in the file as in memory. */
const ALIGNMENT = 0x1_0000;

export interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

/** Reads the program headers. @throws Error for what is no 64-bit little-endian ELF file. */
export function readSegments(image: Buffer): Segment[] {
  if (image.length < 64 || image.readUInt32LE(0) !== ELF_MAGIC || image[4] !== 2 || image[5] !== 1) {
    throw new Error("it is no 64-bit little-endian ELF file");
  }
  return Array.from({ length: image.readUInt16LE(56) }, (_, index) => {
    const at = headerAt(image, index);
    return {
      type: image.readUInt32LE(at),
      offset: Number(image.readBigUInt64LE(at + 8)),
      address: Number(image.readBigUInt64LE(at + 16)),
      fileBytes: Number(image.readBigUInt64LE(at + 32)),
      memoryBytes: Number(image.readBigUInt64LE(at + 40)),
    };
  });
}

function headerAt(image: Buffer, index: number): number {
  return Number(image.readBigUInt64LE(32)) + index * HEADER_BYTES;
}

const alignedUp = (value: number): number => Math.ceil(value / ALIGNMENT) * ALIGNMENT;

/** What the executable's headers say, and where the front goes. */
interface Layout {
  readonly interpreter: string;
  readonly interpreterHeader: number;
  readonly noteHeader: number;
  readonly entry: bigint;
  /** Of the front, in memory and in the file. */
  readonly address: number;
  readonly offset: number;
}

/** @throws Error for an executable that it does not understand. */
export function layOut(image: Buffer): Layout {
  const segments = readSegments(image);
  const interpreterHeader = segments.findIndex(({ type }) => type === PT_INTERP);
  const noteHeader = segments.findIndex(({ type }) => type === PT_NOTE);
  const lastLoad = segments.findLastIndex(({ type }) => type === PT_LOAD);
  const { offset, fileBytes } = segments[interpreterHeader] ?? { offset: 0, fileBytes: 0 };
  if (fileBytes === 0) throw new Error("it has no dynamic linker: is there a front already?");
  // Headers of PT_LOAD stand in the order of their addresses.
  if (noteHeader < lastLoad) throw new Error("it has no header to spare behind the last PT_LOAD");
  return {
    interpreter: image.toString("latin1", offset, offset + fileBytes - 1),
    interpreterHeader,
    noteHeader,
    entry: image.readBigUInt64LE(24),
    address: alignedUp(
      Math.max(...segments.filter(({ type }) => type === PT_LOAD).map((s) => s.address + s.memoryBytes)),
    ),
    offset: alignedUp(image.length),
  };
}

/** The program that `front` (an ELF file) loads, put into `image`. */
export function attach(image: Buffer, layout: Layout, front: Buffer): Buffer {
  const segment = readSegments(front).find(({ type }) => type === PT_LOAD);
  if (segment?.address !== layout.address) throw new Error("the front is not linked to its place");
  const code = front.subarray(segment.offset, segment.offset + segment.fileBytes);
  const whole = Buffer.alloc(layout.offset + code.length);
  image.copy(whole);
  code.copy(whole, layout.offset);
  whole.writeUInt32LE(PT_NULL, headerAt(whole, layout.interpreterHeader));
  writeLoadHeader(whole, layout, code.length);
  whole.writeBigUInt64LE(front.readBigUInt64LE(24), 24);
  return whole;
}

function writeLoadHeader(image: Buffer, { noteHeader, offset, address }: Layout, bytes: number): void {
  const at = headerAt(image, noteHeader);
  image.writeUInt32LE(PT_LOAD, at);
  image.writeUInt32LE(READ_AND_EXECUTE, at + 4);
  [offset, address, address, bytes, bytes, ALIGNMENT].forEach((value, index) => {
    image.writeBigUInt64LE(BigInt(value), at + 8 + index * 8);
  });
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
