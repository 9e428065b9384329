import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import Ajv2020 from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { FairleadError } from "../../lib/errors.ts";
import { OPERATIONS } from "../../lib/rpc/operations.ts";
import {
  type Answer,
  type Call,
  frontParts,
  ListeningFront,
  openHttpFront,
  openTestService,
  type TestService,
  withMethods,
} from "../../test/support/ipam-fronts.ts";
import type { ANSWER_SCHEMAS } from "../schema/answers.ts";
import { SCHEMAS } from "../schema/validation.ts";
import { tokenFrom } from "../token.ts";
import { createHttpFront, type HttpFrontOptions } from "./front.ts";
import { ROUTES } from "./routes.ts";

const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };
const SECRET = "0123456789abcdef0123456789abcdef";

let under: TestService;
let front: ListeningFront;

beforeEach(async () => {
  under = await openTestService();
  front = await ListeningFront.open(openHttpFront(under.service));
  await under.service.createNetwork({ name: "web" }, { actor: "test", node: "n1" });
});
afterEach(async () => {
  await front.close();
  await under.service.close();
});

/** A front over the same service, with parts replaced. */
const openOther = (over: Partial<HttpFrontOptions>): Promise<ListeningFront> =>
  ListeningFront.open(createHttpFront({ ...frontParts(under.service), token: null, ...over }));
const call = (request: Call): Promise<Answer> => front.call(request);
const acquire = (payload: unknown, headers = {}) =>
  call({ method: "POST", url: "/v1/attachments/acquire", payload, headers });

describe("requests are taken as the schemas say, and no other", () => {
  test.each([
    ["an unknown field", { key: KEY, color: "red" }, 'unknown field "color"', "body"],
    ["an unknown field deep inside", { key: { ...KEY, pod: "x" } }, 'unknown field "pod"', "body.key"],
    [
      "a missing field",
      { key: { networkName: "web", ifname: "eth0" } },
      'field "containerId" is missing',
      "body.key",
    ],
    ["a number for a text", { key: { ...KEY, containerId: 5 } }, "it must be string", "body.key.containerId"],
    ["a text for a list", { key: KEY, names: "db" }, "it must be array", "body.names"],
    ["null for a text", { key: KEY, mac: null }, "it must be string", "body.mac"],
    [
      "a name that is too long",
      { key: { ...KEY, containerId: "x".repeat(256) } },
      "255 characters",
      "body.key.containerId",
    ],
    [
      "too many wishes",
      { key: KEY, requestedAddresses: Array(17).fill("10.0.0.1") },
      "16 items",
      "body.requestedAddresses",
    ],
    ["a list", [], "it must be object", "body"],
  ])("%s is refused", async (_name, payload, reason, field) => {
    const { status, body } = await acquire(payload);
    expect([status, body.error.code, body.error.object]).toEqual([400, "invalid-config", field]);
    expect(body.error.reason).toContain(reason);
    expect(body.error.hint).not.toBe("");
  });

  test.each([
    ["no JSON", "{", 400],
    ["nothing", "", 400],
    ["a key that poisons prototypes", '{"key":{},"__proto__":{"x":1}}', 400],
    ["nesting without end", "[".repeat(10_000), 400],
    ["nesting that ends", `${"[".repeat(33)}${"]".repeat(33)}`, 400],
    ["more than a megabyte", JSON.stringify({ x: "y".repeat(1_100_000) }), 413],
  ])("a body of %s is refused", async (_name, payload, wanted) => {
    const { status, body } = await acquire(payload);
    expect([status, body.error.code]).toEqual([wanted, "decode-failure"]);
  });

  test("a body that is not declared as JSON is refused", async () => {
    const { status, body } = await acquire(JSON.stringify({ key: KEY }), { "content-type": "text/plain" });
    expect([status, body.error.code]).toEqual([415, "decode-failure"]);
  });

  test.each([
    ["/v1/events?color=red", 'unknown field "color"'],
    ["/v1/events?limit=many", "it must be integer"],
    ["/v1/events?limit=0", "it must be >= 1"],
    ["/v1/events?limit=10001", "it must be <= 10000"],
    ["/v1/events?since=1&since=2", "it must be integer"],
    ["/v1/events?from=yesterday", 'it must match format "date-time"'],
    ["/v1/leases?state=lost", "it must be one of bound, cooling, quarantined, reserved"],
    [`/v1/networks/${"x".repeat(256)}`, "255 characters"],
  ])("GET %.40s is refused", async (url, reason) => {
    const { status, body } = await call({ url });
    expect([status, body.error.code]).toEqual([400, "invalid-config"]);
    expect(body.error.reason).toContain(reason);
  });

  test("a gc of very many attachments is taken", async () => {
    const validAttachments = Array.from({ length: 30_000 }, (_, at) => ({
      containerId: `${at}`.padStart(64, "0"),
      ifname: "eth0",
    }));
    const payload = { networkName: "web", validAttachments };
    const { status, body } = await call({ method: "POST", url: "/v1/attachments/gc", payload });
    expect([status, body]).toEqual([200, { released: [] }]);
  });
});

describe("answers", () => {
  test.each([
    ["GET", "/nope", 404, "not-found", undefined],
    ["GET", "/v1/networks/absent", 404, "not-found", undefined],
    ["PUT", "/v1/networks", 405, "invalid-config", "POST, GET"],
    ["DELETE", "/v1/leases", 405, "invalid-config", "GET"],
    ["GET", "/v1/networks/%zz", 400, "decode-failure", undefined],
  ] as const)("%s %s answers %i", async (method, url, status, code, allow) => {
    const answer = await call({ method, url });
    expect([answer.status, answer.body?.error.code, answer.headers["allow"]]).toEqual([status, code, allow]);
    expect(Object.keys(answer.body.error)).toEqual([
      "code",
      "operation",
      "object",
      "reason",
      "hint",
      "details",
    ]);
  });

  test("every error of the service has the status of the table", async () => {
    for (const code of ["pool-exhausted", "check-failed", "compacted", "unavailable", "internal"] as const) {
      const service = withMethods(under.service, {
        info: async () => {
          throw new FairleadError({ code, operation: "o", reason: "r", details: { n: 1 } });
        },
      });
      const failing = await openOther({ service });
      const answer = await failing.call({ url: "/v1/info" });
      const error = new FairleadError({ code, operation: "o", reason: "r" });
      expect(answer.status).toBe(error.row.http);
      expect(answer.body.error).toMatchObject({ code, operation: "o", reason: "r", details: { n: 1 } });
      await failing.close();
    }
  });

  test("a fault of ours is told without its inside", async () => {
    const info = () => Promise.reject(new TypeError("secret.inside of undefined"));
    const service = withMethods(under.service, { info });
    const failing = await openOther({ service });
    const answer = await failing.call({ url: "/v1/info" });
    expect([answer.status, answer.body.error.code]).toEqual([500, "internal"]);
    expect(answer.text).not.toContain("secret");
    await failing.close();
  });

  test("every answer is as its schema says", async () => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    addFormats(ajv);
    for (const [name, schema] of Object.entries(SCHEMAS)) ajv.addSchema(schema, name);
    const check = (schema: keyof typeof ANSWER_SCHEMAS, body: unknown): void => {
      const valid = ajv.validate(schema, body);
      expect([schema, valid, ajv.errors]).toEqual([schema, true, null]);
    };
    const post = (url: string, payload: unknown) => call({ method: "POST", url, payload });
    check("AcquireResponse", (await acquire({ key: KEY, mac: "02:00:00:00:00:01" })).body);
    check("Network", (await post("/v1/networks", { name: "db", ipv6: true, maxAttachments: 5 })).body);
    check("Lease", (await post("/v1/networks/web/reservations", { address: "10.77.0.9", reason: "r" })).body);
    check("Endpoints", (await call({ url: "/v1/endpoints?containerId=c1" })).body);
    check("NetworkStatus", (await post("/v1/networks/status", { networkName: "web" })).body);
    check("ReleaseResponse", (await post("/v1/attachments/release", { key: KEY })).body);
    check("Networks", (await call({ url: "/v1/networks" })).body);
    check("Leases", (await call({ url: "/v1/leases" })).body);
    check("Events", (await call({ url: "/v1/events" })).body);
    check("Tenancies", (await call({ url: "/v1/addresses/10.77.0.2/history" })).body);
    check("ConsistencyReport", (await call({ url: "/v1/check" })).body);
    check("ServiceInfo", (await call({ url: "/v1/info" })).body);
    check("Error", (await call({ url: "/nope" })).body);
  });

  test("an IPv6 address may stand in a path, encoded or not", async () => {
    for (const address of ["fd00::1", "fd00%3A%3A1"]) {
      const { status, body } = await call({ url: `/v1/addresses/${address}/history` });
      expect([status, body]).toEqual([200, { tenancies: [] }]);
    }
  });
});

describe("the OpenAPI document", () => {
  test("lists every route with its operation, its parts and its errors", async () => {
    const { body } = await call({ url: "/v1/openapi.json" });
    for (const [name, { method, path }] of Object.entries(OPERATIONS)) {
      const route = body.paths[path.replace(/:(\w+)/g, "{$1}")][method.toLowerCase()];
      expect([name, route.operationId]).toEqual([name, name]);
      expect(route.responses["400"].content["application/json"].schema.$ref).toBe(
        "#/components/schemas/Error",
      );
    }
    for (const path of ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"])
      expect(body.paths).toHaveProperty([path]);
    expect(Object.keys(ROUTES).length + 1).toBe(Object.keys(OPERATIONS).length);
    expect(
      body.paths["/v1/attachments/acquire"].post.requestBody.content["application/json"].schema.$ref,
    ).toBe("#/components/schemas/AcquireRequest");
  });

  test("refers to nothing that it does not hold, and its schemas are JSON Schema", async () => {
    const { body } = await call({ url: "/v1/openapi.json" });
    expect(body.openapi).toBe("3.1.0");
    const text = JSON.stringify(body);
    const refs = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = ""]) => ref);
    expect(refs.length).toBeGreaterThan(50);
    for (const ref of new Set(refs)) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(ref)?.[1];
      expect([ref, Object.hasOwn(body.components.schemas, name ?? "")]).toEqual([ref, true]);
    }
    const ajv = new Ajv2020({ strict: false });
    for (const schema of Object.values(body.components.schemas))
      expect(ajv.validateSchema(schema as object)).toBe(true);
  });
});

describe("with a token", () => {
  let guarded: ListeningFront;
  beforeEach(async () => {
    guarded = await ListeningFront.open(openHttpFront(under.service, tokenFrom(SECRET)));
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

  test("the health of the process is open", async () => {
    expect((await guarded.call({ url: "/healthz" })).body).toEqual({ status: "ok" });
  });
});

describe("for machines", () => {
  test("ready says why not", async () => {
    expect((await call({ url: "/readyz" })).body).toEqual({ status: "ok", reasons: [] });
    const unready = await openOther({ unreadyReasons: async () => ["disk full"] });
    const answer = await unready.call({ url: "/readyz" });
    expect([answer.status, answer.body]).toEqual([503, { status: "unready", reasons: ["disk full"] }]);
    await unready.close();
  });

  test("metrics count requests, leases and pools, with few labels", async () => {
    await acquire({ key: KEY });
    await acquire({ key: { ...KEY, containerId: "" } });
    await call({ url: "/v1/secret-path-1" });
    const { text, headers } = await front.call({ url: "/metrics" });
    expect(headers["content-type"]).toMatch(/^text\/plain/);
    for (const line of [
      'fairlead_requests_total{front="http",operation="acquire",status="200"} 1',
      'fairlead_requests_total{front="http",operation="acquire",status="400"} 1',
      'fairlead_requests_total{front="http",operation="other",status="404"} 1',
      'fairlead_request_seconds_count{front="http",operation="acquire"} 2',
      'fairlead_leases{state="bound"} 1',
      'fairlead_pool_addresses{network="web",pool="0",family="4",state="bound"} 1',
      "fairlead_networks 1",
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
      const socket = connect(front.socket, () => socket.write(text));
      socket.setEncoding("utf8");
      socket.on("data", (data) => {
        answer += data;
      });
      socket.on("close", () => resolve(answer));
    });
  }

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
      httpRequest({ socketPath: front.socket, path: url, headers }, resolve).on("error", reject).end();
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
    const { logId } = await under.service.info();
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
    expect([JSON.parse(data)]).toEqual(await under.service.listEvents({ since: 1 }));
  });

  test.each(["x", "-1", "1.5", "99999999999999999999"])("Last-Event-ID %s is refused", async (id) => {
    const response = await openStream("/v1/events/stream", { "last-event-id": id });
    expect(response.statusCode).toBe(400);
    response.resume();
  });

  test("a place that is no longer in the log is gone", async () => {
    const service = withMethods(under.service, {
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
    await front.front.close();
    await ended;
    await expect(openStream("/v1/info")).rejects.toThrow("ENOENT");
  });

  test("closing finishes the calls under way", async () => {
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const checkConsistency = async () => {
      arrived.resolve();
      await gate.promise;
      return under.service.checkConsistency();
    };
    const slow = await openOther({ service: withMethods(under.service, { checkConsistency }) });
    // A connection that is kept open and idle must not hold the end up.
    const idle = connect(slow.socket);
    const answer = slow.call({ url: "/v1/check", headers: { connection: "keep-alive" } });
    await arrived.promise;
    const closed = slow.close();
    gate.resolve();
    expect((await answer).status).toBe(200);
    await closed;
    idle.destroy();
  });
});
