import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type LogFields, silentLogger } from "../../lib/log.ts";
import { AgentOfParts } from "../../test/support/agent-parts.ts";
import { settleTurns } from "../../test/support/turns.ts";

let parts: AgentOfParts;
let config: AgentOfParts["config"];
let entry: AgentOfParts["entry"];
let start: AgentOfParts["start"];
beforeEach(async () => {
  parts = await AgentOfParts.open();
  ({ config, entry, start } = parts);
});
afterEach(async () => {
  await parts.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function send(method: string, path: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { connection: "keep-alive" };
    const sent = httpRequest(
      { socketPath: config.socket, method, path, headers, agent: false },
      async (response) => {
        let text = "";
        for await (const chunk of response) text += String(chunk);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("on the socket", () => {
  test("metrics are text, and take no fresh look", async () => {
    let looks = 0;
    await start([entry("a", { refresh: async () => void looks++, figures: () => ({ looks }) })]);
    for (let round = 0; round < 2; round += 1) {
      const { status, headers, text } = await send("GET", "/metrics");
      expect([status, headers["content-type"]]).toEqual([200, expect.stringMatching(/^text\/plain/)]);
      expect(text).toContain('fairlead_agent_figure{part="a",figure="looks"} 0\n');
    }
    const { status, headers, text } = await send("GET", "/v1/agent/status");
    expect([status, headers["content-type"], headers["connection"]]).toEqual([
      200,
      "application/json",
      "keep-alive",
    ]);
    expect(JSON.parse(text).parts[0].figures).toEqual({ looks: 1 });
  });

  test("a fault of a part is answered as internal, and logged", async () => {
    const lines: [LogFields, string][] = [];
    const logger = {
      ...silentLogger,
      error: (fields: LogFields, text: string) => void lines.push([fields, text]),
    };
    const problems = () => {
      throw new TypeError("inside");
    };
    await start([entry("a", { problems })], { logger });
    const { status, text } = await send("GET", "/v1/agent/status");
    expect([status, JSON.parse(text).error.code]).toEqual([500, "internal"]);
    const err = expect.objectContaining({ message: "inside" });
    expect(lines).toEqual([[{ err, url: "/v1/agent/status" }, "agent: request failed"]]);
  });

  test("what there is not is not found, by path and by method, and is no fault to be logged", async () => {
    const lines: LogFields[] = [];
    const logger = { ...silentLogger, error: (fields: LogFields) => void lines.push(fields) };
    await start([], { logger });
    const asked = [
      ["GET", "/v1/agent"],
      ["POST", "/v1/agent/status"],
      ["GET", "/v1/agent/sync"],
      ["GET", `/${"x".repeat(300)}`],
    ] as const;
    for (const [method, path] of asked) {
      const { status, text } = await send(method, path);
      expect([status, JSON.parse(text).error]).toEqual([
        404,
        expect.objectContaining({
          code: "not-found",
          operation: `serve ${method}`,
          object: path.slice(0, 200),
          hint: expect.stringContaining("GET /v1/agent/status"),
        }),
      ]);
    }
    expect(lines).toEqual([]);
  });

  test("what was not read of a request ends its connection", async () => {
    await start([]);
    const { status, headers } = await send("POST", "/v1/agent/sync", Buffer.alloc(4_000_000, 32));
    expect([status, headers["connection"]]).toEqual([400, "close"]);
    const refused = await send("POST", "/v1/agent/sync", Buffer.from("{"));
    expect([refused.status, refused.headers["connection"]]).toEqual([400, "keep-alive"]);
  });

  test("a head of more than 8 KiB is refused", async () => {
    await start([]);
    const status = (bytes: number): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = { "x-padding": "x".repeat(bytes) };
        const asked = { socketPath: config.socket, path: "/v1/agent/status", headers, agent: false as const };
        httpRequest(asked, (response) => resolve(response.resume().statusCode))
          .on("error", reject)
          .end();
      });
    expect([await status(7_000), await status(9_000)]).toEqual([200, 431]);
  });

  test("a body is taken up to its limit, and no byte more", async () => {
    await start([]);
    const padded = (bytes: number): Buffer => Buffer.from("{}".padEnd(bytes));
    expect((await send("POST", "/v1/agent/sync", padded(65_536))).status).toBe(200);
    expect((await send("POST", "/v1/agent/sync", padded(65_537))).status).toBe(400);
    expect((await send("POST", "/v1/agent/sync", Buffer.alloc(0))).status).toBe(200);
  });

  test.each([
    ["no object", "[]"],
    ["null", "null"],
    ["a key that there is not", '{"revision": 1, "other": 1}'],
    ["a log ID that is no text", '{"revision": 1, "logId": 5}'],
    ["a revision that is no number", '{"revision": "1"}'],
    ["half a revision", '{"revision": 0.5}'],
    ["a revision below zero", '{"revision": -1}'],
  ])("a sync with %s is refused", async (_what, body) => {
    await start([]);
    const { status, text } = await send("POST", "/v1/agent/sync", Buffer.from(body));
    expect([status, JSON.parse(text).error.code]).toEqual([400, "decode-failure"]);
  });

  test("a sync is of the revision that it names, in whatever log, else of the newest", async () => {
    await start([]);
    const { logId, revision } = await parts.under.service.info();
    const synced = async (request: object) =>
      JSON.parse((await send("POST", "/v1/agent/sync", Buffer.from(JSON.stringify(request)))).text).revision;
    expect(await synced({ revision: 0 })).toBe(0);
    expect(await synced({ revision: 0, logId })).toBe(0);
    expect([await synced({}), await synced({ logId })]).toEqual([revision, revision]);
  });

  test("one that is closed leaves no timer that would hold up the process's end", async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const agent = await start([]);
    await agent.close();
    expect(timers()).toBe(before);
  });

  test("closing finishes the request under way, and ends connections that wait for another", async () => {
    const gate = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const applied = (): Promise<void> => {
      arrived.resolve();
      return gate.promise;
    };
    const agent = await start([entry("a", { applied })]);
    const answer = send("POST", "/v1/agent/sync");
    await arrived.promise;
    let isClosed = false;
    const closing = agent.close().then(() => {
      isClosed = true;
    });
    await settleTurns();
    expect(isClosed).toBe(false);
    gate.resolve();
    expect((await answer).status).toBe(200);
    await closing;
    await expect(send("GET", "/v1/agent/status")).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });
});
