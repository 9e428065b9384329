/** Messages of `dig` and `dnsmasq`, see test/captures/dns. */

import { capturedMessages } from "../../test/support/dns/dns-mutations.ts";
import { readCapture } from "../../test/support/kernel/captures.ts";
import { parseAddress } from "../addr/address.ts";
import { ednsOf, ednsRecord } from "./edns.ts";
import { CLASS_IN, decodeHead, decodeMessage, encodeMessage, NO_FLAGS } from "./message.ts";

const decode = (name: string) => decodeMessage(readCapture(`dns/${name}`));
const zone = "example.test";
const record = { class: CLASS_IN, ttl: 600 };
const soa = {
  primary: "ns.example.test",
  mailbox: "hostmaster.example.test",
  serial: 2026,
  refresh: 1200,
  retry: 120,
  expire: 604_800,
  minimum: 600,
};

test("a query of dig is read whole", () => {
  expect(decode("a-plain.query")).toEqual({
    id: 0x401b,
    flags: { ...NO_FLAGS, recursionDesired: true, authenticData: true },
    questions: [{ name: "WEB.example.test", type: "A", class: CLASS_IN }],
    answers: [],
    authority: [],
    additional: [],
  });
});

test("EDNS says how large an answer may be, and carries options", () => {
  expect(ednsOf(decode("aaaa-edns.query"))).toEqual({
    udpBytes: 4096,
    responseCodeUpper: 0,
    version: 0,
    dnssecOk: true,
    options: [],
  });
  const cookie = Uint8Array.from([1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
  expect(ednsOf(decode("cname-cookie.query"))?.options).toEqual([{ code: 10, data: cookie }]);
  expect(ednsOf(decode("mx.query"))).toBeNull();
});

test.each([
  ["a-plain", { name: "WEB.example.test", type: "A", data: { address: parseAddress("192.0.2.7") } }],
  ["mx", { name: zone, type: "MX", data: { preference: 10, exchange: "web.example.test" } }],
  [
    "srv",
    {
      name: "_sip._udp.example.test",
      type: "SRV",
      data: { priority: 1, weight: 2, port: 5060, target: "web.example.test" },
    },
  ],
  ["ptr", { name: "7.2.0.192.in-addr.arpa", type: "PTR", data: { host: "web.example.test" } }],
  [
    "txt",
    {
      name: zone,
      type: "TXT",
      data: { strings: ['"v=spf1 -all"', '"two"'].map((text) => new TextEncoder().encode(text)) },
    },
  ],
  ["caa-unknown", { name: zone, type: 257, data: new TextEncoder().encode("\0\u0005issueca.example.test") }],
])("the answer %s", (name, expected) => {
  expect(decode(`${name}.answer`).answers).toEqual([{ ...record, ...expected }]);
});

test("pointers lead to names, an alias to its address", () => {
  expect(decode("cname-cookie.answer").answers).toEqual([
    { ...record, name: "www.example.test", type: "CNAME", data: { target: "web.example.test" } },
    { ...record, name: "web.example.test", type: "A", data: { address: parseAddress("192.0.2.7") } },
  ]);
});

test("no such name comes with the zone's SOA and NS", () => {
  const { flags, authority } = decode("soa-negative.answer");
  expect(flags).toMatchObject({ response: true, authoritative: true, responseCode: 3 });
  expect(authority).toEqual([{ ...record, name: zone, type: "SOA", data: soa }]);
  expect(decode("mx.answer").authority).toEqual([
    { ...record, name: zone, type: "NS", data: { host: "ns.example.test" } },
  ]);
});

describe.each([...capturedMessages()])("%s", (name, bytes) => {
  test("encodes to a message that says the same, not longer than the capture", () => {
    const message = decodeMessage(bytes);
    const encoded = encodeMessage(message);
    expect(decodeMessage(encoded)).toEqual(message);
    expect(encoded.length).toBeLessThanOrEqual(bytes.length);
  });

  test("the head alone says the same as the whole", () => {
    const { id, flags, questions } = decodeMessage(bytes);
    expect(decodeHead(bytes)).toEqual({ id, flags, questions });
  });

  if (name.endsWith(".query")) {
    test("encodes to the very bytes that dig sent", () => {
      expect(encodeMessage(decodeMessage(bytes))).toEqual(bytes);
    });
  }
});

test("an OPT record is made as dig makes it", () => {
  const { additional } = decode("aaaa-edns.query");
  expect(additional).toEqual([ednsRecord({ udpBytes: 4096, dnssecOk: true })]);
});
