import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Event, IpamService } from "../../../lib/ipam/api.ts";
import { type LogFields, type Logger, silentLogger } from "../../../lib/log.ts";
import {
  ListeningFront,
  openHttpFront,
  openTestService,
  type TestService,
  withMethods,
} from "../../../test/support/ipam/ipam-fronts.ts";
import { settleTurns } from "../../../test/support/turns.ts";

const CALLER = { actor: "test", node: "n1" };

/** All but intervals. */
const NOT_FAKED = [
  ...(["setImmediate", "nextTick", "queueMicrotask", "setTimeout", "clearTimeout"] as const),
  ...(["performance", "Date"] as const),
];

let under: TestService;
let front: ListeningFront | null;

beforeEach(async () => {
  under = await openTestService();
  front = null;
});
afterEach(async () => {
  jest.useRealTimers();
  await front?.close();
  await under.service.close();
});

/** Opens a front over the service with these methods, and the stream of its events. */
async function openStream(
  methods: Partial<TestService["service"]>,
  logger: Logger = silentLogger,
): Promise<IncomingMessage> {
  const service = withMethods(under.service, methods);
  const opened = await ListeningFront.open(openHttpFront(service, { logger }));
  front = opened;
  const path = "/v1/events/stream?since=0";
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath: opened.socket, path, agent: false }, resolve).on("error", reject).end();
  });
}

/** Reads until the text has `wanted`. */
async function readUntil(response: IncomingMessage, wanted: string): Promise<string> {
  let text = "";
  for await (const chunk of response.iterator({ destroyOnReturn: false })) {
    const from = Math.max(0, text.length - wanted.length);
    text += String(chunk);
    if (text.includes(wanted, from)) return text;
  }
  throw new Error(`the stream ended after ${text}`);
}

test("a stream in which nothing happens shows that it lives, every fifteen seconds", async () => {
  jest.useFakeTimers({ doNotFake: NOT_FAKED });
  const response = await openStream({});
  expect(response.headers).toMatchObject({ "cache-control": "no-store", connection: "close" });
  expect(await readUntil(response, "id: ")).toMatch(/^: events follow\n\n/);
  const timers = jest.getTimerCount();
  jest.advanceTimersByTime(15_000);
  expect(await readUntil(response, "\n\n")).toBe(": still here\n\n");
  response.destroy();
  await front?.close();
  expect(jest.getTimerCount()).toBe(timers - 1);
});

test("a client that goes away ends its watch", async () => {
  const [opened, stopped] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const watchEvents: IpamService["watchEvents"] = (since, onEvent) => {
    const stop = under.service.watchEvents(since, onEvent);
    opened.resolve();
    return () => {
      stop();
      stopped.resolve();
    };
  };
  const response = await openStream({ watchEvents });
  await opened.promise;
  response.destroy();
  await stopped.promise;
});

test("a stream that cannot go on ends, and the log says why", async () => {
  const lines: [LogFields, string][] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: LogFields, text: string) => void lines.push([fields, text]),
  };
  const watchEvents = () => {
    throw new Error("the log is gone");
  };
  const response = await openStream({ watchEvents }, logger);
  let text = "";
  for await (const chunk of response) text += String(chunk);
  expect(text).toMatch(/^id: [0-9a-f]{32}:1$/m);
  const err = expect.objectContaining({ message: "the log is gone" });
  expect(lines).toEqual([[{ err }, "event stream ended"]]);
});

/** Answers with a log that is far larger than what a connection holds, and tells how many pages were asked for. */
async function longLog() {
  await under.service.createNetwork({ name: "web" }, CALLER);
  const [template] = await under.service.listEvents({ since: 1 });
  const reason = "x".repeat(1_000);
  const events = Array.from({ length: 3_000 }, (_, at): Event => {
    return { ...(template as Event), revision: at + 1, reason };
  });
  let pages = 0;
  const listEvents: IpamService["listEvents"] = async ({ since = 0, limit = 1_000 }) => {
    pages += 1;
    return events.slice(since, since + limit);
  };
  return { events, listEvents, pages: () => pages };
}

/** Until the stream waits for its client. */
async function settleStream(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await settleTurns();
}

test("a slow client that goes away leaves nothing behind", async () => {
  jest.useFakeTimers({ doNotFake: NOT_FAKED });
  const { listEvents, pages } = await longLog();
  const timers = jest.getTimerCount();
  const response = await openStream({ listEvents });
  await settleStream();
  expect([pages(), jest.getTimerCount()]).toEqual([2, timers + 1]);
  response.destroy();
  await front?.close();
  await settleStream();
  expect([pages(), jest.getTimerCount()]).toEqual([2, timers]);
});

test("a client that is slow is waited for, and gets everything", async () => {
  const { events, listEvents, pages } = await longLog();
  const response = await openStream({ listEvents });
  await settleStream();
  // The question whether the place is there, and one page.
  expect(pages()).toBe(2);
  const text = await readUntil(response, `:${events.length}\n`);
  const ids = [...text.matchAll(/^id: [0-9a-f]{32}:(\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(events.map(({ revision }) => revision));
});
