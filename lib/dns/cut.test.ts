import { parseAddress } from "../addr/address.ts";
import { cutMessage } from "./cut.ts";
import { ednsBytes, ednsRecord } from "./edns.ts";
import { CLASS_IN, decodeMessage, encodeMessage, type Message, NO_FLAGS } from "./message.ts";

const NONE = { tail: new Uint8Array(), tailCount: 0 };
const soa = { primary: "ns.example.com", mailbox: "root.example.com", serial: 1 };
const times = { refresh: 1, retry: 1, expire: 1, minimum: 1 };

const long: Message = {
  id: 7,
  flags: { ...NO_FLAGS, response: true, recursionAvailable: true },
  questions: [{ name: "www.example.com", type: "A", class: CLASS_IN }],
  answers: [
    { name: "www.example.com", type: "CNAME", class: 1, ttl: 3, data: { target: "a.example.com" } },
    ...Array.from({ length: 80 }, (_, index) => ({
      name: "a.example.com",
      type: "A" as const,
      class: 1,
      ttl: 2,
      data: { address: parseAddress(`192.0.2.${index}`) },
    })),
  ],
  authority: [{ name: "example.com", type: "SOA", class: 1, ttl: 1, data: { ...soa, ...times } }],
  additional: [],
};
const bytes = encodeMessage(long);

test("at every limit, what is left is a beginning, as long as may be, and says that it is cut", () => {
  for (let limit = 512; limit < bytes.length; limit++) {
    const cut = cutMessage(bytes, limit, NONE);
    const { answers, authority, flags, questions } = decodeMessage(cut);
    expect([questions, authority, flags.truncated]).toEqual([long.questions, [], true]);
    expect(answers).toEqual(long.answers.slice(0, answers.length));
    expect(cut.length).toBeLessThanOrEqual(limit);
    // One more would not have fit.
    if (answers.length < long.answers.length) expect(cut.length + 16).toBeGreaterThan(limit);
  }
});

test("an OPT record has its place", () => {
  const tail = ednsBytes({ udpBytes: 1232, dnssecOk: true });
  const cut = cutMessage(bytes, 512, { tail, tailCount: 1 });
  expect(cut.length).toBeLessThanOrEqual(512);
  expect(decodeMessage(cut).additional).toEqual([ednsRecord({ udpBytes: 1232, dnssecOk: true })]);
});

test("the message itself stays as it was", () => {
  const before = bytes.slice();
  cutMessage(bytes, 600, NONE);
  expect(bytes).toEqual(before);
});

test.each([
  ["a label of an unknown kind", Uint8Array.from([...bytes.slice(0, 12), 0x41, ...bytes.slice(13)]), 512],
  ["a question beyond its end", bytes.slice(0, 20), 512],
  ["a record beyond its end", bytes.slice(0, 60), 512],
  ["a question longer than the limit", bytes, 20],
  ["less than a header", new Uint8Array(5), 512],
])("%s is refused", (_what, damaged, limit) => {
  expect(() => cutMessage(damaged, limit, NONE)).toThrow(expect.objectContaining({ code: "decode-failure" }));
});
