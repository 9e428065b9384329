import Ajv2020 from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { FairleadError } from "../../../lib/errors.ts";
import { OPERATIONS, WATCH_EVENTS } from "../../../lib/ipam/operations.ts";
import { silentLogger } from "../../../lib/log.ts";
import { useHttpFront } from "../../../test/support/ipam/http-front.ts";
import { withMethods } from "../../../test/support/ipam/ipam-fronts.ts";
import type { ANSWER_SCHEMAS } from "../schema/answers.ts";
import { SCHEMAS } from "../schema/validation.ts";

const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };

interface Tag {
  readonly name: string;
  readonly description: string;
}

const s = useHttpFront();
const { call, acquire, openOther } = s;

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
  ])("%s is refused", async (...[_name, payload, reason, field]) => {
    const { status, body } = await acquire(payload);
    expect([status, body.error.code, body.error.object]).toEqual([400, "invalid-config", field]);
    expect(body.error.reason).toContain(reason);
    expect(body.error.hint).not.toBe("");
  });

  test("a client that is newer learns which field it can do without", async () => {
    const unknown = await acquire({ key: { ...KEY, pod: "x" } });
    expect(unknown.body.error.details).toEqual({ field: "body.key", unknownField: "pod" });
    const missing = await acquire({});
    expect(missing.body.error.details).toEqual({ field: "body" });
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
  ] as const)("%s %s answers %i", async (...[method, url, status, code, allow]) => {
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

  test.each([
    ["DELETE", "/v1/leases", 405],
    ["GET", "/nope", 404],
    ["GET", "/v1/networks/%zz", 400],
  ])("%s %s with a very long query answers %i, and repeats little of it", async (method, path, status) => {
    const url = `${path}?q=${"x".repeat(1_000)}`;
    const answer = await call({ method, url });
    expect([answer.status, answer.body.error.object]).toEqual([status, url.slice(0, 200)]);
  });

  test("a name may have 255 characters of four bytes each, as a path writes them; more is told apart", async () => {
    const named = await call({ url: `/v1/networks/${encodeURIComponent("😀".repeat(255))}` });
    expect([named.status, named.body.error.code]).toEqual([404, "not-found"]);
    const long = await call({ url: `/v1/networks/${"x".repeat(4_000)}` });
    expect([long.status, long.body.error.code]).toEqual([414, "decode-failure"]);
    expect(long.body.error.object).toHaveLength(200);
  });

  test("a request without a body may say that it would be JSON", async () => {
    const { status } = await call({
      method: "DELETE",
      url: "/v1/networks/web",
      headers: { "content-type": "application/json" },
    });
    expect([status, await s.under.service.listNetworks()]).toEqual([204, []]);
  });

  test("every request is logged for who looks for faults", async () => {
    const lines: [object, string][] = [];
    const debug = (fields: object, text: string) => void lines.push([fields, text]);
    const other = await openOther({ logger: { ...silentLogger, debug } });
    await other.call({ url: "/nope?x=1" });
    await other.close();
    const ms = expect.any(Number);
    expect(lines).toEqual([[{ method: "GET", url: "/nope?x=1", status: 404, ms }, "request"]]);
  });

  test("every error of the service has the status of the table", async () => {
    for (const code of ["pool-exhausted", "check-failed", "compacted", "unavailable", "internal"] as const) {
      const service = withMethods(s.under.service, {
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
    const service = withMethods(s.under.service, { info });
    const lines: [object, string][] = [];
    const error = (fields: object, text: string) => void lines.push([fields, text]);
    const failing = await openOther({ service, logger: { ...silentLogger, error } });
    const answer = await failing.call({ url: "/v1/info" });
    expect([answer.status, answer.body.error.code]).toEqual([500, "internal"]);
    expect(answer.text).not.toContain("secret");
    const err = expect.objectContaining({ message: "secret.inside of undefined" });
    expect(lines).toEqual([[{ err, url: "/v1/info" }, "request failed"]]);
    expect((await failing.call({ url: "/nope" })).status).toBe(404);
    expect((await failing.call({ url: "/v1/networks/absent" })).status).toBe(404);
    expect(lines).toHaveLength(1);
    await failing.close();
  });

  test.each([399, 500])("a fault that calls itself %i is ours", async (statusCode) => {
    const info = () => Promise.reject(Object.assign(new Error("secret"), { statusCode }));
    const failing = await openOther({ service: withMethods(s.under.service, { info }) });
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
    check("Nodes", (await call({ url: "/v1/nodes" })).body);
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
    for (const [name, { method, path }] of Object.entries({ ...OPERATIONS, watchEvents: WATCH_EVENTS })) {
      const route = body.paths[path.replace(/:(\w+)/g, "{$1}")][method.toLowerCase()];
      expect([name, route.operationId]).toEqual([name, name]);
      expect(route.responses["400"].content["application/json"].schema.$ref).toBe(
        "#/components/schemas/Error",
      );
    }
    const others = ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"].map((path) => {
      const { operationId, tags, summary } = body.paths[path].get;
      return [operationId, tags, summary === ""];
    });
    expect(others).toEqual(
      ["health", "readiness", "metrics", "openapi"].map((name) => [name, ["service"], false]),
    );
    const described = Object.values<Record<string, { operationId: string }>>(body.paths)
      .flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
      .sort();
    const about = ["health", "readiness", "metrics", "openapi", "watchEvents"];
    expect(described).toEqual([...Object.keys(OPERATIONS), ...about].sort());
    expect(
      body.paths["/v1/attachments/acquire"].post.requestBody.content["application/json"].schema.$ref,
    ).toBe("#/components/schemas/AcquireRequest");
  });

  test("says what it is of, which version, and how to be let in", async () => {
    const { body } = await call({ url: "/v1/openapi.json" });
    expect(body.info).toMatchObject({
      title: "Fairlead IPAM service",
      version: "1.2.3",
      license: { name: "Apache-2.0" },
    });
    expect(body.security).toEqual([{}, { token: [] }]);
    expect(body.components.securitySchemes.token).toMatchObject({ type: "http", scheme: "bearer" });
    const tags = body.tags.map(({ name, description }: Tag) => [name, description === ""]);
    const described = new Map<string, boolean>(tags);
    for (const [name, { tag }] of Object.entries(OPERATIONS))
      expect([name, described.get(tag)]).toEqual([name, false]);
  });

  test("says of each operation where its fields go, what it answers, and to whom", async () => {
    const { body } = await call({ url: "/v1/openapi.json" });
    const operation = (path: string, method: string) => body.paths[path][method];
    const [made, gone, named] = [
      operation("/v1/networks", "post"),
      operation("/v1/networks/{name}", "delete"),
      operation("/v1/networks/{name}", "get"),
    ];
    expect(made.responses["201"].content["application/json"].schema.$ref).toBe(
      "#/components/schemas/Network",
    );
    expect([Object.keys(made.responses).includes("403"), made.description]).toEqual([
      true,
      expect.stringContaining("operators"),
    ]);
    expect([gone.responses["204"].description, "content" in gone.responses["204"]]).toEqual(["Done", false]);
    expect([made.responses["400"].description, made.responses["500"].description]).toEqual([
      "invalid-config, decode-failure",
      "internal",
    ]);
    expect(named.parameters).toMatchObject([{ in: "path", name: "name", required: true }]);
    expect([Object.keys(named.responses).includes("403"), named.description]).toEqual([false, undefined]);
    const inQuery = operation("/v1/leases", "get").parameters.map((each: { in: string }) => each.in);
    expect(new Set(inQuery)).toEqual(new Set(["query"]));
    const stream = operation("/v1/events/stream", "get");
    expect(Object.keys(stream.responses["200"].content)).toEqual(["text/event-stream"]);
    expect([stream.tags, "410" in stream.responses]).toEqual([["history"], true]);
    expect(stream.parameters.map(({ name }: Tag) => name)).toContain("since");
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
