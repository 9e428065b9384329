/** Section headers of an ELF file, as far as the front needs them. Source: System V ABI, "Sections". */

const HEADER_BYTES = 64;
const SHT_NULL = 0;
const SHT_PROGBITS = 1;
/** Flags of sections: what a program writes to, what it has in memory, what it executes. */
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;

export interface Section {
  readonly name: string;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly bytes: number;
}

function headersOf(image: Buffer): Buffer[] {
  const table = Number(image.readBigUInt64LE(40));
  return Array.from({ length: image.readUInt16LE(60) }, (_, index) => {
    return image.subarray(table + index * HEADER_BYTES, table + (index + 1) * HEADER_BYTES);
  });
}

const word = (header: Buffer | undefined, place: number): number =>
  Number(header?.readBigUInt64LE(place) ?? 0n);

/** The section that holds the sections' names. */
function namesOf(image: Buffer): Buffer {
  const header = headersOf(image)[image.readUInt16LE(62)];
  return image.subarray(word(header, 24), word(header, 24) + word(header, 32));
}

/** Every section of the file; none when it has no headers of them. */
export function readSections(image: Buffer): Section[] {
  const names = namesOf(image);
  return headersOf(image).map((header) => {
    const at = header.readUInt32LE(0);
    const name = names.toString("latin1", at, names.indexOf(0, at));
    return {
      name,
      flags: word(header, 8),
      address: word(header, 16),
      offset: word(header, 24),
      bytes: word(header, 32),
    };
  });
}

/** Part of the memory that a program is given. */
export interface LoadedPart {
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/**
 * What of `part` is in no section and not zero, as sections. strip(1) drops it otherwise, and Bun has such bytes: the address of
 * its payload, which it writes where the section .bun once was.
 */
export function unnamedSections(image: Buffer, part: LoadedPart): Section[] {
  const end = part.address + part.fileBytes;
  const inside = readSections(image)
    .filter(({ flags, address }) => (flags & SHF_ALLOC) !== 0 && address >= part.address && address < end)
    .toSorted((a, b) => a.address - b.address);
  const starts = [...inside.map(({ address }) => address), end];
  const ends = [part.address, ...inside.map(({ address, bytes }) => address + bytes)];
  return starts.flatMap((start, index) => {
    const address = ends[index] ?? start;
    const offset = part.offset + address - part.address;
    const bytes = Math.max(0, start - address);
    if (image.subarray(offset, offset + bytes).every((byte) => byte === 0)) return [];
    return [{ name: ".fairlead_unnamed", flags: SHF_WRITE, address, offset, bytes }];
  });
}

/**
 * The sections of an image that moves up by `shift` in its file, and more, whose offsets are those of the new file: names and
 * table, to stand right behind the image.
 * `tableAt`: where in these bytes the table begins.
 */
export function extendSections(
  image: Buffer,
  shift: number,
  added: readonly Section[],
): { readonly bytes: Buffer; readonly tableAt: number; readonly count: number } {
  const oldNames = namesOf(image);
  const names = Buffer.concat([
    oldNames,
    Buffer.from(added.map(({ name }) => `${name}\0`).join(""), "latin1"),
  ]);
  const padding = Buffer.alloc(-(image.length + names.length) & 7);
  const old = headersOf(image).map((header, index) => {
    const isNames = index === image.readUInt16LE(62);
    return isNames ? movedNames(header, shift + image.length, names.length) : moved(header, shift);
  });
  let nameAt = oldNames.length;
  const more = added.map((section) => {
    const header = encodeSection(section, nameAt);
    nameAt += section.name.length + 1;
    return header;
  });
  const table = [...old, ...more];
  const tableAt = names.length + padding.length;
  return { bytes: Buffer.concat([names, padding, ...table]), tableAt, count: table.length };
}

function moved(header: Buffer, shift: number): Buffer {
  const copy = Buffer.from(header);
  if (copy.readUInt32LE(4) !== SHT_NULL) copy.writeBigUInt64LE(copy.readBigUInt64LE(24) + BigInt(shift), 24);
  return copy;
}

function movedNames(header: Buffer, offset: number, bytes: number): Buffer {
  const copy = Buffer.from(header);
  copy.writeBigUInt64LE(BigInt(offset), 24);
  copy.writeBigUInt64LE(BigInt(bytes), 32);
  return copy;
}

function encodeSection({ flags, address, offset, bytes }: Section, nameAt: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(nameAt, 0);
  header.writeUInt32LE(SHT_PROGBITS, 4);
  [SHF_ALLOC | flags, address, offset, bytes].forEach((value, index) => {
    header.writeBigUInt64LE(BigInt(value), 8 + index * 8);
  });
  header.writeBigUInt64LE(1n, 48);
  return header;
}
