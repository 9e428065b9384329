/** Names of the world, asked of a stub on loopback on behalf of "containers" on loopback. */
import { createSocket, type Socket } from "node:dgram";
import { parseAddress } from "../../lib/addr/address.ts";
import { ednsRecord } from "../../lib/dns/edns.ts";
import { decodeMessage, encodeMessage, type Message } from "../../lib/dns/message.ts";
import { queryOf } from "../support/dns-fixture.ts";
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
} from "../support/dns-loopback.ts";

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
