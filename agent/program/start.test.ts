import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { FairleadError } from "../../lib/errors.ts";
import { type LogFields, silentLogger } from "../../lib/log.ts";
import { AgentOfParts } from "../../test/support/agent-parts.ts";
import {
  ListeningFront,
  openHttpFront,
  TEST_CALLER,
  type TestService,
  withMethods,
} from "../../test/support/ipam/ipam-fronts.ts";
import { settleTurns } from "../../test/support/turns.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { startAgent } from "../main.ts";
import { type PartEntry, startAgentOf } from "./start.ts";

let parts: AgentOfParts;
let directory: AgentOfParts["directory"];
let under: AgentOfParts["under"];
let config: AgentOfParts["config"];
let story: AgentOfParts["story"];
let entry: AgentOfParts["entry"];
let start: AgentOfParts["start"];
beforeEach(async () => {
  parts = await AgentOfParts.open();
  ({ directory, under, config, story, entry, start } = parts);
});
afterEach(async () => {
  jest.useRealTimers();
  await parts.close();
});

/** Only what waits a while is held up. */
function holdTimeouts(): void {
  jest.useFakeTimers({
    doNotFake: ["setImmediate", "nextTick", "queueMicrotask", "setInterval", "clearInterval"],
  });
}

test("those that are wanted are started in their order, and closed in reverse", async () => {
  const unwanted = entry("c", {}, ({ nodeName }) => nodeName !== "n1");
  const agent = await start([
    entry("a"),
    entry("b", {}, ({ nodeName }) => nodeName === "n1"),
    unwanted,
    entry("d"),
  ]);
  expect((await agent.status()).parts.map(({ name }) => name)).toEqual(["a", "b", "d"]);
  await agent.close();
  expect(story).toEqual(["a started", "b started", "d started", "d closed", "b closed", "a closed"]);
  expect(existsSync(config.socket)).toBe(false);
});

test("one that cannot start ends the agent: those before it are closed, and the log says which and why", async () => {
  const lines: [LogFields, string][] = [];
  const logger = {
    ...silentLogger,
    error: (fields: LogFields, text: string) => void lines.push([fields, text]),
  };
  const broken: PartEntry = { ...entry("b"), start: () => Promise.reject(new Error("no such device")) };
  await expect(start([entry("a"), broken, entry("c")], { logger })).rejects.toMatchObject({
    operation: "start part of agent",
    object: "b",
    reason: "no such device",
  });
  expect(story).toEqual(["a started", "a closed"]);
  expect(lines).toEqual([
    [{ part: "b", reason: "start part of agent b: no such device" }, "agent: part cannot start"],
  ]);
  expect(existsSync(config.socket)).toBe(false);
});

test("an agent that is closed watches the service no more", async () => {
  let watches = 0;
  const watchEvents: TestService["service"]["watchEvents"] = (since, onEvent) => {
    const stop = under.service.watchEvents(since, onEvent);
    watches++;
    return () => {
      stop();
      watches--;
    };
  };
  const agent = await start([], { service: withMethods(under.service, { watchEvents }) });
  await agent.sync();
  expect(watches).toBe(1);
  await agent.close();
  expect(watches).toBe(0);
});

const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.on("close", resolve));

test("an agent without a service in its process follows the one that listens at its socket, and lets it go", async () => {
  const left = Promise.withResolvers<void>();
  const watchEvents: TestService["service"]["watchEvents"] = (since, onEvent) => {
    const stop = under.service.watchEvents(since, onEvent);
    return () => {
      stop();
      left.resolve();
    };
  };
  const front = await ListeningFront.open(openHttpFront(withMethods(under.service, { watchEvents })));
  const ends: Promise<unknown>[] = [];
  front.front.app.server.on("connection", (socket) => void ends.push(closed(socket)));
  const over = { ...config, serverSocket: front.socket };
  const agent = await startAgentOf([entry("a")], { config: over, logger: silentLogger });
  try {
    await under.service.createNetwork({ name: "web" }, TEST_CALLER);
    const { revision } = await under.service.info();
    expect(await agent.sync()).toEqual({ revision, problems: [] });
    expect((await agent.status()).service).toEqual({ connected: true, revision, reason: "" });
  } finally {
    await agent.close();
  }
  await left.promise;
  // It keeps no connection open.
  await Promise.all(ends);
  await front.close();
});

test("a part that cannot go on ends the agent, with its reason", async () => {
  let context: AgentContext | undefined;
  const part: PartEntry = {
    ...entry("a"),
    start: (given) => {
      context = given;
      return entry("a").start(given);
    },
  };
  const { failed } = await start([part]);
  const error = new FairleadError({ code: "io-failure", operation: "o", reason: "r" });
  context?.onFatal(error);
  expect(await failed).toBe(error);
  expect(context).toMatchObject({ config, caller: { actor: "node:n1", node: "n1" } });
});

test("without wishes the parts are those that the configuration wants", async () => {
  const given = {
    ...config,
    networks: { enabled: false },
    dns: { ...config.dns, enabled: false },
    workers: 0,
  };
  const over = { stateDir: directory.file("state"), cniCacheDir: directory.file("cache") };
  const namesWith = async (enabled: boolean): Promise<string[]> => {
    const wanted = { ...given, ...over, reaper: { enabled } };
    const agent = await startAgent({ config: wanted, logger: silentLogger, service: under.service });
    try {
      return (await agent.status()).parts.map(({ name }) => name);
    } finally {
      await agent.close();
    }
  };
  expect([await namesWith(false), await namesWith(true)]).toEqual([
    ["recovery"],
    ["reaper", "remains", "recovery"],
  ]);
});

describe("a sync", () => {
  test("waits for every part, and tells what their problems are", async () => {
    const gate = Promise.withResolvers<void>();
    const asked: number[] = [];
    const problem = { severity: "error" as const, object: "web", message: "no bridge" };
    const applied = (revision: number): Promise<void> => {
      asked.push(revision);
      return gate.promise;
    };
    const agent = await start([entry("a", { problems: () => [problem] }), entry("b", { applied })]);
    let isDone = false;
    const syncing = agent.sync().then((answer) => {
      isDone = true;
      return answer;
    });
    await settleTurns();
    expect([asked, isDone]).toEqual([[1], false]);
    gate.resolve();
    expect(await syncing).toEqual({ revision: 1, problems: [problem] });
  });

  test("that is done leaves no timer", async () => {
    const agent = await start([entry("a")]);
    await settleTurns();
    holdTimeouts();
    await agent.sync();
    await agent.status();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("ends after ten seconds, naming who is not there yet, and leaves no timer", async () => {
    const agent = await start([entry("quick"), entry("slow", { applied: () => new Promise(() => {}) })]);
    await settleTurns();
    holdTimeouts();
    const expired = agent.sync().catch((error: unknown) => error);
    await settleTurns();
    jest.advanceTimersByTime(9_999);
    await settleTurns();
    jest.advanceTimersByTime(1);
    expect(await expired).toMatchObject({
      code: "timeout",
      object: "1",
      reason: expect.stringMatching(/after 10000 ms; still waited for: slow$/),
      details: { revision: 1, pending: ["slow"] },
    });
    expect(jest.getTimerCount()).toBe(0);
  });

  test("that waits for events names them, not the parts that have not been asked", async () => {
    const agent = await start([entry("a")]);
    await agent.sync();
    const { logId } = await under.service.info();
    holdTimeouts();
    const expired = agent.sync({ revision: 99, logId }).catch((error: unknown) => error);
    await settleTurns();
    jest.advanceTimersByTime(10_000);
    expect(await expired).toMatchObject({ details: { revision: 99, pending: ["events of the service"] } });
  });

  test("of the revision that was seen last, in the log that is followed, needs no word of the service; any other does", async () => {
    let isAway = false;
    const info = () =>
      isAway
        ? Promise.reject(new FairleadError({ code: "unavailable", operation: "ask", reason: "away" }))
        : under.service.info();
    const agent = await start([], { service: withMethods(under.service, { info }) });
    const { revision } = await agent.sync();
    const { logId } = await under.service.info();
    isAway = true;
    expect(await agent.sync({ revision, logId })).toEqual({ revision, problems: [] });
    for (const other of [{ revision: revision - 1, logId }, { revision, logId: "other" }, { revision }])
      await expect(agent.sync(other)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("that gets no answer from the service names it", async () => {
    let isAway = false;
    const info = () => (isAway ? new Promise<never>(() => {}) : under.service.info());
    const agent = await start([], { service: withMethods(under.service, { info }) });
    await agent.sync();
    isAway = true;
    holdTimeouts();
    const expired = [agent.sync(), agent.sync({ revision: 7 })].map((one) =>
      one.catch((error: unknown) => error),
    );
    await settleTurns();
    jest.advanceTimersByTime(10_000);
    expect(await Promise.all(expired)).toMatchObject([
      { details: { revision: 0, pending: ["service"] } },
      { details: { revision: 7, pending: ["service"] } },
    ]);
  });
});

describe("a status", () => {
  test("looks afresh, collects, and tells problems and figures; one that fails to look keeps none from it", async () => {
    let [looks, collected] = [0, 0];
    const earliest = Date.now();
    const told: Partial<AgentPart> = {
      refresh: async () => void looks++,
      collect: async () => void collected++,
      problems: () => [{ severity: "warning", object: "x", message: `seen ${looks} ${collected}` }],
      figures: () => ({ looks }),
    };
    const agent = await start([
      entry("a", told),
      entry("b", { refresh: () => Promise.reject(new Error("no")) }),
    ]);
    const latest = Date.now();
    const status = await agent.status();
    const startedAt = Date.parse(status.startedAt);
    expect([startedAt >= earliest, startedAt <= latest]).toEqual([true, true]);
    expect(status).toMatchObject({
      nodeName: "n1",
      service: { connected: true, reason: "" },
      parts: [
        {
          name: "a",
          problems: [{ severity: "warning", object: "x", message: "seen 1 1" }],
          figures: { looks: 1 },
        },
        { name: "b", problems: [], figures: {} },
      ],
    });
  });

  test("waits no longer than three seconds for a look, and two for the service", async () => {
    let isAway = false;
    const info = () => (isAway ? new Promise<never>(() => {}) : under.service.info());
    const slow = entry("slow", { refresh: () => new Promise(() => {}) });
    const agent = await start([slow], { service: withMethods(under.service, { info }) });
    await agent.sync();
    isAway = true;
    holdTimeouts();
    let isDone = false;
    const asking = agent.status().then((status) => {
      isDone = true;
      return status;
    });
    jest.advanceTimersByTime(2_999);
    await settleTurns();
    expect(isDone).toBe(false);
    jest.advanceTimersByTime(1);
    const reason = "no answer within 2000 ms";
    expect(await asking).toMatchObject({
      service: { connected: false, revision: 1, reason },
      parts: [{ name: "slow" }],
    });
    expect(jest.getTimerCount()).toBe(0);
  });
});
