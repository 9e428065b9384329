import { refusalOf } from "../../test/support/failures.ts";
import { hexBytes } from "../../test/support/kernel/hex.ts";
import { FairleadError } from "../errors.ts";
import { attribute, attributeTable, u32 } from "./attribute.ts";
import { DUMP_ATTEMPTS, NetlinkConnection, type NetlinkTransport, REQUESTS_PER_SEND } from "./connection.ts";
import {
  concatBytes,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "./message.ts";
import { createFlags, isAbsent, isPresent, NetlinkError, type NetlinkRequest } from "./request.ts";

const NEW = 16;
const GET = 18;
const PORT_ID = 4242;

const itemTable = attributeTable("item", { value: attribute("ITEM_VALUE", 1, u32) });

/** What the scripted kernel answers to one datagram: the datagrams that it sends back. */
type Script = (requests: readonly NetlinkMessage[]) => readonly (readonly NetlinkMessage[])[];

/** A transport whose other end is a function. It reuses one buffer for all it receives, as a socket may. */
class ScriptedTransport implements NetlinkTransport {
  readonly portId = PORT_ID;
  readonly sent: (readonly NetlinkMessage[])[] = [];
  readonly #script: Script;
  readonly #buffer = new Uint8Array(4096);
  #queue: Uint8Array[] = [];
  closed = false;

  constructor(script: Script) {
    this.#script = script;
  }

  send(datagram: Uint8Array): void {
    const requests = decodeMessages(datagram.slice());
    this.sent.push(requests);
    for (const answer of this.#script(requests)) this.#queue.push(concatBytes(answer.map(encodeMessage)));
  }

  receive(): Uint8Array {
    const next = this.#queue.shift();
    if (!next)
      throw new FairleadError({ code: "timeout", operation: "wait", reason: "no answer within 1 s" });
    this.#buffer.fill(0xee);
    this.#buffer.set(next);
    return this.#buffer.subarray(0, next.length);
  }

  close(): void {
    this.closed = true;
  }
}

type Answer = Pick<NetlinkMessage, "type" | "payload"> & { readonly flags?: number };

function answerTo(request: NetlinkMessage, { type, payload, flags = 0 }: Answer): NetlinkMessage {
  return { type, flags, sequence: request.sequence, portId: PORT_ID, payload };
}

function ack(request: NetlinkMessage, errno = 0, text?: string): NetlinkMessage {
  const status = Uint8Array.from(new Uint8Array(Int32Array.of(-errno).buffer));
  const quoted = encodeMessage({ ...request, payload: new Uint8Array(0) });
  const extack = text === undefined ? [] : [textAttribute(text)];
  const flags = NLM_F_CAPPED | (text === undefined ? 0 : NLM_F_ACK_TLVS);
  return answerTo(request, { type: NLMSG_ERROR, payload: concatBytes([status, quoted, ...extack]), flags });
}

function textAttribute(text: string): Uint8Array {
  const payload = new TextEncoder().encode(`${text}\0`);
  const padded = new Uint8Array(4 + Math.ceil(payload.length / 4) * 4);
  padded.set([payload.length + 4, 0, 1, 0]);
  padded.set(payload, 4);
  return padded;
}

function item(request: NetlinkMessage, value: number, flags = 0): NetlinkMessage {
  return answerTo(request, { type: NEW, payload: itemTable.encode({ value }), flags });
}

function done(request: NetlinkMessage, flags = 0): NetlinkMessage {
  return answerTo(request, {
    type: NLMSG_DONE,
    payload: hexBytes("00 00 00 00"),
    flags: NLM_F_MULTI | flags,
  });
}

function create(object: string, extra: Partial<NetlinkRequest> = {}): NetlinkRequest {
  const flags = createFlags("create");
  return { type: NEW, flags, payload: itemTable.encode({}), operation: "create item", object, ...extra };
}

function get(object: string): NetlinkRequest<number> {
  return {
    type: GET,
    flags: 0,
    payload: itemTable.encode({}),
    operation: "get item",
    object,
    decodeReply: ({ payload }) => itemTable.decode(payload).value ?? -1,
  };
}

function connect(script: Script) {
  const transport = new ScriptedTransport(script);
  return { transport, connection: new NetlinkConnection(transport) };
}

describe("execute", () => {
  test("sends all requests in one datagram, each with a sequence of its own", () => {
    const { transport, connection } = connect((requests) => [requests.map((request) => ack(request))]);
    connection.execute([create("a"), create("b")]);
    connection.execute([create("c")]);
    expect(transport.sent).toHaveLength(2);
    expect(transport.sent.map((sent) => sent.map(({ sequence }) => sequence))).toEqual([[1, 2], [3]]);
  });

  test("asks only the last of several for an acknowledgement, and none that gets a reply", () => {
    const { transport, connection } = connect((requests) => [requests.map((request) => ack(request))]);
    connection.execute([create("a"), create("b")]);
    connection.execute([create("a"), get("b")]);
    const acknowledged = transport.sent.map((sent) => sent.map(({ flags }) => (flags & NLM_F_ACK) !== 0));
    expect(acknowledged).toEqual([
      [false, true],
      [false, false],
    ]);
  });

  test("gives each request its replies, however they are packed; silence means success", () => {
    const { connection } = connect(([one, two, three, four]) => {
      if (!one || !two || !three || !four) throw new Error("four requests");
      return [[item(one, 10)], [item(one, 11), item(two, 20)], [ack(four)]];
    });
    const requests = [get("a"), get("b"), create("c"), create("d")] as const;
    expect(connection.execute(requests)).toEqual([[10, 11], [20], [], []]);
  });

  test("a reply to the last request ends the exchange, and a refusal before it is told", () => {
    const { connection } = connect(([one, two, three]) => {
      if (!one || !two || !three) throw new Error("three requests");
      return [[ack(two, 17)], [item(three, 30)]];
    });
    const results = connection.attempt([create("a"), create("b"), get("c")]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false, true]);
  });

  test("ignores what is not meant for it", () => {
    const { connection } = connect(([request]) => {
      if (!request) throw new Error("a request");
      const notification = { ...item(request, 1), sequence: 0 };
      const older = { ...ack(request, 17), sequence: 0xffff_fff0 };
      const foreign = { ...item(request, 2), portId: 77 };
      return [[notification, older], [foreign], [item(request, 3)], [ack(request)]];
    });
    expect(connection.execute([get("a")])).toEqual([[3]]);
  });

  test("throws the first refusal after every request was answered", () => {
    const { transport, connection } = connect(([one, two, three]) => {
      if (!one || !two || !three) return [];
      return [[ack(one)], [ack(two, 17, "no room")], [ack(three, 1)]];
    });
    const error = refusalOf(() => connection.execute([create("a"), create("vethab"), create("c")]));
    expect(error).toBeInstanceOf(NetlinkError);
    expect(error.message).toBe('create item vethab: File exists (EEXIST): kernel says "no room"');
    expect(error).toMatchObject({
      code: "kernel-refused",
      errno: 17,
      errnoName: "EEXIST",
      kernelText: "no room",
    });
    expect(error.details).toEqual({ errno: 17, errnoName: "EEXIST", kernelText: "no room" });
    expect(isPresent(error)).toBe(true);
    expect(isAbsent(error)).toBe(false);
    expect(() => transport.receive()).toThrow("no answer");
  });

  test("says what to do where it knows", () => {
    const { connection } = connect(([request]) => (request ? [[ack(request, 1)]] : []));
    expect(refusalOf(() => connection.execute([create("a")])).message).toBe(
      "create item a: Operation not permitted (EPERM); it needs CAP_NET_ADMIN in the user namespace that owns the network namespace: run as root",
    );
  });

  test("sends no more at once than the receive buffer holds answers for", () => {
    const { transport, connection } = connect((requests) => requests.map((request) => [ack(request)]));
    const many = Array.from({ length: 2 * REQUESTS_PER_SEND + 1 }, (_, index) => create(`${index}`));
    expect(connection.execute(many)).toHaveLength(many.length);
    expect(transport.sent.map((sent) => sent.length)).toEqual([REQUESTS_PER_SEND, REQUESTS_PER_SEND, 1]);
  });

  test("does nothing for no requests", () => {
    const { transport, connection } = connect(() => []);
    expect(connection.execute([])).toEqual([]);
    expect(transport.sent).toEqual([]);
  });

  test("names the request that is not answered in time", () => {
    const { connection } = connect(([request]) => (request ? [[ack(request)]] : []));
    const error = refusalOf(() => connection.execute([create("a"), create("b")]));
    expect(error).toMatchObject({ code: "timeout", operation: "create item", object: "b" });
    expect(error.message).toBe("create item b: no answer within 1 s");
  });

  test("reads on after a reply that it cannot decode", () => {
    const { connection } = connect(([one, two]) => {
      if (!one || !two) return [];
      const broken = answerTo(one, { type: NEW, payload: hexBytes("06 00 01 00 00 00 00 00") });
      return [[broken], [ack(one)], [item(two, 5)], [ack(two)]];
    });
    const [first, second] = connection.attempt([get("a"), get("b")]);
    expect(first).toMatchObject({ ok: false, error: { code: "decode-failure" } });
    expect(second).toEqual({ ok: true, replies: [5] });
  });

  test("begins sequences again before they end", () => {
    const transport = new ScriptedTransport((requests) => [requests.map((request) => ack(request))]);
    const connection = new NetlinkConnection(transport, { firstSequence: 0xffff_fffd });
    connection.execute([create("a"), create("b")]);
    connection.execute([create("c"), create("d")]);
    expect(transport.sent.flatMap((sent) => sent.map(({ sequence }) => sequence))).toEqual([
      0xffff_fffd, 0xffff_fffe, 1, 2,
    ]);
  });
});

describe("attempt", () => {
  test("says what became of each, warnings included", () => {
    const { connection } = connect(([one, two]) =>
      one && two ? [[ack(one, 0, "deprecated")], [ack(two, 2)]] : [],
    );
    const [first, second] = connection.attempt([create("a"), create("b")]);
    expect(first).toEqual({ ok: true, replies: [], warning: "deprecated" });
    expect(second).toMatchObject({ ok: false, error: { errnoName: "ENOENT", object: "b" } });
    expect(!second.ok && isAbsent(second.error)).toBe(true);
  });
});

describe("transact", () => {
  const begin = create("begin", { acknowledge: false, operation: "begin batch" });
  const end = create("end", { acknowledge: false });

  test("sends everything at once and waits for those that ask for an acknowledgement", () => {
    const { transport, connection } = connect((requests) =>
      requests.filter(({ flags }) => flags & NLM_F_ACK).map((request) => [ack(request)]),
    );
    const rules = Array.from({ length: 3 * REQUESTS_PER_SEND }, (_, index) =>
      create(`${index}`, { acknowledge: index === 0 }),
    );
    connection.transact([begin, ...rules, end]);
    expect(transport.sent).toHaveLength(1);
    expect(transport.sent[0]?.filter(({ flags }) => flags & NLM_F_ACK)).toHaveLength(1);
  });

  test("ends with the refusal of a request that asked for none, and ignores what comes later", () => {
    let calls = 0;
    const { connection } = connect((requests) => {
      const [first, second] = requests;
      calls++;
      if (!first) return [];
      if (calls === 1 && second) return [[ack(first, 1)], [ack(second)]];
      return [requests.map((request) => ack(request))];
    });
    const error = refusalOf(() => connection.transact([begin, create("rule"), end]));
    expect(error).toMatchObject({ errnoName: "EPERM", operation: "begin batch" });
    expect(connection.execute([create("later")])).toEqual([[]]);
  });
});

describe("get and find", () => {
  test("give the one reply", () => {
    const { connection } = connect(([request]) => (request ? [[item(request, 9)], [ack(request)]] : []));
    expect(connection.get(get("a"))).toBe(9);
    expect(connection.find(get("a"))).toBe(9);
  });

  test("tell an absent object from other refusals", () => {
    const errnos = [19, 19, 1];
    const { connection } = connect(([request]) => (request ? [[ack(request, errnos.shift())]] : []));
    expect(refusalOf(() => connection.get(get("a"))).message).toBe("get item a: No such device (ENODEV)");
    expect(connection.find(get("a"))).toBeUndefined();
    expect(refusalOf(() => connection.find(get("a")))).toMatchObject({ errnoName: "EPERM" });
  });

  test("ask for several objects in one datagram, each of which may be absent", () => {
    const { connection, transport } = connect((requests) =>
      requests.map((request, index) =>
        index === 1 ? [ack(request, 19)] : [item(request, index), ack(request)],
      ),
    );
    expect(connection.findAll([get("a"), get("b"), get("c")])).toEqual([0, undefined, 2]);
    expect(transport.sent).toHaveLength(1);
  });

  test("throw the first refusal of several that does not say that the object is absent", () => {
    const errnos = [19, 1, 22];
    const { connection } = connect((requests) =>
      requests.map((request, index) => [ack(request, errnos[index])]),
    );
    const error = refusalOf(() => connection.findAll([get("a"), get("b"), get("c")]));
    expect(error).toMatchObject({ errnoName: "EPERM", object: "b" });
  });

  test("refuse an acknowledgement without an answer", () => {
    const { connection } = connect(([request]) => (request ? [[ack(request)]] : []));
    expect(refusalOf(() => connection.get(get("a")))).toMatchObject({ code: "decode-failure", object: "a" });
  });
});

describe("dump", () => {
  test("joins the parts up to the end, and applies the filter", () => {
    const { transport, connection } = connect(([request]) =>
      request
        ? [
            [item(request, 1, NLM_F_MULTI), item(request, 2, NLM_F_MULTI)],
            [item(request, 3, NLM_F_MULTI)],
            [done(request)],
          ]
        : [],
    );
    expect(connection.dump(get("a"))).toEqual([1, 2, 3]);
    expect(connection.dump({ ...get("a"), accepts: (value) => value !== 2 })).toEqual([1, 3]);
    expect(transport.sent[0]?.[0]?.flags).toBe(NLM_F_REQUEST | NLM_F_DUMP);
  });

  test("begins again when something changed meanwhile", () => {
    let attempt = 0;
    const { transport, connection } = connect(([request]) => {
      if (!request) return [];
      attempt++;
      if (attempt === 1) return [[item(request, 1, NLM_F_MULTI | NLM_F_DUMP_INTR)], [done(request)]];
      if (attempt === 2) return [[item(request, 2, NLM_F_MULTI)], [done(request, NLM_F_DUMP_INTR)]];
      return [[item(request, 3, NLM_F_MULTI)], [done(request)]];
    });
    expect(connection.dump(get("a"))).toEqual([3]);
    expect(transport.sent).toHaveLength(3);
  });

  test("gives up when it never comes to an end undisturbed", () => {
    const { transport, connection } = connect(([request]) =>
      request ? [[done(request, NLM_F_DUMP_INTR)]] : [],
    );
    expect(refusalOf(() => connection.dump(get("items")))).toMatchObject({
      code: "unavailable",
      object: "items",
    });
    expect(transport.sent).toHaveLength(DUMP_ATTEMPTS);
  });

  test("throws what the kernel refuses, at the start or at the end", () => {
    let attempt = 0;
    const { connection } = connect(([request]) => {
      if (!request) return [];
      attempt++;
      if (attempt === 1) return [[ack(request, 95)]];
      const end = answerTo(request, {
        type: NLMSG_DONE,
        payload: hexBytes("fe ff ff ff"),
        flags: NLM_F_MULTI,
      });
      return [[item(request, 1, NLM_F_MULTI)], [end]];
    });
    expect(refusalOf(() => connection.dump(get("a")))).toMatchObject({ errnoName: "EOPNOTSUPP" });
    expect(refusalOf(() => connection.dump(get("a")))).toMatchObject({ errnoName: "ENOENT" });
  });

  test("is read to its end even if a part of it cannot be decoded", () => {
    const { transport, connection } = connect(([request]) => {
      if (!request) return [];
      const broken = answerTo(request, {
        type: NEW,
        payload: hexBytes("06 00 01 00 00 00 00 00"),
        flags: NLM_F_MULTI,
      });
      return [[broken], [item(request, 2, NLM_F_MULTI)], [done(request)]];
    });
    expect(refusalOf(() => connection.dump(get("a"))).code).toBe("decode-failure");
    expect(() => transport.receive()).toThrow("no answer");
  });
});

describe("connection", () => {
  test("shows every datagram to the trace", () => {
    const seen: [string, number][] = [];
    const transport = new ScriptedTransport(([request]) => (request ? [[ack(request)]] : []));
    const trace = (direction: string, datagram: Uint8Array) => seen.push([direction, datagram.length]);
    new NetlinkConnection(transport, { trace }).execute([create("a")]);
    expect(seen).toEqual([
      ["send", 16],
      ["receive", 36],
    ]);
  });

  test("closes its transport", () => {
    const { transport, connection } = connect(() => []);
    connection.close();
    expect(transport.closed).toBe(true);
  });
});
