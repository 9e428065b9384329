import { statSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { silentLogger } from "../lib/log.ts";
import { createAgentClient } from "../lib/rpc/agent-client.ts";
import { openTestService, TemporaryDirectory, type TestService } from "../test/support/ipam/ipam-fronts.ts";
import { type AgentConfig, parseAgentConfig } from "./base/config.ts";
import { type RunningAgent, startAgent } from "./main.ts";

const directory = new TemporaryDirectory();
let under: TestService;
let agent: RunningAgent;
let config: AgentConfig;

beforeEach(async () => {
  under = await openTestService();
  const given = {
    socket: directory.file("run/agent.sock"),
    serverSocket: directory.file("none.sock"),
    cniConfDir: directory.file("net.d"),
    stateDir: directory.file("state"),
    nodeName: "n1",
    networks: { enabled: false },
    dns: { enabled: false },
    workers: 0,
    reaper: { enabled: false },
  };
  config = parseAgentConfig(JSON.stringify(given), "test");
  agent = await startAgent({ config, logger: silentLogger, service: under.service });
});
afterEach(async () => {
  await agent.close();
  await under.service.close();
});
afterAll(() => directory.remove());

interface Answer {
  readonly status: number;
  readonly text: string;
}

function send(method: string, path: string, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath: config.socket, method, path, agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, text });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

test("the socket is private", () => {
  expect(statSync(config.socket).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(config.socket)).mode & 0o777).toBe(0o700);
});

test("the status says which node this is and that the service is there", async () => {
  const client = createAgentClient({ socket: config.socket });
  const { revision } = await under.service.info();
  await client.sync({ revision });
  expect(await client.status()).toMatchObject({
    nodeName: "n1",
    service: { connected: true, revision, reason: "" },
  });
});

test("a sync without a revision waits for the newest", async () => {
  const client = createAgentClient({ socket: config.socket });
  await under.service.createNetwork({ name: "sync-me" }, { actor: "test", node: "n1" });
  const { revision } = await under.service.info();
  expect(await client.sync()).toEqual({ revision, problems: [] });
});

test("a sync that names the log that is followed does not ask the service again", async () => {
  await agent.sync();
  const { revision, logId } = await under.service.info();
  const asked = jest.spyOn(under.service, "info");
  const newest = { revision, logId };
  try {
    expect(await agent.sync(newest)).toEqual({ revision, problems: [] });
    expect(asked).not.toHaveBeenCalled();
    expect(await agent.sync({ ...newest, logId: "another" })).toEqual({ revision, problems: [] });
    expect(asked).toHaveBeenCalledTimes(1);
    // One that is older may be of a backup that was put back: the log is the same.
    expect(await agent.sync({ ...newest, revision: revision - 1 })).toEqual({
      revision: revision - 1,
      problems: [],
    });
    expect(asked).toHaveBeenCalledTimes(2);
  } finally {
    asked.mockRestore();
  }
});

test.each([
  ["an unknown path", "GET", "/v1/agent/nothing", undefined, 404, "not-found"],
  ["a wrong method", "DELETE", "/v1/agent/status", undefined, 404, "not-found"],
  ["a body that is not JSON", "POST", "/v1/agent/sync", "{", 400, "decode-failure"],
  ["a body that is no object", "POST", "/v1/agent/sync", "[]", 400, "decode-failure"],
  ["a revision that is none", "POST", "/v1/agent/sync", '{"revision":-1}', 400, "decode-failure"],
  ["a log that is none", "POST", "/v1/agent/sync", '{"revision":1,"logId":7}', 400, "decode-failure"],
  ["an unknown key", "POST", "/v1/agent/sync", '{"revison":1}', 400, "decode-failure"],
  ["a body that is too long", "POST", "/v1/agent/sync", Buffer.alloc(70_000, 32), 400, "decode-failure"],
])("%s is refused", async (...[_name, method, path, body, status, code]) => {
  const answer = await send(method, path, body);
  expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([status, code]);
});

test("bytes that are not HTTP harm nobody", async () => {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(config.socket, () => socket.end("\u0000\u0001nonsense\r\n\r\n"));
    socket
      .on("error", reject)
      .on("close", () => resolve())
      .resume();
  });
  expect((await send("GET", "/v1/agent/status")).status).toBe(200);
});

test("a second agent on the same socket gives up and leaves the first alone", async () => {
  await expect(startAgent({ config, logger: silentLogger, service: under.service })).rejects.toMatchObject({
    code: "already-exists",
  });
  expect((await send("GET", "/v1/agent/status")).status).toBe(200);
});

test("an agent starts without its service, and says so", async () => {
  const other = { ...config, socket: directory.file("run/other.sock") };
  const lonely = await startAgent({ config: other, logger: silentLogger });
  try {
    const { service } = await createAgentClient({ socket: other.socket }).status();
    expect(service).toMatchObject({
      connected: false,
      reason: expect.stringContaining("there is no socket"),
    });
    await expect(lonely.sync()).rejects.toMatchObject({ code: "unavailable" });
  } finally {
    await lonely.close();
  }
});

test("without an agent the client says how to start one", async () => {
  const client = createAgentClient({ socket: directory.file("nobody.sock") });
  await expect(client.sync()).rejects.toMatchObject({
    code: "unavailable",
    hint: expect.stringContaining("fairlead agent"),
  });
});
