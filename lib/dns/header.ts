/**
 * The header of a message: twelve bytes, of which two hold flags.
 *
 * Source: RFC 1035 §4.1.1; RFC 4035 §3 for AD and CD; RFC 6895 §2 for the numbers.
 */
import { type Decoded, decodeFailure, expectBytes, u16 } from "./field.ts";
import type { Writer } from "./writer.ts";

export const HEADER_BYTES = 12;
/** The root as name, type and class. */
const LEAST_QUESTION_BYTES = 5;
/** The same, TTL, and the length of data that is empty. */
const LEAST_RECORD_BYTES = 11;

/** Where each flag stands in the second 16-bit word: lowest bit and width. */
const FLAG_BITS = {
  response: [15, 1],
  opcode: [11, 4],
  authoritative: [10, 1],
  truncated: [9, 1],
  recursionDesired: [8, 1],
  recursionAvailable: [7, 1],
  reserved: [6, 1],
  authenticData: [5, 1],
  checkingDisabled: [4, 1],
  responseCode: [0, 4],
} as const;

type BitName = {
  [K in keyof typeof FLAG_BITS]: (typeof FLAG_BITS)[K][1] extends 1 ? K : never;
}[keyof typeof FLAG_BITS];

/** Flags that are one bit are true or false, the two others numbers. */
export type Flags = Readonly<Record<BitName, boolean>> & {
  readonly opcode: number;
  /** The lower four bits; the upper eight are in an OPT record. */
  readonly responseCode: number;
};

export interface Header extends Flags {
  /** Chosen by the asker, repeated in the answer. */
  readonly id: number;
  readonly questionCount: number;
  readonly answerCount: number;
  readonly authorityCount: number;
  readonly additionalCount: number;
}

export const OPCODE_QUERY = 0;

/** Source: RFC 6895 §2.3. `badVersion` needs the upper bits of an OPT record. */
export const RESPONSE_CODES = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;

export type ResponseCodeName = keyof typeof RESPONSE_CODES;

/** The table as a list, made once: this is on the path of every query. */
const FLAG_ROWS = Object.entries(FLAG_BITS).map(([name, [bit, width]]) => ({
  name: name as keyof Flags,
  bit,
  mask: (1 << width) - 1,
}));

function readFlags(word: number): Flags {
  const flags: Record<string, unknown> = {};
  for (const { name, bit, mask } of FLAG_ROWS) {
    const value = (word >> bit) & mask;
    flags[name] = mask === 1 ? value === 1 : value;
  }
  return flags as unknown as Flags;
}

function flagsWord(flags: Flags): number {
  let word = 0;
  for (const { name, bit, mask } of FLAG_ROWS) word |= (Number(flags[name]) & mask) << bit;
  return word;
}

/** @throws FairleadError decode-failure for less than twelve bytes. */
export function readHeader(message: Uint8Array): Decoded<Header> {
  expectBytes(0, HEADER_BYTES, message.length);
  const word = (index: number): number => ((message[2 * index] ?? 0) << 8) | (message[2 * index + 1] ?? 0);
  const value = {
    id: word(0),
    ...readFlags(word(1)),
    questionCount: word(2),
    answerCount: word(3),
    authorityCount: word(4),
    additionalCount: word(5),
  };
  return { value, next: HEADER_BYTES };
}

/**
 * Refuses counts that the rest of the message has no room for, before anything is read by them.
 * @throws FairleadError decode-failure
 */
export function expectCounts(header: Header, sizeBytes: number): void {
  const { questionCount, answerCount, authorityCount, additionalCount } = header;
  const records = answerCount + authorityCount + additionalCount;
  const least = HEADER_BYTES + LEAST_QUESTION_BYTES * questionCount + LEAST_RECORD_BYTES * records;
  if (least > sizeBytes) {
    throw decodeFailure(
      `${questionCount} questions and ${records} records do not fit into ${sizeBytes} bytes`,
    );
  }
}

/** Writes the header; the counts may be patched later with {@link patchHeader}. */
export function writeHeader(out: Writer, header: Header): void {
  u16.write(out, header.id);
  out.unsigned(flagsWord(header), 2);
  u16.write(out, header.questionCount);
  u16.write(out, header.answerCount);
  u16.write(out, header.authorityCount);
  u16.write(out, header.additionalCount);
}

/** Rewrites flags and counts of a header that was written before. */
export function patchHeader(out: Writer, header: Header): void {
  out.patch(flagsWord(header), 2, 2);
  out.patch(header.questionCount, 4, 2);
  out.patch(header.answerCount, 6, 2);
  out.patch(header.authorityCount, 8, 2);
  out.patch(header.additionalCount, 10, 2);
}
