import { parseAddress } from "../../../lib/addr/address.ts";
import { ednsOf, ednsRecord } from "../../../lib/dns/edns.ts";
import { decodeMessage, encodeMessage, type Message, NO_FLAGS } from "../../../lib/dns/message.ts";
import { endpointOf, networkOf, queryOf, withNames } from "../../../test/support/dns/dns-fixture.ts";
import { mutatedMessages } from "../../../test/support/dns/dns-mutations.ts";
import { Names } from "../names/names.ts";
import { type DnsCounters, newCounters } from "./counters.ts";
import { LateAskers } from "./late-askers.ts";
import { type ForwardedQuery, QueryHandler, type QuerySource } from "./query-handler.ts";

const UDP: QuerySource = { networkName: "net", address: "10.1.0.2", transport: "udp" };
const TCP: QuerySource = { ...UDP, transport: "tcp" };

let names: Names;
let counters: DnsCounters;
let forwarded: ForwardedQuery[];
let upstream: Uint8Array | null;
let random: number;
let handler: QueryHandler;
let faults: unknown[];
let late: LateAskers;
/** What the forwarder throws, which it should not. */
let failure: Error | null;

beforeEach(() => {
  names = new Names();
  names.setNetworks([networkOf("net", { subnets: { "10.1.0.0/24": "10.1.0.1" } })]);
  names.setEndpoints({
    networkName: "net",
    containerId: "web",
    endpoints: [endpointOf("net", "web", ["10.1.0.2/24"])],
    links: [],
  });
  counters = newCounters();
  forwarded = [];
  upstream = null;
  random = 0;
  faults = [];
  failure = null;
  const ask = async (query: ForwardedQuery) => {
    forwarded.push(query);
    if (failure) throw failure;
    return upstream;
  };
  late = new LateAskers({ perNetwork: 2, waitMs: 60_000 });
  handler = new QueryHandler({
    names,
    counters,
    forwarder: { ask },
    late,
    random: () => random,
    onFault: (thrown) => faults.push(thrown),
  });
});
afterEach(() => expect(faults).toEqual([]));

function addMany(count: number): void {
  for (let index = 0; index < count; index++) {
    const containerId = `m${index}`;
    const endpoints = [withNames(endpointOf("net", containerId, [`10.1.0.${index + 10}/24`]), ["many"])];
    names.setEndpoints({ networkName: "net", containerId, endpoints, links: [] });
  }
}

async function answer(bytes: Uint8Array, source = UDP): Promise<Message | null> {
  const reply = await handler.handle(bytes, source);
  return reply && decodeMessage(reply);
}

const addresses = (message: Message | null) =>
  message?.answers.map((one) => (one.type === "A" ? (one.data as { address: unknown }).address : one.type));

test("an address is answered in the case of the question, authoritatively, for two seconds", async () => {
  expect(await answer(queryOf("WeB"))).toEqual({
    id: 0x1234,
    flags: {
      ...NO_FLAGS,
      response: true,
      authoritative: true,
      recursionDesired: true,
      recursionAvailable: true,
    },
    questions: [{ name: "WeB", type: "A", class: 1 }],
    answers: [{ name: "WeB", type: "A", class: 1, ttl: 2, data: { address: parseAddress("10.1.0.2") } }],
    authority: [],
    additional: [],
  });
  expect(counters).toMatchObject({ received: 1, answered: 1 });
});

test("no data and no such name come with an SOA record that lets them be kept for a second", async () => {
  const soa = { name: "", type: "SOA", ttl: 1, data: { minimum: 1 } };
  expect(await answer(queryOf("web", "AAAA"))).toMatchObject({
    flags: { responseCode: 0, authoritative: true },
    answers: [],
    authority: [soa],
  });
  expect(await answer(queryOf("nosuch"))).toMatchObject({
    flags: { responseCode: 3, authoritative: true },
    answers: [],
    authority: [soa],
  });
  expect(counters).toMatchObject({ noData: 1, noName: 1, forwarded: 0 });
});

test("an address has its name", async () => {
  const { answers } = (await answer(queryOf("2.0.1.10.in-addr.arpa", "PTR"))) ?? {};
  expect(answers).toMatchObject([{ type: "PTR", data: { host: "web.net" } }]);
});

test("several addresses begin anywhere, and all are there", async () => {
  addMany(3);
  const list = (from: number) =>
    [0, 1, 2].map((index) => parseAddress(`10.1.0.${10 + ((index + from) % 3)}`));
  for (const [value, from] of [
    [0, 0],
    [0.4, 1],
    [0.99, 2],
  ] as const) {
    random = value;
    expect(addresses(await answer(queryOf("many")))).toEqual(list(from));
  }
});

test("what does not fit is truncated over UDP, at 512 bytes or what EDNS says up to 1,232, and whole over TCP", async () => {
  addMany(200);
  const withEdns = (udpBytes: number) => queryOf("many", "A", { additional: [ednsRecord({ udpBytes })] });
  const lengths: number[] = [];
  for (const query of [queryOf("many"), withEdns(100), withEdns(1000), withEdns(4096)]) {
    const reply = (await handler.handle(query, UDP)) ?? new Uint8Array();
    expect(decodeMessage(reply).flags.truncated).toBe(true);
    lengths.push(reply.length);
  }
  expect(lengths.map((length) => Math.ceil(length / 16) * 16)).toEqual([512, 512, 1008, 1232]);
  const whole = await answer(queryOf("many"), TCP);
  expect(whole?.flags.truncated).toBe(false);
  expect(whole?.answers).toHaveLength(200);
});

test("EDNS is answered with EDNS, and only then", async () => {
  const reply = await answer(queryOf("web", "A", { additional: [ednsRecord({ udpBytes: 4096 })] }));
  expect(reply && ednsOf(reply)).toMatchObject({ udpBytes: 1232, version: 0 });
  const later = await answer(
    queryOf("web", "A", { additional: [ednsRecord({ udpBytes: 512, version: 1 })] }),
  );
  expect(later && ednsOf(later)).toMatchObject({ responseCodeUpper: 1, version: 0 });
  expect(later?.flags.responseCode).toBe(0);
});

test("a name of the world goes upstream; its answer comes back as it is", async () => {
  upstream = queryOf("example.com", "A", { flags: { ...NO_FLAGS, response: true } });
  expect(await answer(queryOf("example.com"))).toMatchObject({ flags: { response: true } });
  expect(forwarded).toMatchObject([{ client: "10.1.0.2", head: { question: { name: "example.com" } } }]);
  expect(counters).toMatchObject({ forwarded: 1, upstreamFailures: 0 });
});

test("no answer from upstream is a server failure", async () => {
  expect(await answer(queryOf("example.com"))).toMatchObject({ flags: { responseCode: 2 } });
  expect(counters).toMatchObject({ forwarded: 1, upstreamFailures: 1 });
});

const LONG = encodeMessage({
  ...decodeMessage(queryOf("example.com", "A", { flags: { ...NO_FLAGS, response: true } })),
  answers: Array.from({ length: 100 }, (_, index) => ({
    name: "example.com",
    type: "A" as const,
    class: 1,
    ttl: 30,
    data: { address: parseAddress(`192.0.2.${index}`) },
  })),
  additional: [ednsRecord({ udpBytes: 4096 })],
});

test.each([
  ["without EDNS", [], 30],
  ["with EDNS", [ednsRecord({ udpBytes: 1000, dnssecOk: true })], 60],
])("what fits of a long answer from upstream is passed on over UDP, %s", async (_what, additional, most) => {
  upstream = LONG;
  const reply = await answer(queryOf("example.com", "A", { additional }));
  const whole = decodeMessage(LONG);
  expect(reply?.flags.truncated).toBe(true);
  expect(reply?.answers).toEqual(whole.answers.slice(0, most));
  expect(reply?.additional).toEqual(additional.map(() => ednsRecord({ udpBytes: 1232, dnssecOk: true })));
  expect(await handler.handle(queryOf("example.com"), TCP)).toEqual(LONG);
});

test("a long answer that cannot be read is marked as truncated, and no more", async () => {
  upstream = new Uint8Array(600).fill(0xff);
  expect(await answer(queryOf("example.com"))).toMatchObject({ flags: { truncated: true }, answers: [] });
});

test("an answer from upstream that just fits is passed on as it is", async () => {
  for (const [sizeBytes, isWhole] of [
    [512, true],
    [513, false],
  ] as const) {
    upstream = new Uint8Array(sizeBytes).fill(0xff);
    const reply = await handler.handle(queryOf("example.com"), UDP);
    expect([reply?.length === sizeBytes, reply?.[0] === 0xff]).toEqual([isWhole, isWhole]);
  }
});

test("without recursion nobody else is asked", async () => {
  const flags = { ...NO_FLAGS, recursionDesired: false };
  expect(await answer(queryOf("example.com", "A", { flags }))).toMatchObject({
    flags: { responseCode: 5, authoritative: false, truncated: false, recursionDesired: false },
  });
  expect(addresses(await answer(queryOf("web", "A", { flags })))).toHaveLength(1);
  expect(forwarded).toEqual([]);
});

test.each([
  ["an answer", queryOf("web", "A", { flags: { ...NO_FLAGS, response: true } })],
  ["less than a header", new Uint8Array(11)],
  ["nothing", new Uint8Array()],
])("%s gets no answer", (_what, bytes) => {
  expect(handler.handle(bytes, UDP)).toBeNull();
  expect(counters.dropped).toBe(1);
});

test("a fault within costs one answer, and is told", async () => {
  jest.spyOn(names, "find").mockImplementation(() => {
    throw new Error("ours");
  });
  expect(handler.handle(queryOf("web"), UDP)).toBeNull();
  jest.restoreAllMocks();
  failure = new Error("later");
  expect(await handler.handle(queryOf("example.com"), UDP)).toBeNull();
  expect(faults.splice(0)).toEqual([new Error("ours"), new Error("later")]);
  expect(counters).toMatchObject({ received: 2, dropped: 2 });
});

test("an address that nobody can hold on the network gets no answer, whatever it asks", () => {
  for (const address of ["192.0.2.1", "10.2.0.2", "127.0.0.1"]) {
    expect(handler.askerOf({ ...UDP, address })).toBeNull();
    expect(handler.handle(queryOf("web"), { ...UDP, address })).toBeNull();
  }
  expect(handler.handle(queryOf("web"), { ...UDP, networkName: "gone" })).toBeNull();
  expect(counters.dropped).toBe(4);
});

test("who holds an address is known by it, the host by the gateway's; all others share one turn", () => {
  const askers = ["10.1.0.2", "10.1.0.1", "10.1.0.77"].map((address) => handler.askerOf({ ...UDP, address }));
  expect(askers).toEqual(["10.1.0.2", "10.1.0.1", ""]);
});

test("an address that nobody holds yet is answered once somebody does", async () => {
  const asked = [5, 6, 7].map((host) => answer(queryOf("web"), { ...UDP, address: `10.1.0.${host}` }));
  // Two may wait.
  expect(await asked[2]).toBeNull();
  const endpoints = [endpointOf("net", "new", ["10.1.0.5/24"])];
  names.setEndpoints({ networkName: "net", containerId: "new", endpoints, links: [] });
  late.changed("other");
  late.changed("net");
  expect(addresses(await (asked[0] ?? null))).toHaveLength(1);
  expect(counters).toMatchObject({ received: 3, answered: 1, dropped: 1 });
  // Only so that nothing is left waiting.
  names.setEndpoints({
    networkName: "net",
    containerId: "newer",
    endpoints: [endpointOf("net", "newer", ["10.1.0.6/24"])],
    links: [],
  });
  late.changed("net");
  expect(addresses(await (asked[1] ?? null))).toHaveLength(1);
});

test("an address that nobody comes to hold gets no answer when its time is up", async () => {
  late = new LateAskers({ perNetwork: 2, waitMs: 1 });
  handler = new QueryHandler({
    names,
    counters,
    late,
    forwarder: { ask: async () => null },
    random: () => 0,
    onFault: (thrown) => faults.push(thrown),
  });
  expect(await answer(queryOf("web"), { ...UDP, address: "10.1.0.77" })).toBeNull();
  expect(counters).toMatchObject({ received: 1, dropped: 1 });
});

test.each([
  ["no question", queryOf("web", "A", { questions: [] }), 1],
  [
    "two questions",
    queryOf("web", "A", { questions: [0, 1].map(() => ({ name: "web", type: "A" as const, class: 1 })) }),
    1,
  ],
  ["bytes after it", Uint8Array.from([...queryOf("web"), 0]), 1],
  ["a question cut off", queryOf("web").slice(0, 14), 1],
  ["an update", queryOf("web", "A", { flags: { ...NO_FLAGS, opcode: 5 } }), 4],
])("a query with %s is answered with its code", async (_what, bytes, code) => {
  expect(await answer(bytes)).toMatchObject({ id: 0x1234, flags: { responseCode: code, response: true } });
  expect(counters.malformed).toBe(1);
});

test("what cannot be read as a whole is answered with its question, if that can be", async () => {
  const whole = await answer(Uint8Array.from([...queryOf("web"), 0]));
  expect(whole).toMatchObject({ questions: [{ name: "web", type: "A" }] });
  expect(await answer(queryOf("web").slice(0, 14))).toMatchObject({ questions: [] });
});

/** As many names as fit, each a pointer to the name before it. */
function pointers(sizeBytes: number): Uint8Array {
  const count = Math.floor((sizeBytes - 17) / 6);
  const bytes = new Uint8Array(17 + 6 * count);
  const view = new DataView(bytes.buffer);
  bytes.set([0x12, 0x34, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
  view.setUint16(4, count + 1);
  for (let index = 0; index < count; index++) {
    view.setUint16(17 + 6 * index, 0xc000 | Math.min(index === 0 ? 12 : 11 + 6 * index, 0x3fff));
    view.setUint32(19 + 6 * index, 0x0001_0001);
  }
  return bytes;
}

const record = { name: "x", type: "TXT" as const, class: 1, ttl: 0, data: { strings: [] } };

test.each([
  ["an answer in it", queryOf("web", "A", { answers: [record] })],
  ["two authority records", queryOf("web", "A", { authority: [record, record] })],
  ["four additional records", queryOf("web", "A", { additional: [record, record, record, record] })],
  ["more than 4,096 bytes", Uint8Array.from([...queryOf("web"), ...new Uint8Array(4_096)])],
])("a query with %s is refused by its header, unread", async (_what, bytes) => {
  expect(await answer(bytes)).toMatchObject({ id: 0x1234, flags: { responseCode: 1 }, answers: [] });
});

/** With padding, to so many bytes. */
function padded(sizeBytes: number): Uint8Array {
  const withPadding = (length: number) => {
    const options = [{ code: 12, data: new Uint8Array(length) }];
    return queryOf("web", "A", { additional: [ednsRecord({ udpBytes: 1232, options })] });
  };
  return withPadding(sizeBytes - withPadding(0).length);
}

test.each([
  ["one authority record, as for IXFR", queryOf("web", "A", { authority: [record] })],
  ["three additional records", queryOf("web", "A", { additional: [record, record, record] })],
  ["4,096 bytes", padded(4_096)],
])("a query with %s is answered", async (_what, bytes) => {
  expect(addresses(await answer(bytes))).toEqual([parseAddress("10.1.0.2")]);
});

test("a query of one byte more than is read is refused, however well formed", async () => {
  expect(await answer(padded(4_097))).toMatchObject({ flags: { responseCode: 1 }, answers: [] });
});

test("of a query of 65,000 bytes, all pointers, not even the question is read", async () => {
  expect(await answer(pointers(65_000))).toMatchObject({ flags: { responseCode: 1 }, questions: [] });
});

test("10,000 damaged messages: each gets an answer that can be read, or none", async () => {
  for (const bytes of mutatedMessages(7, 10_000)) {
    const reply = await handler.handle(bytes, UDP);
    if (reply === null) continue;
    const { id, flags } = decodeMessage(reply);
    if (!flags.response || id !== (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)))
      throw new Error("not an answer");
  }
  expect(counters.received).toBe(10_000);
});
