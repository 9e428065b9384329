/**
 * The DNS server on loopback, over UDP and TCP. The gateway on a bridge is in test/e2e/dns.test.ts.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Socket as Stream } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { frameMessage } from "../../lib/dns/frames.ts";
import { endpointOf, networkOf, queryOf, withNames } from "../support/dns/dns-fixture.ts";
import {
  ask,
  askTcp,
  closeStarted,
  count,
  dial,
  endpoints,
  GATEWAY,
  networks,
  OTHER_GATEWAY,
  PORT,
  receive,
  start,
  startUpstream,
  texts,
} from "../support/dns/dns-loopback.ts";
import { mutatedMessages } from "../support/dns/dns-mutations.ts";
import { waitUntil } from "../support/lab/lab-process.ts";

afterEach(closeStarted);

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
  // It is not even kept.
  await once(stream.resume(), "close");
  expect(server.figures()).toMatchObject({ dropped: 2, connections: 0 });
});

describe("TCP", () => {
  test("many queries on one connection are all answered, whatever forwarded ones among them take", async () => {
    await startUpstream(
      () => null,
      () => null,
    );
    const limits = {
      outstanding: 10,
      perClient: 10,
      nextAfterMs: 300,
      resendMs: [],
      totalMs: 300,
      avoidMs: 1,
    };
    await start({ forwarderLimits: limits });
    const stream = await dial("127.77.1.2");
    const queries = [1, 2, 3, 4].map((id) => queryOf(id === 1 ? "slow.example.com" : "web", "A", { id }));
    stream.write(Buffer.concat(queries.map(frameMessage)));
    const ids = (await receive(stream, 4)).map(({ id }) => id);
    stream.destroy();
    expect(ids).toEqual([2, 3, 4, 1]);
  });

  const LIMITS = { connections: 100, perClient: 10, idleMs: 600_000, messageMs: 600_000, unreadBytes: 1_000 };
  const ended = async (stream: Stream): Promise<void> => {
    stream.resume();
    if (!stream.destroyed) await once(stream, "close");
  };

  test("silence ends a connection", async () => {
    const server = await start({ tcpLimits: { ...LIMITS, idleMs: 300 } });
    await ended(await dial("127.77.1.2"));
    expect(server.figures()).toMatchObject({ connections: 0, connectionsClosed: 1 });
  });

  test("a message that comes too slowly ends it, however often a byte of it comes", async () => {
    const server = await start({ tcpLimits: { ...LIMITS, messageMs: 300 } });
    const slow = await dial("127.77.1.2");
    const drip = setInterval(() => slow.write("\0"), 50);
    slow.write(Uint8Array.of(1, 0));
    await ended(slow);
    clearInterval(drip);
    expect(server.figures()).toMatchObject({ connections: 0, connectionsClosed: 1 });
  });

  test("so does the second message of a connection", async () => {
    const server = await start({ tcpLimits: { ...LIMITS, messageMs: 300 } });
    const slow = await dial("127.77.1.2");
    slow.write(Uint8Array.from([...frameMessage(queryOf("web")), 0]));
    await ended(slow);
    expect(server.figures()).toMatchObject({ connectionsClosed: 1, answered: 1 });
  });

  test.each([
    ["what is no DNS", "\0\u0002T / HTTP/1.1\r\n\r\n"],
    ["a message that no query is as long as", Uint8Array.of(0x10, 1)],
  ])("%s ends it at once", async (_what, bytes) => {
    const server = await start({ tcpLimits: LIMITS });
    const wrong = await dial("127.77.1.2");
    wrong.write(bytes);
    await ended(wrong);
    expect(server.figures()).toMatchObject({ connections: 0, connectionsClosed: 1 });
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
  expect(count(await ask(queryOf("web"), "127.77.1.2"))).toBe(1);
  expect(count(await askTcp(queryOf("web"), "127.77.1.2"))).toBe(1);
  // What the kernel held for the server came before these.
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
    expect(await waitUntil(async () => server.problems().length === 0, 20_000)).toBe(true);
    expect(count(await ask(queryOf("web"), "127.77.1.2"))).toBe(1);
  });

  test("an address that cannot be bound for another reason is an error that gives it", async () => {
    // A link-local address without its interface: EINVAL.
    networks.push(networkOf("odd", { subnets: { "fe80::/64": "fe80::77" } }));
    const server = await start();
    networks.pop();
    expect(server.problems()).toMatchObject([{ severity: "error", object: "odd" }]);
    expect(server.problems()[0]?.message).toMatch(/EINVAL|invalid argument/i);
    expect(server.problems()[0]?.message).not.toContain("another program");
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
      endpoints.push(
        withNames(endpointOf("frontend", containerId, [`${address}/24`]), [containerId, "many"]),
      );
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
