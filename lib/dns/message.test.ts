import fc from "fast-check";
import { parseAddress } from "../addr/address.ts";
import { ednsOf, ednsRecord, udpLimit } from "./edns.ts";
import {
  CLASS_IN,
  decodeHead,
  decodeMessage,
  encodeMessage,
  type Message,
  NO_FLAGS,
  type ResourceRecord,
} from "./message.ts";
import { typeName, typeNumber } from "./record-types.ts";

const empty: Message = { id: 7, flags: NO_FLAGS, questions: [], answers: [], authority: [], additional: [] };
const address = (index: number): ResourceRecord => ({
  name: "web",
  type: "A",
  class: CLASS_IN,
  ttl: 2,
  data: { address: parseAddress(`10.0.0.${index}`) },
});
const addresses = (count: number) => Array.from({ length: count }, (_, index) => address(index));

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const name = fc.array(label, { maxLength: 5 }).map((labels) => labels.join("."));
const word = fc.nat({ max: 0xffff });
const long = fc.nat({ max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Uint8Array.from(array));
const ipv4Address = long.map((value) => ({ address: { family: 4 as const, value: BigInt(value) } }));
const ipv6Address = fc
  .bigInt({ min: 1n << 100n, max: (1n << 128n) - 1n })
  .map((value) => ({ address: { family: 6 as const, value } }));
const data = fc.oneof(
  fc.record({ type: fc.constant("A" as const), data: ipv4Address }),
  fc.record({ type: fc.constant("AAAA" as const), data: ipv6Address }),
  fc.record({ type: fc.constantFrom("NS" as const, "PTR" as const), data: fc.record({ host: name }) }),
  fc.record({ type: fc.constant("CNAME" as const), data: fc.record({ target: name }) }),
  fc.record({ type: fc.constant("MX" as const), data: fc.record({ preference: word, exchange: name }) }),
  fc.record({
    type: fc.constant("SRV" as const),
    data: fc.record({ priority: word, weight: word, port: word, target: name }),
  }),
  fc.record({ type: fc.constant("TXT" as const), data: fc.record({ strings: fc.array(bytes) }) }),
  fc.record({
    type: fc.constant("SOA" as const),
    data: fc.record({
      primary: name,
      mailbox: name,
      serial: long,
      refresh: long,
      retry: long,
      expire: long,
      minimum: long,
    }),
  }),
  fc.record({ type: fc.integer({ min: 256, max: 0xffff }), data: bytes }),
);
const record = fc
  .tuple(fc.record({ name, class: word, ttl: long }), data)
  .map(([head, body]) => ({ ...head, ...body }) as ResourceRecord);
const flags = fc.record({
  ...(Object.fromEntries(Object.keys(NO_FLAGS).map((key) => [key, fc.boolean()])) as Record<
    keyof typeof NO_FLAGS,
    fc.Arbitrary<boolean>
  >),
  opcode: fc.nat({ max: 15 }),
  responseCode: fc.nat({ max: 15 }),
});
const question = fc.record({ name, type: word.map(typeName), class: word });
const message: fc.Arbitrary<Message> = fc.record({
  id: word,
  flags: flags as unknown as fc.Arbitrary<Message["flags"]>,
  questions: fc.array(question, { maxLength: 3 }),
  answers: fc.array(record, { maxLength: 5 }),
  authority: fc.array(record, { maxLength: 3 }),
  additional: fc.array(record, { maxLength: 3 }),
});

test("what is encoded decodes to the same, and again", () => {
  fc.assert(
    fc.property(message, (one) => {
      const encoded = encodeMessage(one);
      expect(decodeMessage(encoded)).toEqual(one);
      expect(encodeMessage(decodeMessage(encoded))).toEqual(encoded);
    }),
    { numRuns: 500 },
  );
});

test("within any limit the message is whole, or says that it is truncated and holds a beginning of the answers", () => {
  fc.assert(
    fc.property(message, fc.integer({ min: 512, max: 1500 }), (one, limit) => {
      const encoded = encodeMessage(one, limit);
      expect(encoded.length).toBeLessThanOrEqual(limit);
      const { answers, authority, flags: got } = decodeMessage(encoded);
      expect(answers).toEqual(one.answers.slice(0, answers.length));
      const isWhole = answers.length === one.answers.length && authority.length === one.authority.length;
      if (!isWhole) expect(got.truncated).toBe(true);
      if (!one.flags.truncated) expect(got.truncated).toBe(!isWhole);
    }),
    { numRuns: 300 },
  );
});

test("an OPT record keeps its place in a truncated message", () => {
  const opt = ednsRecord({ udpBytes: 1232 });
  const encoded = encodeMessage({ ...empty, answers: addresses(100), additional: [address(1), opt] }, 512);
  const decoded = decodeMessage(encoded);
  expect(decoded.flags.truncated).toBe(true);
  expect(decoded.additional).toEqual([opt]);
  expect(decoded.answers.length).toBeGreaterThan(20);
  expect(encoded.length).toBeLessThanOrEqual(512);
});

test("additional records that do not fit go without a word", () => {
  const encoded = encodeMessage({ ...empty, answers: [address(1)], additional: addresses(100) }, 512);
  expect(decodeMessage(encoded).flags.truncated).toBe(false);
});

test("what fits no message is refused", () => {
  expect(() => encodeMessage({ ...empty, id: 65_536 })).toThrow(/65536/);
  const raw: ResourceRecord = { name: "", type: 300, class: 1, ttl: 0, data: new Uint8Array(65_000) };
  expect(decodeMessage(encodeMessage({ ...empty, answers: [raw, raw] })).answers).toHaveLength(1);
  const wrong = { ...address(1), data: { address: parseAddress("fd00::1") } } as ResourceRecord;
  expect(() => encodeMessage({ ...empty, answers: [wrong] })).toThrow(/16 bytes/);
});

test.each([
  ["eleven bytes", Uint8Array.from({ length: 11 })],
  ["a question that is not there", Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])],
  ["bytes after the message", Uint8Array.from({ length: 13 })],
])("a message of %s is refused", (_what, short) => {
  expect(() => decodeMessage(short)).toThrow(expect.objectContaining({ code: "decode-failure" }));
});

test("data that is too short or too long for its type is refused, and so are short counts", () => {
  const encoded = encodeMessage({ ...empty, answers: [address(1)] });
  const [lengthAt] = [encoded.length - 5];
  for (const length of [3, 5]) {
    const damaged = encoded.slice();
    damaged[lengthAt] = length;
    expect(() => decodeMessage(damaged)).toThrow(expect.objectContaining({ code: "decode-failure" }));
  }
});

test.each([4, 6, 8, 10])("a count that the message has no room for is refused unread (at byte %i)", (at) => {
  // The question is damaged, too: reading it would say so.
  const bytes = Uint8Array.from([...encodeMessage({ ...empty, answers: addresses(2) }), 0xff]);
  bytes[12] = 0xff;
  bytes[at] = 0xff;
  expect(() => decodeMessage(bytes)).toThrow(/do not fit into/);
});

test("counts that have just enough room are read", () => {
  const root = { name: "", type: 1, class: 1 } as const;
  const record: ResourceRecord = { name: "", type: 300, class: 1, ttl: 0, data: new Uint8Array() };
  const least = { ...empty, questions: [{ ...root, type: "A" as const }], answers: [record, record] };
  expect(decodeMessage(encodeMessage(least))).toEqual(least);
});

test("a head with two questions is refused unread", () => {
  const question = { name: "web", type: "A" as const, class: 1 };
  expect(decodeHead(encodeMessage({ ...empty, questions: [question] })).questions).toEqual([question]);
  expect(() => decodeHead(encodeMessage({ ...empty, questions: [question, question] }))).toThrow(
    /2 questions/,
  );
});

test("EDNS keeps its parts, and bounds what is sent", () => {
  const edns = { udpBytes: 1400, responseCodeUpper: 255, version: 3, dnssecOk: true, options: [] };
  expect(ednsOf({ additional: [ednsRecord(edns)] })).toEqual(edns);
  expect(udpLimit(null, 1232)).toBe(512);
  expect(udpLimit(edns, 1232)).toBe(1232);
  expect(udpLimit({ ...edns, udpBytes: 100 }, 1232)).toBe(512);
});

test("types have names and numbers", () => {
  expect(typeName(28)).toBe("AAAA");
  expect(typeName(255)).toBe(255);
  expect(typeNumber("SRV")).toBe(33);
  expect(typeNumber(257)).toBe(257);
});
