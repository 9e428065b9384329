/** Names of the world, asked of a stub on loopback on behalf of "containers" on loopback. */
import { createSocket, type Socket } from "node:dgram";
import { parseAddress } from "../../lib/addr/address.ts";
import { ednsRecord } from "../../lib/dns/edns.ts";
import { decodeMessage, encodeMessage, type Message } from "../../lib/dns/message.ts";
import { queryOf } from "../support/dns/dns-fixture.ts";
import {
  answerOf,
  ask,
  askTcp,
  closeStarted,
  count,
  GATEWAY,
  OTHER_GATEWAY,
  PORT,
  start,
  started,
  startUpstream,
  UPSTREAM_PORT,
  world,
} from "../support/dns/dns-loopback.ts";
import { waitUntil } from "../support/lab/lab-process.ts";

afterEach(closeStarted);

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
    // What fits is passed on over UDP, too: some resolvers never ask over TCP.
    const cut = await ask(queryOf("long.example.com"), "127.77.1.2");
    expect(cut?.flags.truncated).toBe(true);
    expect(count(cut)).toBeGreaterThan(25);
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
    const limits = {
      outstanding: 10,
      perClient: 10,
      nextAfterMs: 200,
      resendMs: [],
      totalMs: 500,
      avoidMs: 10_000,
    };
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

  const LIMITS = { outstanding: 9, perClient: 9, resendMs: [], avoidMs: 60_000 };
  const both = ["127.0.0.2", "127.0.0.1"].map((one) => `${one}#${UPSTREAM_PORT}`);

  test("an upstream that is silent is asked last from then on", async () => {
    const { seen } = await startUpstream(world);
    const silent = await startUpstream(
      () => null,
      () => null,
      "127.0.0.2",
    );
    const forwarderLimits = { ...LIMITS, nextAfterMs: 100, totalMs: 60_000 };
    const server = await start({ upstreams: both, forwarderLimits });
    for (let index = 0; index < 3; index++)
      expect(count(await ask(queryOf("www.example.com"), "127.77.1.2"))).toBe(1);
    expect([silent.seen.length, seen.length]).toEqual([1, 3]);
    expect(server.figures()).toMatchObject({ outstanding: 0, upstreamFailures: 0 });
  });

  test("the first upstream is listened to while the next is asked", async () => {
    const late = await startUpstream(
      () => null,
      () => null,
      "127.0.0.2",
    );
    // The second is silent for ever; it being asked makes the first answer.
    await startUpstream(() => {
      const [query] = late.seen;
      if (query) late.udp.send(encodeMessage(world(query) as Message), askedFrom, "127.0.0.1");
      return null;
    });
    let askedFrom = 0;
    late.udp.prependListener("message", (_bytes, from) => {
      askedFrom = from.port;
    });
    const server = await start({
      upstreams: both,
      forwarderLimits: { ...LIMITS, nextAfterMs: 100, totalMs: 60_000 },
    });
    expect(count(await ask(queryOf("www.example.com"), "127.77.1.2"))).toBe(1);
    expect(server.figures()).toMatchObject({ outstanding: 0, upstreamFailures: 0 });
  });

  test("a query that was lost on its way upstream is sent again", async () => {
    const { seen } = await startUpstream((query) => (seen.length < 2 ? null : world(query)));
    const forwarderLimits = { ...LIMITS, nextAfterMs: 60_000, resendMs: [100], totalMs: 60_000 };
    await start({ upstreams: both.slice(1), forwarderLimits });
    expect(count(await ask(queryOf("www.example.com"), "127.77.1.2"))).toBe(1);
    expect(seen.map(({ id }) => id)).toEqual([seen[0]?.id, seen[0]?.id]);
  });

  test("what is too much of one asker is refused at once, and what others need is taken from him", async () => {
    await startUpstream((query) => (query.questions[0]?.name.startsWith("slow") ? null : world(query)));
    const forwarderLimits = {
      ...LIMITS,
      outstanding: 3,
      perClient: 3,
      nextAfterMs: 60_000,
      totalMs: 60_000,
    };
    const server = await start({ upstreams: both.slice(1), forwarderLimits });
    const slow = [0, 1, 2].map((index) => ask(queryOf(`slow${index}.example.com`), "127.77.1.2"));
    expect(await waitUntil(async () => server.figures().outstanding === 3, 10_000)).toBe(true);
    const code = async (name: string, from: string) => (await ask(queryOf(name), from))?.flags.responseCode;
    expect(await code("www.example.com", "127.77.1.2")).toBe(2);
    expect(await code("www.example.com", "127.77.1.3")).toBe(0);
    // The oldest gave way.
    expect((await slow[0])?.flags.responseCode).toBe(2);
    expect(server.figures().outstanding).toBe(2);
    server.close();
    await Promise.all(slow);
  });

  test("an upstream that cannot even be connected to is passed over", async () => {
    await startUpstream(world);
    // The kernel refuses to connect to a broadcast address; the other one has no such zone.
    const upstreams = ["255.255.255.255", "fe80::1%nosuch", "127.0.0.1"].map(
      (one) => `${one}#${UPSTREAM_PORT}`,
    );
    const server = await start({ upstreams });
    for (let index = 0; index < 3; index++) {
      expect(count(await ask(queryOf("www.example.com"), "127.77.1.2"))).toBe(1);
    }
    expect(server.figures()).toMatchObject({ forwarded: 3, upstreamFailures: 0, outstanding: 0 });
  });

  test("ourselves are never asked", async () => {
    const server = await start({ upstreams: [`${GATEWAY}#${PORT}`, `${OTHER_GATEWAY}#${PORT}`] });
    expect((await ask(queryOf("www.example.com"), "127.77.1.2"))?.flags.responseCode).toBe(2);
    expect(server.figures().received).toBe(1);
  });
});
