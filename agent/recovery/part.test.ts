import type { ServiceInfo } from "../../lib/ipam/api.ts";
import { type LogFields, silentLogger } from "../../lib/log.ts";
import { settleTurns } from "../../test/support/turns.ts";
import { parseAgentConfig } from "../base/config.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import type { FeedListener } from "../reconcile/feed.ts";
import { startRecovery } from "./part.ts";

let recovering: boolean;
let recoveries: number;
let infos: number;
let failsOnce: boolean;
let heals: boolean;
/** Of every attempt to recover that is seen to fail. */
let warned: PromiseWithResolvers<void>;
let lines: string[];
/** What telling the service waits for. */
let gate: Promise<void> | undefined;
let listener: FeedListener | null;
let part: AgentPart;
let context: AgentContext;

beforeEach(async () => {
  [recovering, recoveries, infos, failsOnce, heals, listener] = [true, 0, 0, false, true, null];
  [lines, gate] = [[], undefined];
  warned = Promise.withResolvers();
  context = {
    config: parseAgentConfig("", "test"),
    service: {
      info: async () => {
        infos += 1;
        return { recovering } as ServiceInfo;
      },
    },
    feed: {
      subscribe: (one: FeedListener) => {
        listener = one;
        return () => {
          listener = null;
        };
      },
    },
    logger: {
      ...silentLogger,
      info: (_fields: object, text: string) => void lines.push(text),
      warn: ({ reason }: LogFields, text: string) => {
        lines.push(`${text}: ${reason}`);
        warned.resolve();
      },
    },
  } as unknown as AgentContext;
  const recover = async (): Promise<void> => {
    recoveries += 1;
    await gate;
    if (failsOnce && recoveries === 1) throw new Error("no kernel");
    if (heals) recovering = false;
  };
  part = await startRecovery(context, { recover, retryMs: 1 });
});
afterEach(() => part.close());

const reset = (): void => listener?.onReset(0);

test("a service in recovery is told, once, and again when its log is another one later", async () => {
  reset();
  reset();
  await part.applied(0);
  expect([recoveries, part.problems?.()]).toEqual([1, []]);
  await settleTurns();
  recovering = true;
  reset();
  await part.applied(0);
  expect(recoveries).toBe(2);
});

test("while the service is being told, that it is in recovery is a problem", async () => {
  const told = Promise.withResolvers<void>();
  gate = told.promise;
  reset();
  await settleTurns();
  expect(part.problems?.()).toMatchObject([{ message: expect.stringContaining("it is being told") }]);
  told.resolve();
  await part.applied(0);
  expect(part.problems?.()).toEqual([]);
  expect(lines).toEqual(["agent: told the service, which was in recovery, what is attached here"]);
});

test("a service that needs nothing is told nothing", async () => {
  recovering = false;
  reset();
  await part.applied(0);
  expect([infos, recoveries, part.problems?.()]).toEqual([1, 0, []]);
});

test("what fails is told of, and tried again", async () => {
  failsOnce = true;
  reset();
  await warned.promise;
  expect(part.problems?.()).toEqual([
    {
      severity: "error",
      object: "service",
      message: expect.stringContaining("cannot be told what is attached: no kernel"),
    },
  ]);
  expect(lines).toEqual([expect.stringMatching(/^agent: recovery: .*: no kernel$/)]);
  await part.applied(0);
  expect([recoveries, part.problems?.()]).toEqual([2, []]);
});

test("after each failure there is a pause", async () => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask"] });
  let attempts = 0;
  const recover = async (): Promise<void> => {
    attempts += 1;
    throw new Error("no kernel");
  };
  const slow = await startRecovery(context, { recover, retryMs: 1_000 });
  const after = async (ms: number): Promise<number> => {
    jest.advanceTimersByTime(ms);
    await settleTurns();
    return attempts;
  };
  reset();
  expect([await after(0), await after(999), await after(1), await after(1_000)]).toEqual([1, 1, 2, 3]);
  await slow.close();
  jest.useRealTimers();
});

test("where there is no command to tell the service with, the problem says what to run", async () => {
  const without = await startRecovery(context, { retryMs: 1 });
  reset();
  await warned.promise;
  expect(without.problems?.()).toMatchObject([
    { message: expect.stringMatching(/run: fairlead ipam recover$/) },
  ]);
  await without.close();
});

test("a service that stays in recovery though it was told is a problem, and closing ends the attempts", async () => {
  heals = false;
  reset();
  await warned.promise;
  expect(part.problems?.()).toMatchObject([{ message: expect.stringContaining("it still is") }]);
  await part.close();
  const before = recoveries;
  await settleTurns();
  expect([listener, recoveries]).toEqual([null, before]);
});
