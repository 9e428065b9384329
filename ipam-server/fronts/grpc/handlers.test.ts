import {
  Client,
  credentials,
  experimental,
  logVerbosity,
  type ServiceError,
  status as StatusCode,
} from "@grpc/grpc-js";
import { FairleadError } from "../../../lib/errors.ts";
import type { IpamService } from "../../../lib/ipam/api.ts";
import { OPERATIONS } from "../../../lib/ipam/operations.ts";
import type { LogFields, Logger } from "../../../lib/log.ts";
import { IpamServiceService } from "../../../lib/rpc/generated/fairlead/v1/ipam.ts";
import { createGrpcClient } from "../../../lib/rpc/grpc-client.ts";
import { leaseFilter } from "../../../lib/rpc/messages/addresses.ts";
import { eventFilter } from "../../../lib/rpc/messages/history.ts";
import { failureOf } from "../../../test/support/failures.ts";
import { useGrpcFront } from "../../../test/support/ipam/grpc-fronts.ts";
import { settleTurns } from "../../../test/support/turns.ts";
import { createMetrics } from "../metrics.ts";

const s = useGrpcFront();
const plain = credentials.createInsecure();
const NOBODY = { actor: "", node: "" };

describe("what is counted and logged", () => {
  type Line = readonly [level: string, message: string, fields: LogFields];
  let lines: Line[];
  const record = (level: string) => (fields: LogFields, message: string) =>
    void lines.push([level, message, fields]);
  const logger: Logger = {
    ...{ debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") },
    child: () => logger,
  };
  beforeEach(() => {
    lines = [];
  });

  const fault = () => Promise.reject(new TypeError("inside"));
  const refusal = () => Promise.reject(new FairleadError({ code: "not-found", operation: "o", reason: "r" }));

  /** A front whose `info` and lists of endpoints do as told. */
  async function openWith(info: () => Promise<never>) {
    async function* streamEndpoints(): AsyncGenerator<never> {
      yield await info();
    }
    const metrics = createMetrics(s.service);
    const target = await s.open({ methods: { info, streamEndpoints }, metrics, logger });
    return { client: s.closing(createGrpcClient({ target })), metrics };
  }

  test("each answer by its operation and status, lists too", async () => {
    const begun = performance.now();
    const { client, metrics } = await openWith(refusal);
    await client.listNetworks();
    await client.listLeases({});
    for (const failing of [client.info(), client.listEndpoints({})])
      expect((await failureOf(failing)).code).toBe("not-found");
    const counted = (await metrics.render()).split("\n").filter((line) => /_requests_total\{/.test(line));
    expect(counted.sort()).toEqual([
      'fairlead_requests_total{front="grpc",operation="info",status="NOT_FOUND"} 1',
      'fairlead_requests_total{front="grpc",operation="listEndpoints",status="NOT_FOUND"} 1',
      'fairlead_requests_total{front="grpc",operation="listLeases",status="OK"} 1',
      'fairlead_requests_total{front="grpc",operation="listNetworks",status="OK"} 1',
    ]);
    const seconds = (await metrics.render()).match(/_request_seconds_sum\{front="grpc".*\} (.+)/g) ?? [];
    const most = (performance.now() - begun) / 1_000;
    const times = seconds.map((line) => Number(line.split(" ").at(-1)));
    expect(times.filter((time) => time > 0 && time < most)).toHaveLength(4);
    expect(lines).toEqual([]);
  });

  test("a fault of ours is logged, and what is inside is not told", async () => {
    const { client } = await openWith(fault);
    for (const call of [client.info(), client.listEndpoints({})])
      expect(await failureOf(call)).toMatchObject({
        code: "internal",
        reason: "the server failed; its log says why",
      });
    const err = expect.objectContaining({ message: "inside" });
    expect(lines).toEqual([
      ["error", "request failed", { err, operation: OPERATIONS.info.title }],
      ["error", "request failed", { err, operation: OPERATIONS.listEndpoints.title }],
    ]);
  });

  test("a watch that fails by a fault is logged; one from a place that is gone is only refused", async () => {
    const { logId } = await s.service.info();
    const place = { since: 99, logId };
    const front = await s.open({ logger });
    for (const gone of [place, { since: 1, logId: "0".repeat(32) }])
      expect(await watchFrom(front, gone)).toBe(StatusCode.OUT_OF_RANGE);
    // What could be the place of no log is a mistake, for which no list is made again.
    expect(await watchFrom(front, { since: 1, logId: "no log" })).toBe(StatusCode.INVALID_ARGUMENT);
    expect(lines).toEqual([]);
    const target = await s.open({ logger, methods: { listEvents: fault } });
    expect(await watchFrom(target, { ...place, since: 1 })).toBe(StatusCode.INTERNAL);
    const err = expect.objectContaining({ message: "inside" });
    expect(lines).toEqual([["error", "event stream failed", { err }]]);
  });

  function watchFrom(
    target: string,
    place: { readonly since: number; readonly logId: string },
  ): Promise<number> {
    const client = s.closing(new Client(target, plain));
    const { path, requestSerialize, responseDeserialize } = IpamServiceService.watchEvents;
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, place);
    return new Promise((resolve) => {
      stream.on("error", (error) => resolve((error as ServiceError).code)).resume();
    });
  }

  test("what the library says goes to the log", async () => {
    await s.open({ logger });
    experimental.log(logVerbosity.ERROR, "trouble", 7);
    expect(lines).toEqual([["warn", expect.stringContaining("trouble"), { library: "grpc-js" }]]);
  });
});

test.each([
  [1_001, [500, 500, 1]],
  [1_000, [500, 500]],
])("a list of %i comes in messages of at most 500, in order and whole", async (count, messages) => {
  const events = Array.from({ length: count }, (_, at) => ({ ...EVENT, revision: at + 1 }));
  const target = await s.open({ methods: { listEvents: async () => events } });
  const client = s.closing(new Client(target, plain));
  const { path, requestSerialize, responseDeserialize } = IpamServiceService.listEvents;
  const request = eventFilter.encode({});
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  const sizes: number[] = [];
  const revisions: number[] = [];
  for await (const { events: some } of stream as AsyncIterable<{ events: { revision: number }[] }>) {
    sizes.push(some.length);
    revisions.push(...some.map(({ revision }) => revision));
  }
  expect(sizes).toEqual(messages);
  expect(revisions).toEqual(events.map(({ revision }) => revision));
});

const EVENT = {
  ...{ kind: "server-started" as const, at: "2026-01-31T12:00:00.000Z", actor: "server", networkName: "" },
  ...{ networkId: "", addressSpace: "", address: "", containerId: "", ifname: "", node: "", mac: "" },
  ...{ sequence: 0, reason: "" },
};

test("a client that is slow to watch is waited for, and gets everything", async () => {
  const reason = "x".repeat(1_000);
  const events = Array.from({ length: 3_000 }, (_, at) => ({ ...EVENT, revision: at + 1, reason }));
  let pages = 0;
  const listEvents: IpamService["listEvents"] = async ({ since = 0, limit = 1_000 }) => {
    pages += 1;
    return events.slice(since, since + limit);
  };
  const target = await s.open({ methods: { listEvents } });
  const client = s.closing(new Client(target, plain));
  const { path, requestSerialize, responseDeserialize } = IpamServiceService.watchEvents;
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { since: 0 });
  stream.on("error", () => {});
  const messages = (stream as AsyncIterable<{ event: { revision: number } }>)[Symbol.asyncIterator]();
  const revisions = [(await messages.next()).value.event.revision];
  for (let round = 0; round < 20; round += 1) await settleTurns();
  expect(pages).toBe(1);
  while (revisions.length < events.length) revisions.push((await messages.next()).value.event.revision);
  expect(revisions).toEqual(events.map(({ revision }) => revision));
  stream.cancel();
});

test("a gc of more attachments than a message has by default is taken", async () => {
  const target = await s.open();
  const client = s.closing(createGrpcClient({ target }));
  const validAttachments = Array.from({ length: 60_000 }, (_, at) => ({
    containerId: `${at}`.padStart(64, "0"),
    ifname: "eth0",
  }));
  await s.service.createNetwork({ name: "web" }, NOBODY);
  expect(await client.gc({ networkName: "web", validAttachments }, NOBODY)).toEqual({ released: [] });
});

test("a client that goes away ends its watch, and a list that nobody reads any more", async () => {
  const stopped = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const watchEvents: IpamService["watchEvents"] = (since, onEvent) => {
    const stop = s.service.watchEvents(since, onEvent);
    opened.resolve();
    return () => {
      stop();
      stopped.resolve();
    };
  };
  const ended = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  async function* streamLeases(): AsyncGenerator<(typeof LEASE)[]> {
    try {
      for (;;) {
        begun.resolve();
        yield Array(1_000).fill(LEASE);
      }
    } finally {
      ended.resolve();
    }
  }
  const target = await s.open({ methods: { watchEvents, streamLeases } });
  const client = s.closing(new Client(target, plain));
  const watching = IpamServiceService.watchEvents;
  const listing = IpamServiceService.listLeases;
  const streams = [
    client.makeServerStreamRequest(
      ...([watching.path, watching.requestSerialize, watching.responseDeserialize, {}] as const),
    ),
    client.makeServerStreamRequest(
      ...([
        listing.path,
        listing.requestSerialize,
        listing.responseDeserialize,
        leaseFilter.encode({}),
      ] as const),
    ),
  ];
  for (const stream of streams) stream.on("error", () => {});
  await Promise.all([opened.promise, begun.promise]);
  await settleTurns();
  for (const stream of streams) stream.cancel();
  await Promise.all([stopped.promise, ended.promise]);
});

const LEASE = {
  ...{ address: "10.77.0.2", addressSpace: "default", networkName: "web", subnet: "10.77.0.0/24", pool: 0 },
  ...{
    state: "bound" as const,
    sequence: 1,
    containerId: "c1",
    ifname: "eth0",
    node: "n1",
    mac: "",
    names: [],
  },
  ...{ acquiredAt: null, since: "2026-01-31T12:00:00.000Z", until: null, reason: "" },
};
