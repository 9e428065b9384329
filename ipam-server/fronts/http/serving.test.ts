import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { FairleadError } from "../../../lib/errors.ts";
import { useHttpFront } from "../../../test/support/ipam/http-front.ts";
import {
  ListeningFront,
  openHttpFront,
  type TestService,
  withMethods,
} from "../../../test/support/ipam/ipam-fronts.ts";
import { settleTurns } from "../../../test/support/turns.ts";
import { tokenFrom } from "../token.ts";

const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };
const SECRET = "0123456789abcdef0123456789abcdef";

const s = useHttpFront();
const { call, acquire, openOther } = s;

describe("with a token", () => {
  let guarded: ListeningFront;
  beforeEach(async () => {
    guarded = await ListeningFront.open(openHttpFront(s.under.service, { token: tokenFrom(SECRET) }));
  });
  afterEach(() => guarded.close());

  test.each(["/v1/info", "/v1/openapi.json", "/metrics", "/readyz", "/nope", "/v1/events/stream"])(
    "%s is closed without it",
    async (url) => {
      const answer = await guarded.call({ url, headers: { authorization: "Bearer wrong" } });
      expect([answer.status, answer.body.error.code]).toEqual([401, "unauthenticated"]);
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
    },
  );

  test("what is asked without it is not repeated at length", async () => {
    const url = `/v1/info?q=${"x".repeat(1_000)}`;
    const { status, body } = await guarded.call({ url });
    expect([status, body.error.operation, body.error.object]).toEqual([401, "serve GET", url.slice(0, 200)]);
  });

  test("a body is not even read without it", async () => {
    const answer = await guarded.call({ method: "POST", url: "/v1/attachments/acquire", payload: "{" });
    expect(answer.status).toBe(401);
  });

  test("with it, everything is served", async () => {
    const answer = await guarded.call({
      url: "/v1/info",
      headers: { authorization: `Bearer ${SECRET}` },
    });
    expect(answer.status).toBe(200);
  });

  test("over TCP who showed the token is not put out for others, and of those one is left", async () => {
    const limits = { connections: 2, strangerMs: 60_000 };
    const front = await openHttpFront(s.under.service, { token: tokenFrom(SECRET), limits });
    await front.app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = front.server.address() as AddressInfo;
    const known = connect(port, "127.0.0.1");
    const ask = async (): Promise<string> => {
      known.write(`GET /v1/info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`);
      return String(await once(known, "data"));
    };
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
    const told: string[] = [];
    const strangers = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    for (const socket of strangers) socket.on("data", (data) => told.push(String(data)));
    await Promise.race(strangers.map((socket) => once(socket, "close")));
    // That is: at once and without a word, not for being slow to ask.
    expect(told).toEqual([]);
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
    for (const socket of [known, ...strangers]) socket.destroy();
    await front.close();
  });

  test("the health of the process is open", async () => {
    expect((await guarded.call({ url: "/healthz" })).body).toEqual({ status: "ok" });
  });
});

describe("for machines", () => {
  test("ready says why not", async () => {
    const ready = await call({ url: "/readyz" });
    expect([ready.status, ready.body]).toEqual([200, { status: "ok", reasons: [] }]);
    const unready = await openOther({ unreadyReasons: async () => ["disk full"] });
    const answer = await unready.call({ url: "/readyz" });
    expect([answer.status, answer.body]).toEqual([503, { status: "unready", reasons: ["disk full"] }]);
    await unready.close();
    const info = () =>
      Promise.reject(
        new FairleadError({ code: "unavailable", operation: "ask", reason: "the store is away" }),
      );
    const broken = await openOther({ service: withMethods(s.under.service, { info }) });
    const failing = await broken.call({ url: "/readyz" });
    expect([failing.status, failing.body.status]).toEqual([503, "unready"]);
    expect(failing.body.reasons).toEqual([expect.stringContaining("the store is away")]);
    await broken.close();
  });

  test("metrics count requests, leases and pools, with few labels", async () => {
    await acquire({ key: KEY });
    await acquire({ key: { ...KEY, containerId: "" } });
    await call({ url: "/v1/secret-path-1" });
    const { text, headers } = await s.front.call({ url: "/metrics" });
    expect(headers["content-type"]).toMatch(/^text\/plain/);
    for (const line of [
      'fairlead_requests_total{front="http",operation="acquire",status="200"} 1',
      'fairlead_requests_total{front="http",operation="acquire",status="400"} 1',
      'fairlead_requests_total{front="http",operation="other",status="404"} 1',
      'fairlead_request_seconds_count{front="http",operation="acquire"} 2',
      'fairlead_leases{state="bound"} 1',
      'fairlead_pool_addresses{network="web",pool="0",family="4",state="bound"} 1',
      "fairlead_networks 1",
      'fairlead_group_wait_seconds_bucket{le="+Inf"} 0',
      "fairlead_epoch 1",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(text).toContain("process_cpu_seconds_total");
    expect(text).not.toContain("secret-path");
    expect(text).not.toContain("c1");
  });
});

describe("on a socket", () => {
  function raw(text: string): Promise<string> {
    return new Promise((resolve) => {
      let answer = "";
      const socket = connect(s.front.socket, () => socket.write(text));
      socket.setEncoding("utf8");
      socket.on("data", (data) => {
        answer += data;
      });
      socket.on("close", () => resolve(answer));
    });
  }

  function requestText(path: string, request: object): string {
    const body = JSON.stringify(request);
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  }

  test("a release is carried out also when its client has gone", async () => {
    const released = Promise.withResolvers<string>();
    const release: TestService["service"]["release"] = (request, caller) => {
      released.resolve(request.key.containerId);
      return s.under.service.release(request, caller);
    };
    const other = await openOther({ service: withMethods(s.under.service, { release }) });
    const socket = connect(other.socket, () => {
      socket.write(requestText("/v1/attachments/release", { key: KEY }), () => socket.destroy());
    });
    expect(await released.promise).toBe(KEY.containerId);
    await other.close();
  });

  test("an attachment whose client has gone before it was looked at gets nothing", async () => {
    const acquired = jest.fn(s.under.service.acquire.bind(s.under.service));
    const other = await openOther({ service: withMethods(s.under.service, { acquire: acquired }) });
    const gone = new Promise<unknown>((resolve) =>
      other.front.server.once("connection", (socket: Socket) => socket.once("close", resolve)),
    );
    const arrived = once(other.front.server, "request");
    const socket = connect(other.socket, () => {
      socket.write(requestText("/v1/attachments/acquire", { key: KEY }));
      socket.destroy();
    });
    await Promise.all([arrived, gone]);
    await settleTurns();
    await other.close();
    expect(acquired).not.toHaveBeenCalled();
  });

  test("a plugin's request is answered with a length, and the connection is closed", async () => {
    const body = JSON.stringify({ key: KEY });
    const answer = await raw(
      "POST /v1/attachments/acquire HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\n" +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/content-length: \d+/i);
    expect(answer).not.toMatch(/transfer-encoding/i);
  });

  test.each([
    ["what is not HTTP", "GARBAGE\r\n\r\n", 400],
    ["a head without end", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(100_000)}\r\n\r\n`, 431],
  ])("%s is answered in the shape of all errors", async (_name, text, status) => {
    const answer = await raw(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const [, body = ""] = answer.split("\r\n\r\n");
    expect(JSON.parse(body).error.code).toBe("decode-failure");
  });

  function openStream(url: string, headers = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      httpRequest({ socketPath: s.front.socket, path: url, headers }, resolve).on("error", reject).end();
    });
  }

  /** Reads until `count` events have come, and returns their ids. */
  async function ids(response: IncomingMessage, count: number): Promise<number[]> {
    let text = "";
    response.setEncoding("utf8");
    for await (const chunk of response) {
      text += chunk;
      const found = [...text.matchAll(/^id: [0-9a-f]{32}:(\d+)$/gm)].map(([, id]) => Number(id));
      if (found.length >= count) return found;
    }
    throw new Error(`the stream ended after ${text}`);
  }

  test("events stream, and resume where the client was", async () => {
    await acquire({ key: KEY });
    const response = await openStream("/v1/events/stream?since=0");
    expect(response.headers["content-type"]).toBe("text/event-stream");
    expect(await ids(response, 3)).toEqual([1, 2, 3]);
    const resumed = await openStream("/v1/events/stream?since=0", { "last-event-id": "2" });
    expect(await ids(resumed, 1)).toEqual([3]);
    const { logId } = await s.under.service.info();
    const exact = await openStream("/v1/events/stream", { "last-event-id": `${logId}:1` });
    expect(await ids(exact, 2)).toEqual([2, 3]);
  });

  test.each([
    ["in another log", `${"0".repeat(32)}:1`],
    ["after the newest event", "99"],
  ])("a place %s is gone", async (_name, id) => {
    const response = await openStream("/v1/events/stream", { "last-event-id": id });
    expect(response.statusCode).toBe(410);
    response.resume();
  });

  test("without a place, a stream begins now", async () => {
    const response = await openStream("/v1/events/stream");
    await acquire({ key: KEY });
    expect(await ids(response, 1)).toEqual([3]);
  });

  test("a message is an event of the log", async () => {
    const response = await openStream("/v1/events/stream?since=1");
    response.setEncoding("utf8");
    let text = "";
    for await (const chunk of response) {
      text += chunk;
      if (text.includes("data: ") && text.endsWith("\n\n")) break;
    }
    const [, data = ""] = /^data: (.*)$/m.exec(text) ?? [];
    expect(text).toMatch(/^id: [0-9a-f]{32}:2\nevent: network-created$/m);
    expect([JSON.parse(data)]).toEqual(await s.under.service.listEvents({ since: 1 }));
  });

  test.each(["x", "-1", "1.5", "99999999999999999999"])("Last-Event-ID %s is refused", async (id) => {
    const { status, body } = await call({ url: "/v1/events/stream", headers: { "last-event-id": id } });
    expect([status, body.error.code, body.error.object]).toEqual([400, "invalid-config", "Last-Event-ID"]);
  });

  test("of a Last-Event-ID that is too long, the refusal repeats the beginning", async () => {
    const headers = { "last-event-id": "x".repeat(1_000) };
    const { body } = await call({ url: "/v1/events/stream", headers });
    expect(body.error.reason).toMatch(/^"x{79} is not a place/);
  });

  test("an empty Last-Event-ID is none", async () => {
    const response = await openStream("/v1/events/stream?since=1", { "last-event-id": "" });
    expect(await ids(response, 1)).toEqual([2]);
  });

  test("a place that is no longer in the log is gone", async () => {
    const service = withMethods(s.under.service, {
      listEvents: async () => {
        throw new FairleadError({ code: "compacted", operation: "list events", reason: "trimmed" });
      },
    });
    const other = await openOther({ service });
    const answer = await other.call({ url: "/v1/events/stream?since=1" });
    expect([answer.status, answer.body.error.code]).toEqual([410, "compacted"]);
    await other.close();
  });

  test("closing ends streams, finishes calls under way, and leaves no socket", async () => {
    const stream = await openStream("/v1/events/stream");
    const ended = new Promise((resolve) => stream.on("end", resolve).resume());
    await s.front.front.close();
    await ended;
    await expect(openStream("/v1/info")).rejects.toThrow("ENOENT");
  });

  test("who is slow to send is cut off, and silence between two requests may be longer", () => {
    const { requestTimeout, headersTimeout, keepAliveTimeout } = s.front.front.server;
    expect([requestTimeout, headersTimeout, keepAliveTimeout]).toEqual([10_000, 10_000, 60_000]);
  });

  test("closing finishes the calls under way", async () => {
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const checkConsistency = async () => {
      arrived.resolve();
      await gate.promise;
      return s.under.service.checkConsistency();
    };
    const slow = await openOther({ service: withMethods(s.under.service, { checkConsistency }) });
    // A connection that is kept open and idle must not hold the end up.
    const idle = connect(slow.socket);
    const answer = slow.call({ url: "/v1/check", headers: { connection: "keep-alive" } });
    await arrived.promise;
    const closed = slow.close();
    gate.resolve();
    const { status, headers } = await answer;
    expect([status, headers.connection]).toEqual([200, "close"]);
    await closed;
    idle.destroy();
  });
});
