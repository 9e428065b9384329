/**
 * Whole DNS messages: header, questions, and three sections of records.
 *
 * Decoding keeps everything but the layout: which names were pointers. Encoding what was decoded and decoding it again
 * gives an equal message.
 *
 * Source: RFC 1035 §4.1; RFC 2181 §9 for truncation.
 */
import { type Decoded, decodeFailure, u16, u32 } from "./field.ts";
import { expectCounts, type Flags, HEADER_BYTES, patchHeader, readHeader, writeHeader } from "./header.ts";
import { compressedName } from "./name.ts";
import { RECORD_TYPES, type RecordData, type TypeName, typeName, typeNumber } from "./record-types.ts";
import { MessageFull, Writer } from "./writer.ts";

/** Source: RFC 1035 §3.2.4. */
export const CLASS_IN = 1;

/** Longest message over TCP, and over UDP without EDNS. Source: RFC 1035 §4.2. */
export const LONGEST_MESSAGE_BYTES = 65_535;
export const PLAIN_UDP_BYTES = 512;

export interface Question {
  readonly name: string;
  /** A number where there is no row for the type: `ANY` is 255. */
  readonly type: TypeName | number;
  readonly class: number;
}

export type ResourceRecord = RecordData & {
  readonly name: string;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
};

export interface Message {
  readonly id: number;
  readonly flags: Flags;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
}

/** Flags of a message that says nothing: a standard query without any bit set. */
export const NO_FLAGS: Flags = {
  response: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  reserved: false,
  authenticData: false,
  checkingDisabled: false,
  responseCode: 0,
};

function readQuestion(message: Uint8Array, at: number): Decoded<Question> {
  const name = compressedName.read(message, at, message.length);
  const type = u16.read(message, name.next, message.length);
  const inClass = u16.read(message, type.next, message.length);
  const value = { name: name.value, type: typeName(type.value), class: inClass.value };
  return { value, next: inClass.next };
}

function readData(message: Uint8Array, number: number, span: { at: number; end: number }): RecordData {
  const type = typeName(number);
  if (typeof type === "number") return { type, data: message.slice(span.at, span.end) };
  const { value, next } = RECORD_TYPES[type].data.read(message, span.at, span.end);
  if (next !== span.end) throw decodeFailure(`${span.end - next} bytes are left over`, type);
  return { type, data: value } as RecordData;
}

function readRecord(message: Uint8Array, at: number): Decoded<ResourceRecord> {
  const end = message.length;
  const name = compressedName.read(message, at, end);
  const type = u16.read(message, name.next, end);
  const inClass = u16.read(message, type.next, end);
  const ttl = u32.read(message, inClass.next, end);
  const length = u16.read(message, ttl.next, end);
  const next = length.next + length.value;
  if (next > end) throw decodeFailure(`the data of the record at ${at} has ${length.value} bytes, too many`);
  const data = readData(message, type.value, { at: length.next, end: next });
  return { value: { name: name.value, class: inClass.value, ttl: ttl.value, ...data }, next };
}

/** Reads `count` records, or questions, one after the other. */
function readMany<T>(
  count: number,
  start: number,
  readOne: (at: number) => Decoded<T>,
): Decoded<readonly T[]> {
  const value: T[] = [];
  let next = start;
  for (let index = 0; index < count; index++) {
    const one = readOne(next);
    value.push(one.value);
    next = one.next;
  }
  return { value, next };
}

/**
 * Decodes a message. Bytes after it are an error, as they are in every implementation that looks.
 *
 * @throws FairleadError decode-failure
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const { value: header, next: start } = readHeader(bytes);
  expectCounts(header, bytes.length);
  const { id, questionCount, answerCount, authorityCount, additionalCount, ...flags } = header;
  const record = (at: number) => readRecord(bytes, at);
  const questions = readMany(questionCount, start, (at) => readQuestion(bytes, at));
  const answers = readMany(answerCount, questions.next, record);
  const authority = readMany(authorityCount, answers.next, record);
  const additional = readMany(additionalCount, authority.next, record);
  if (additional.next !== bytes.length) {
    throw decodeFailure(`${bytes.length - additional.next} bytes follow the message`);
  }
  return {
    id,
    flags,
    questions: questions.value,
    answers: answers.value,
    authority: authority.value,
    additional: additional.value,
  };
}

/**
 * Header and questions of a message, whatever follows: enough to tell to which query an answer belongs. A message with more
 * than one question is refused unread: no query that anybody answers has two.
 *
 * @throws FairleadError decode-failure. Source: RFC 9619 (a query has one question).
 */
export function decodeHead(bytes: Uint8Array): Pick<Message, "id" | "flags" | "questions"> {
  const { value: header, next } = readHeader(bytes);
  const { id, questionCount, answerCount, authorityCount, additionalCount, ...flags } = header;
  if (questionCount > 1) throw decodeFailure(`it has ${questionCount} questions`);
  return { id, flags, questions: readMany(questionCount, next, (at) => readQuestion(bytes, at)).value };
}

function writeQuestion(out: Writer, { name, type, class: inClass }: Question): void {
  compressedName.write(out, name);
  u16.write(out, typeNumber(type));
  u16.write(out, inClass);
}

function writeRecord(out: Writer, record: ResourceRecord): void {
  compressedName.write(out, record.name);
  u16.write(out, typeNumber(record.type));
  u16.write(out, record.class);
  u32.write(out, record.ttl);
  const lengthAt = out.length;
  out.unsigned(0, 2);
  if (typeof record.type === "number") out.bytes(record.data as Uint8Array);
  else RECORD_TYPES[record.type].data.write(out, record.data as never);
  out.patch(out.length - lengthAt - 2, lengthAt, 2);
}

/** Writes as many records as fit, and says how many. */
function writeSection(out: Writer, records: readonly ResourceRecord[]): number {
  for (const [index, record] of records.entries()) {
    const before = out.length;
    try {
      writeRecord(out, record);
    } catch (thrown) {
      if (!(thrown instanceof MessageFull)) throw thrown;
      out.rewind(before);
      return index;
    }
  }
  return records.length;
}

/**
 * Encodes a message in at most `limitBytes`. Records that do not fit are left out from the end; when one of the answer
 * or authority section is among them, the message says that it is truncated. An OPT record always gets its place.
 *
 * @returns a fresh array.
 * @throws FairleadError unsupported-field: a value fits no message, or header and questions do not fit the limit.
 */
export function encodeMessage(message: Message, limitBytes: number = LONGEST_MESSAGE_BYTES): Uint8Array {
  const opt = message.additional.filter((record) => record.type === "OPT");
  const others = message.additional.filter((record) => record.type !== "OPT");
  const reserved = opt.length === 0 ? 0 : encodedOptBytes(opt);
  const out = new Writer(limitBytes - reserved);
  const header = { id: message.id, ...message.flags, ...NO_COUNTS, questionCount: message.questions.length };
  writeHeader(out, header);
  for (const question of message.questions) writeQuestion(out, question);
  const answerCount = writeSection(out, message.answers);
  const isCut = answerCount < message.answers.length;
  const authorityCount = isCut ? 0 : writeSection(out, message.authority);
  const isTruncated = isCut || authorityCount < message.authority.length;
  const additionalCount = isTruncated ? 0 : writeSection(out, others);
  out.raiseLimit(limitBytes);
  for (const record of opt) writeRecord(out, record);
  patchHeader(out, {
    ...header,
    truncated: message.flags.truncated || isTruncated,
    answerCount,
    authorityCount,
    additionalCount: additionalCount + opt.length,
  });
  return out.finish().slice();
}

const NO_COUNTS = { questionCount: 0, answerCount: 0, authorityCount: 0, additionalCount: 0 };

function encodedOptBytes(records: readonly ResourceRecord[]): number {
  const out = new Writer(LONGEST_MESSAGE_BYTES - HEADER_BYTES);
  for (const record of records) writeRecord(out, record);
  return out.length;
}
