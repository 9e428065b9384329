/** Names of the world, asked of stubs on loopback. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket as Stream } from "node:net";
import { ednsRecord } from "../../../lib/dns/edns.ts";
import { FrameReader, frameMessage } from "../../../lib/dns/frames.ts";
import { decodeMessage, encodeMessage, type Message } from "../../../lib/dns/message.ts";
import {
  answerOf,
  type Behaviour,
  closeStarted,
  type Stub,
  started,
  startUpstream,
  UPSTREAM_PORT,
  world,
} from "../../../test/support/dns/dns-loopback.ts";
import type { ForwardedQuery } from "../answer/query-handler.ts";
import { type ForwarderLimits, UpstreamForwarder } from "./forwarder.ts";
import type { Upstream } from "./servers.ts";

/** Nobody is asked twice, nor given up, unless a test wants it. */
const PATIENT: ForwarderLimits = {
  outstanding: 10,
  perClient: 10,
  nextAfterMs: 60_000,
  totalMs: 60_000,
  resendMs: [],
  avoidMs: 1_000,
};

const at = (address: string): Upstream => ({ address, port: UPSTREAM_PORT });
const [FIRST, SECOND, THIRD] = [at("127.0.0.1"), at("127.0.0.2"), at("127.0.0.3")] as const;
const silence: Behaviour = () => null;

let node: readonly Upstream[] | Error;
let ours: readonly Upstream[];
let now: number;
let forwarder: UpstreamForwarder;

beforeEach(() => {
  [node, ours, now] = [[FIRST, SECOND], [], 0];
  forwarder = make();
});
afterEach(() => {
  forwarder.close();
  closeStarted();
});

function make(limits: Partial<ForwarderLimits> = {}): UpstreamForwarder {
  const list = async () => {
    if (node instanceof Error) throw node;
    return node;
  };
  return new UpstreamForwarder({
    upstreams: { list },
    isOurselves: (one) => ours.includes(one),
    now: () => now,
    limits: { ...PATIENT, ...limits },
  });
}

function queryOf(change: Partial<ForwardedQuery> = {}, head: Partial<ForwardedQuery["head"]> = {}) {
  const question = { name: "www.example.com", type: "A" as const, class: 1 };
  return {
    head: {
      id: 0x1234,
      opcode: 0,
      recursionDesired: true,
      checkingDisabled: false,
      question,
      edns: null,
      ...head,
    },
    authenticData: false,
    upstreams: [],
    networkName: "net",
    client: "10.1.0.2",
    ...change,
  };
}

async function ask(query: ForwardedQuery = queryOf()): Promise<Message | null> {
  const answer = await forwarder.ask(query);
  return answer && decodeMessage(answer);
}

const up = ({ address }: Upstream, udp: Behaviour = world, tcp: Behaviour = udp): Promise<Stub> =>
  startUpstream(udp, tcp, address);

/** Ends those that were started, and their being asked. */
const down = (): void => closeStarted();

/** Asks once; who got the question first. */
async function firstAsked(...stubs: readonly Stub[]): Promise<number> {
  const before = stubs.map(({ seen }) => seen.length);
  expect((await ask())?.answers).toHaveLength(1);
  return stubs.findIndex(({ seen }, index) => seen.length > (before[index] ?? 0));
}

test("what goes upstream is the question, and of flags and EDNS what concerns the answer; it comes back under the asker's id", async () => {
  const { seen } = await up(FIRST);
  const edns = { udpBytes: 4096, dnssecOk: true, version: 0, responseCodeUpper: 0, options: [] };
  const head = { edns, checkingDisabled: true };
  expect(await ask(queryOf({ authenticData: true }, head))).toMatchObject({ id: 0x1234 });
  expect(await ask(queryOf({}, { id: 0xfffe, recursionDesired: false }))).toMatchObject({ id: 0xfffe });
  expect(seen).toMatchObject([
    {
      flags: { response: false, recursionDesired: true, checkingDisabled: true, authenticData: true },
      questions: [{ name: "www.example.com", type: "A", class: 1 }],
      additional: [ednsRecord({ udpBytes: 1232, dnssecOk: true })],
    },
    { flags: { recursionDesired: false, checkingDisabled: false, authenticData: false }, additional: [] },
  ]);
});

test("a container's own servers are asked instead of the node's; ourselves never, and then the node's", async () => {
  const [first, second, third] = [await up(FIRST), await up(SECOND), await up(THIRD)];
  const seen = () => [first, second, third].map((stub) => stub.seen.splice(0).length);
  await ask(queryOf({ upstreams: [THIRD] }));
  expect(seen()).toEqual([0, 0, 1]);
  ours = [THIRD];
  await ask(queryOf({ upstreams: [THIRD, SECOND] }));
  expect(seen()).toEqual([0, 1, 0]);
  await ask(queryOf({ upstreams: [THIRD] }));
  expect(seen()).toEqual([1, 0, 0]);
  ours = [FIRST];
  await ask();
  expect(seen()).toEqual([0, 1, 0]);
});

test("with nobody to ask but ourselves, or nobody known, there is no answer", async () => {
  ours = [FIRST, SECOND];
  expect(await ask()).toBeNull();
  node = new Error("no such file");
  expect(await ask()).toBeNull();
  expect(forwarder.outstanding).toBe(0);
});

test("only an answer to this very question counts, in whatever case it repeats the name", async () => {
  const stub = await up(FIRST, silence);
  const asked = { name: "WWW.example.COM", type: "A" as const, class: 1 };
  stub.udp.on("message", (bytes, { port, address }) => {
    const right = world(decodeMessage(bytes)) as Message;
    const refused = { ...right, answers: [], flags: { ...right.flags, responseCode: 3 } };
    const wrong: Message[] = [
      { ...refused, id: right.id ^ 1 },
      { ...refused, id: right.id ^ 0x100 },
      { ...refused, flags: { ...refused.flags, response: false } },
      { ...refused, questions: [] },
      { ...refused, questions: [asked, asked] },
      { ...refused, questions: [{ ...asked, name: "evil.example.com" }] },
      { ...refused, questions: [{ ...asked, type: "AAAA" }] },
      { ...refused, questions: [{ ...asked, class: 3 }] },
    ];
    const datagrams = wrong.map((one) => encodeMessage(one));
    const whole = encodeMessage({ ...right, questions: [asked] });
    for (const one of [...datagrams, new Uint8Array(), whole.slice(0, 2), whole.slice(0, 20), whole])
      stub.udp.send(one, port, address);
  });
  const answer = await ask();
  expect(answer?.flags.responseCode).toBe(0);
  expect(answer?.questions).toEqual([asked]);
});

test("who cannot be reached is asked last for a while, and first again when that is over", async () => {
  const second = await up(SECOND);
  expect((await ask())?.answers).toHaveLength(1);
  const first = await up(FIRST);
  expect(await firstAsked(first, second)).toBe(1);
  now = 999;
  expect(await firstAsked(first, second)).toBe(1);
  now = 1_000;
  expect(await firstAsked(first, second)).toBe(0);
});

test("nobody is asked twice, also while another is asked last", async () => {
  const first = await up(FIRST, (query) => answerOf(query, [], { responseCode: 2 }));
  for (const questions of [1, 2]) {
    expect(await ask()).toMatchObject({ flags: { responseCode: 2 } });
    expect(first.seen).toHaveLength(questions);
  }
});

test("who answers is asked last no more", async () => {
  expect(await ask()).toBeNull();
  await up(SECOND);
  expect((await ask())?.answers).toHaveLength(1);
  const first = await up(FIRST);
  expect(await firstAsked(first)).toBe(-1);
});

test("a server that does not answer is asked the same again, and the next one beside it", async () => {
  forwarder = make({ resendMs: [1] });
  const lost = await up(FIRST, (query) => (lost.seen.length < 2 ? null : world(query)));
  expect((await ask())?.answers).toHaveLength(1);
  expect(lost.seen.map(({ id }) => id)).toEqual([lost.seen[0]?.id, lost.seen[0]?.id]);
  down();
  forwarder = make({ nextAfterMs: 1 });
  const [silent] = [await up(FIRST, silence), await up(SECOND)];
  expect((await ask())?.answers).toHaveLength(1);
  expect(silent.seen).toHaveLength(1);
});

describe("an answer that was cut off", () => {
  const cut: Behaviour = (query) => answerOf(query, [], { truncated: true });

  test("is fetched whole over TCP", async () => {
    await up(FIRST, cut, world);
    const answer = await ask();
    expect([answer?.id, answer?.flags.truncated, answer?.answers.length]).toEqual([0x1234, false, 1]);
  });

  /** Over UDP the answer is cut off. Over TCP the stream takes care of itself; null: nobody is there. */
  async function overTcp(serve: ((stream: Stream) => void) | null): Promise<Message | null> {
    const udp = createSocket("udp4");
    udp.on("message", (bytes, { port, address }) => {
      udp.send(encodeMessage(cut(decodeMessage(bytes)) as Message), port, address);
    });
    udp.bind(UPSTREAM_PORT, FIRST.address);
    const server = createServer(serve ?? (() => {}));
    if (serve) server.listen(UPSTREAM_PORT, FIRST.address);
    await Promise.all([once(udp, "listening"), serve && once(server, "listening")]);
    started.push({ close: () => void [udp.close(), server.close()] });
    return ask();
  }

  test.each([
    ["nobody is there over TCP", null],
    ["the connection ends without one", (stream: Stream) => void stream.resume().end()],
  ])("is passed on as it is where %s", async (_what, serve) => {
    expect(await overTcp(serve)).toMatchObject({ id: 0x1234, flags: { truncated: true }, answers: [] });
  });

  test("is fetched by what answers it, whatever else comes before", async () => {
    const answer = await overTcp((stream) => {
      const frames = new FrameReader();
      stream.on("data", (chunk: Buffer) => {
        for (const query of frames.push(chunk).map(decodeMessage)) {
          const right = world(query) as Message;
          const other = { ...right, id: query.id ^ 1, flags: { ...right.flags, responseCode: 3 } };
          const [before, wanted] = [other, right].map((one) => frameMessage(encodeMessage(one)));
          stream.write(before ?? "", () => setImmediate(() => stream.write(wanted ?? "")));
        }
      });
    });
    expect([answer?.flags.responseCode, answer?.answers.length]).toEqual([0, 1]);
  });
});

test("what is too much of one asker gets no answer, and what others need is taken from who has most", async () => {
  forwarder = make({ outstanding: 3, perClient: 3 });
  await up(FIRST, (query) => (query.questions[0]?.type === "A" ? null : world(query)));
  const slow = [1, 2, 3].map(() => ask());
  expect(forwarder.outstanding).toBe(3);
  expect(await ask()).toBeNull();
  const question = { name: "www.example.com", type: "MX" as const, class: 1 };
  expect(await ask(queryOf({ client: "10.1.0.3" }, { question }))).not.toBeNull();
  // The oldest gave way.
  expect(await slow[0]).toBeNull();
  expect(forwarder.outstanding).toBe(2);
  forwarder.close();
  expect(await Promise.all(slow)).toEqual([null, null, null]);
  expect(forwarder.outstanding).toBe(0);
});
