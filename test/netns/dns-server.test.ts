/**
 * The DNS server on loopback: networks of 127.0.0.0/8, whose "containers" are sockets bound to their addresses, and a
 * stub of the world. Everything but the gateway on a bridge, which test/e2e/dns.test.ts has.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket as Stream } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { DnsServer, type DnsServerOptions } from "../../agent/dns/server.ts";
import { parseAddress } from "../../lib/addr/address.ts";
import { ednsRecord } from "../../lib/dns/edns.ts";
import { FrameReader, frameMessage } from "../../lib/dns/frames.ts";
import { decodeMessage, encodeMessage, type Message, type ResourceRecord } from "../../lib/dns/message.ts";
import type { Endpoint, Network } from "../../lib/ipam/api.ts";
import { silentLogger } from "../../lib/log.ts";
import { endpointOf, networkOf, queryOf } from "../support/dns-fixture.ts";
import { mutatedMessages } from "../support/dns-mutations.ts";

/** Below the ephemeral ports, and others for another run at the same time. */
const PORT = 15_000 + 2 * (process.pid % 8_000);
const UPSTREAM_PORT = PORT + 1;
const GATEWAY = "127.77.1.1";
const OTHER_GATEWAY = "127.77.2.1";

const networks: Network[] = [
  networkOf("frontend", { subnets: { "127.77.1.0/24": GATEWAY } }),
  networkOf("backend", { subnets: { "127.77.2.0/24": OTHER_GATEWAY } }),
];
const endpoints: Endpoint[] = [
  endpointOf("frontend", "web", ["127.77.1.2/24"]),
  endpointOf("frontend", "both", ["127.77.1.3/24"]),
  endpointOf("backend", "both", ["127.77.2.3/24"]),
  endpointOf("backend", "db", ["127.77.2.2/24"]),
];

const started: { close(): void }[] = [];
afterEach(() => {
  for (const one of started.splice(0).reverse()) one.close();
});

async function start(options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const server = new DnsServer({
    service: {
      listNetworks: async () => networks,
      listEndpoints: async ({ containerId }) =>
        endpoints.filter((one) => (containerId ?? one.containerId) === one.containerId),
    },
    logger: silentLogger,
    upstreams: [`127.0.0.1#${UPSTREAM_PORT}`],
    runDir: "/nonexistent",
    port: PORT,
    ...options,
  });
  started.push(server);
  server.onReset();
  await server.applied();
  return server;
}

/** Asks over UDP from an address of 127.0.0.0/8. Null: no answer within `timeoutMs`. */
async function ask(
  query: Uint8Array,
  from: string,
  { to = GATEWAY, timeoutMs = 3_000 } = {},
): Promise<Message | null> {
  const socket = createSocket("udp4");
  socket.bind(0, from);
  await once(socket, "listening");
  try {
    socket.send(query, PORT, to);
    const [bytes] = (await once(socket, "message", { signal: AbortSignal.timeout(timeoutMs) })) as [Buffer];
    return decodeMessage(bytes);
  } catch {
    return null;
  } finally {
    socket.close();
  }
}

async function dial(from: string, to = GATEWAY): Promise<Stream> {
  const stream = connect({ host: to, port: PORT, localAddress: from });
  stream.on("error", () => {});
  await once(stream, "connect");
  return stream;
}

/** Collects messages of a stream until there are `count`, or it ends. */
async function receive(stream: Stream, count: number): Promise<Message[]> {
  const frames = new FrameReader();
  const messages: Message[] = [];
  for await (const chunk of stream) {
    messages.push(...frames.push(chunk as Buffer).map(decodeMessage));
    if (messages.length >= count) break;
  }
  return messages;
}

async function askTcp(query: Uint8Array, from: string, to = GATEWAY): Promise<Message | undefined> {
  const stream = await dial(from, to);
  stream.write(frameMessage(query));
  const [answer] = await receive(stream, 1);
  stream.destroy();
  return answer;
}

const texts = (message: Message | null | undefined) =>
  message?.answers.map((one) =>
    one.type === "A"
      ? JSON.stringify(one.data, (_, v) => (typeof v === "bigint" ? Number(v & 255n) : v))
      : one.type,
  );
const count = (message: Message | null | undefined) => message?.answers.length;

/** What the stub of the world does with a query; null: nothing. */
type Behaviour = (query: Message) => Message | Uint8Array | null;

function answerOf(
  query: Message,
  answers: readonly ResourceRecord[],
  changes: Partial<Message["flags"]> = {},
): Message {
  return {
    ...query,
    flags: { ...query.flags, response: true, recursionAvailable: true, ...changes },
    answers,
  };
}

const world: Behaviour = (query) => {
  const [question] = query.questions;
  const data = { address: parseAddress("192.0.2.80") };
  return answerOf(query, [{ name: question?.name ?? "", type: "A", class: 1, ttl: 300, data }]);
};

interface Stub {
  readonly seen: Message[];
  readonly udp: Socket;
}

async function startUpstream(udp: Behaviour, tcp: Behaviour = udp, address = "127.0.0.1"): Promise<Stub> {
  const seen: Message[] = [];
  const socket = createSocket("udp4");
  const encode = (answer: Message | Uint8Array) =>
    answer instanceof Uint8Array ? answer : encodeMessage(answer);
  socket.on("message", (bytes, from) => {
    const query = decodeMessage(bytes);
    seen.push(query);
    const answer = udp(query);
    if (answer) socket.send(encode(answer), from.port, from.address);
  });
  socket.bind(UPSTREAM_PORT, address);
  const server: Server = createServer((stream) => {
    const frames = new FrameReader();
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      for (const bytes of frames.push(chunk)) {
        const answer = tcp(decodeMessage(bytes));
        if (answer) stream.write(frameMessage(encode(answer)));
      }
    });
  });
  server.listen(UPSTREAM_PORT, address);
  await Promise.all([once(socket, "listening"), once(server, "listening")]);
  started.push({
    close: () => {
      socket.close();
      server.close();
    },
  });
  return { seen, udp: socket };
}

test("answers come by the asker's network, over UDP and TCP, from the address that was asked", async () => {
  const server = await start();
  for (const by of [ask, askTcp]) {
    expect(count(await by(queryOf("both"), "127.77.1.2"))).toBe(1);
    expect((await by(queryOf("db"), "127.77.1.2"))?.flags.responseCode).toBe(3);
    expect(count(await by(queryOf("db"), "127.77.1.3"))).toBe(1);
    expect(count(await by(queryOf("both"), "127.77.1.3"))).toBe(2);
  }
  expect(texts(await ask(queryOf("db"), "127.77.2.3", { to: OTHER_GATEWAY }))).toHaveLength(1);
  // The host itself asks from the gateway address.
  expect(count(await ask(queryOf("web"), GATEWAY))).toBe(1);
  expect(server.problems()).toEqual([]);
  expect(server.figures()).toMatchObject({ networks: 2, attachments: 4, listeners: 2 });
});

test("who is not on the network gets no answer, over either transport", async () => {
  const server = await start();
  expect(await ask(queryOf("web"), "127.77.2.2", { timeoutMs: 300 })).toBeNull();
  const stream = await dial("127.0.0.1");
  stream.write(frameMessage(queryOf("web")));
  await sleep(200);
  stream.destroy();
  expect(server.figures().dropped).toBe(2);
});

describe("forwarding", () => {
  test("asks upstream under another id, and answers under the asker's", async () => {
    const { seen } = await startUpstream(world);
    await start();
    const query = queryOf("WWW.example.com", "A", {
      additional: [
        ednsRecord({ udpBytes: 4096, dnssecOk: true, options: [{ code: 10, data: new Uint8Array(8) }] }),
      ],
    });
    const answer = await ask(query, "127.77.1.2");
    expect(answer).toMatchObject({ id: 0x1234, questions: [{ name: "WWW.example.com" }] });
    expect(count(answer)).toBe(1);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.additional).toEqual([ednsRecord({ udpBytes: 1232, dnssecOk: true })]);
    expect(seen[0]?.flags.recursionDesired).toBe(true);
    expect(count(await askTcp(query, "127.77.1.2"))).toBe(1);
  });

  test("never asks about single labels, networks, or addresses of networks", async () => {
    const { seen } = await startUpstream(world);
    await start();
    for (const name of ["nosuch", "nosuch.backend", "db.backend", "9.1.77.127.in-addr.arpa"]) {
      expect((await ask(queryOf(name), "127.77.1.2"))?.flags.responseCode).toBe(3);
    }
    expect((await ask(queryOf("web", "AAAA"), "127.77.1.2"))?.flags.responseCode).toBe(0);
    expect(seen).toEqual([]);
  });

  test("a truncated answer is fetched over TCP, and passed on whole over TCP", async () => {
    const long = (query: Message) =>
      answerOf(
        query,
        Array.from({ length: 200 }, (_, index) => ({
          name: query.questions[0]?.name ?? "",
          type: "A" as const,
          class: 1,
          ttl: 9,
          data: { address: parseAddress(`192.0.2.${index}`) },
        })),
      );
    await startUpstream((query) => answerOf(query, [], { truncated: true }), long);
    await start();
    expect(count(await askTcp(queryOf("long.example.com"), "127.77.1.2"))).toBe(200);
    expect(await ask(queryOf("long.example.com"), "127.77.1.2")).toMatchObject({
      flags: { truncated: true },
      answers: [],
    });
  });

  test("an answer with another id, another question or from another port does not count", async () => {
    let stranger: Socket | undefined;
    const { udp } = await startUpstream((query) => {
      const right = answerOf(query, []);
      const wrong = [
        { ...right, id: query.id ^ 1, flags: { ...right.flags, responseCode: 3 } },
        {
          ...right,
          questions: [{ name: "evil.example.com", type: "A" as const, class: 1 }],
          flags: { ...right.flags, responseCode: 3 },
        },
        { ...right, flags: { ...right.flags, response: false, responseCode: 3 } },
      ];
      for (const one of wrong) udp.send(encodeMessage(one), lastPort, "127.0.0.1");
      stranger?.send(
        encodeMessage({ ...right, flags: { ...right.flags, responseCode: 3 } }),
        lastPort,
        "127.0.0.1",
      );
      return null;
    });
    let lastPort = 0;
    udp.prependListener("message", (bytes, from) => {
      lastPort = from.port;
      setTimeout(
        () => udp.send(encodeMessage(world(decodeMessage(bytes)) as Message), from.port, from.address),
        100,
      );
    });
    stranger = createSocket("udp4");
    started.push({ close: () => stranger?.close() });
    await start();
    const answer = await ask(queryOf("www.example.com"), "127.77.1.2");
    expect(answer?.flags.responseCode).toBe(0);
    expect(count(answer)).toBe(1);
  });

  test("the next upstream is asked when one does not answer or cannot; all failing is a server failure", async () => {
    await startUpstream(world, world, "127.0.0.1");
    await startUpstream(
      (query) => answerOf(query, [], { responseCode: 2 }),
      () => null,
      "127.0.0.2",
    );
    const limits = { outstanding: 10, perClient: 10, perUpstreamMs: 200, totalMs: 500, avoidMs: 10_000 };
    // Nobody listens on 127.0.0.3.
    const upstreams = ["127.0.0.3", "127.0.0.2", "127.0.0.1"].map((one) => `${one}#${UPSTREAM_PORT}`);
    const server = await start({ upstreams, forwarderLimits: limits });
    expect(count(await ask(queryOf("www.example.com"), "127.77.1.2"))).toBe(1);
    server.close();
    const failing = await start({ upstreams: upstreams.slice(0, 2), forwarderLimits: limits, port: PORT });
    expect((await ask(queryOf("www.example.com"), "127.77.1.2"))?.flags.responseCode).toBe(2);
    failing.close();
    await start({ upstreams: [], forwarderLimits: limits });
    expect((await ask(queryOf("www.example.com"), "127.77.1.2"))?.flags.responseCode).toBe(2);
  });

  test("an upstream that is silent costs its time once, and what is too much is refused at once", async () => {
    await startUpstream(world);
    await startUpstream(
      () => null,
      () => null,
      "127.0.0.2",
    );
    const limits = { outstanding: 3, perClient: 2, perUpstreamMs: 300, totalMs: 1_000, avoidMs: 10_000 };
    const upstreams = ["127.0.0.2", "127.0.0.1"].map((one) => `${one}#${UPSTREAM_PORT}`);
    const server = await start({ upstreams, forwarderLimits: limits });
    const first = [1, 2, 3].map(() => ask(queryOf("www.example.com"), "127.77.1.2"));
    const codes = (await Promise.all(first)).map((one) => one?.flags.responseCode);
    expect(codes.sort()).toEqual([0, 0, 2]);
    const began = performance.now();
    expect(count(await ask(queryOf("www.example.com"), "127.77.1.2"))).toBe(1);
    expect(performance.now() - began).toBeLessThan(290);
    expect(server.figures()).toMatchObject({ outstanding: 0, upstreamFailures: 1 });
  });

  test("ourselves are never asked", async () => {
    const server = await start({ upstreams: [`${GATEWAY}#${PORT}`, `${OTHER_GATEWAY}#${PORT}`] });
    expect((await ask(queryOf("www.example.com"), "127.77.1.2"))?.flags.responseCode).toBe(2);
    expect(server.figures().received).toBe(1);
  });
});

describe("TCP", () => {
  test("many queries on one connection are all answered, whatever forwarded ones among them take", async () => {
    await startUpstream(
      () => null,
      () => null,
    );
    const limits = { outstanding: 10, perClient: 10, perUpstreamMs: 300, totalMs: 300, avoidMs: 1 };
    await start({ forwarderLimits: limits });
    const stream = await dial("127.77.1.2");
    const queries = [1, 2, 3, 4].map((id) => queryOf(id === 1 ? "slow.example.com" : "web", "A", { id }));
    stream.write(Buffer.concat(queries.map(frameMessage)));
    const ids = (await receive(stream, 4)).map(({ id }) => id);
    stream.destroy();
    expect(ids).toEqual([2, 3, 4, 1]);
  });

  test("silence, a message that comes too slowly, and what is no DNS end a connection", async () => {
    const tcpLimits = { connections: 100, perClient: 10, idleMs: 500, messageMs: 300, unreadBytes: 1_000 };
    const server = await start({ tcpLimits });
    const idle = await dial("127.77.1.2");
    const slow = await dial("127.77.1.2");
    const wrong = await dial("127.77.1.2");
    const drip = setInterval(() => slow.write("\0"), 50);
    slow.write(Uint8Array.of(1, 0));
    wrong.write("GET / HTTP/1.1\r\n\r\n".replace("GE", "\0\u0002"));
    const streams = [idle, slow, wrong];
    for (const stream of streams) stream.resume();
    await Promise.all(streams.map((stream) => stream.destroyed || once(stream, "close")));
    clearInterval(drip);
    await sleep(50);
    expect(server.figures()).toMatchObject({ connections: 0, connectionsClosed: 3 });
  });

  test("a client that takes no answers is cut off", async () => {
    const tcpLimits = {
      connections: 100,
      perClient: 10,
      idleMs: 60_000,
      messageMs: 60_000,
      unreadBytes: 10_000,
    };
    const server = await start({ tcpLimits });
    const stream = await dial("127.77.1.2");
    stream.pause();
    const batch = Buffer.concat(Array.from({ length: 1_000 }, () => frameMessage(queryOf("web"))));
    let isClosed = false;
    stream.on("close", () => {
      isClosed = true;
    });
    for (let sent = 0; sent < 2_000 && !isClosed && server.figures().connectionsClosed === 0; sent++) {
      stream.write(batch);
      await sleep(1);
    }
    expect(server.figures().connectionsClosed).toBe(1);
    stream.destroy();
  }, 60_000);

  test("1,000 stalled connections: every other query is answered", async () => {
    const server = await start();
    const stalled: Stream[] = [];
    for (let index = 0; index < 1_000; index++) {
      const stream = await dial(`127.77.1.${10 + (index % 200)}`);
      stream.write(Uint8Array.of(0));
      stalled.push(stream);
    }
    const times: number[] = [];
    for (let index = 0; index < 1_000; index++) {
      const began = performance.now();
      expect(count(await ask(queryOf("web"), "127.77.1.3"))).toBe(1);
      times.push(performance.now() - began);
    }
    for (let index = 0; index < 50; index++)
      expect(count(await askTcp(queryOf("web"), "127.77.1.3"))).toBe(1);
    times.sort((a, b) => a - b);
    console.log(
      `1,000 stalled: p50 ${times[500]?.toFixed(2)} ms, p99 ${times[990]?.toFixed(2)} ms, ${server.figures().connections} connections left`,
    );
    for (const stream of stalled) stream.destroy();
  });
});

test("30,000 damaged messages over UDP and TCP later, it still answers", async () => {
  const server = await start({ upstreams: [] });
  const socket = createSocket("udp4");
  socket.bind(0, "127.77.1.2");
  await once(socket, "listening");
  socket.on("error", () => {});
  let stream = await dial("127.77.1.2");
  let sent = 0;
  for (const bytes of mutatedMessages(99, 30_000)) {
    socket.send(bytes, PORT, GATEWAY);
    if (stream.destroyed || stream.closed || !stream.writable) stream = await dial("127.77.1.2");
    stream.write(sent % 3 === 0 ? bytes : frameMessage(bytes));
    stream.resume();
    sent++;
    if (sent % 20 === 0) await sleep(1);
  }
  socket.close();
  stream.destroy();
  // What the kernel holds for the server is worked off.
  await sleep(500);
  expect(count(await ask(queryOf("web"), "127.77.1.2"))).toBe(1);
  expect(count(await askTcp(queryOf("web"), "127.77.1.2"))).toBe(1);
  expect(server.figures().received).toBeGreaterThan(20_000);
}, 60_000);

describe("listening", () => {
  test("an address that somebody else holds costs its own network only, and is taken when it is free", async () => {
    const holder = createSocket("udp4");
    holder.bind(PORT, GATEWAY);
    await once(holder, "listening");
    const server = await start();
    const [problem] = server.problems();
    expect(problem).toMatchObject({ severity: "error", object: "frontend" });
    expect(problem?.message).toContain(`${GATEWAY}:${PORT} is taken by another program`);
    expect(count(await ask(queryOf("db"), "127.77.2.3", { to: OTHER_GATEWAY }))).toBe(1);
    holder.close();
    await once(holder, "close").catch(() => {});
    await server.applied();
    for (let tries = 0; tries < 100 && server.problems().length > 0; tries++) await sleep(100);
    expect(server.problems()).toEqual([]);
    expect(count(await ask(queryOf("web"), "127.77.1.2"))).toBe(1);
  });

  test("an address that is not there is a warning, and not waited for without end", async () => {
    networks.push(networkOf("absent", { subnets: { "10.255.77.0/24": "10.255.77.1" } }));
    const server = await start();
    networks.pop();
    expect(server.problems()).toMatchObject([{ severity: "warning", object: "absent" }]);
    expect(count(await ask(queryOf("web"), "127.77.1.2"))).toBe(1);
  });

  test("10,000 adds and removes: the sockets stay, and no query is lost", async () => {
    const server = await start();
    const { listeners } = server.figures();
    let isOver = false;
    let asked = 0;
    const askers = ["127.77.1.2", "127.77.1.3"].map(async (from) => {
      while (!isOver) {
        expect(count(await ask(queryOf("web"), from))).toBe(1);
        asked++;
      }
    });
    for (let round = 0; round < 5_000; round++) {
      const containerId = `c${round % 50}`;
      const address = `127.77.1.${100 + (round % 50)}`;
      endpoints.push(endpointOf("frontend", containerId, [`${address}/24`], [containerId, "many"]));
      server.onEvent({ kind: "lease-bound", networkName: "frontend", containerId } as never);
      if (round % 7 === 0) await server.applied();
      endpoints.splice(
        endpoints.findIndex((one) => one.containerId === containerId),
        1,
      );
      server.onEvent({ kind: "lease-released", networkName: "frontend", containerId } as never);
      if (round % 500 === 0) {
        networks.push(
          networkOf(`n${round}`, { subnets: { [`127.78.${round / 500}.0/24`]: `127.78.${round / 500}.1` } }),
        );
        server.onEvent({ kind: "network-created", networkName: `n${round}`, containerId: "" } as never);
      }
      if (round % 11 === 0) await sleep(0);
    }
    await server.applied();
    isOver = true;
    await Promise.all(askers);
    expect(asked).toBeGreaterThan(100);
    expect((await ask(queryOf("many"), "127.77.1.2"))?.flags.responseCode).toBe(3);
    expect(server.figures().listeners).toBe(listeners + 10);
    networks.splice(2);
    server.onEvent({ kind: "network-removed", networkName: "n0", containerId: "" } as never);
    await server.applied();
    expect(server.figures()).toMatchObject({ listeners, attachments: 4 });
  });
});
