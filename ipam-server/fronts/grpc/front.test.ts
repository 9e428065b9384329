import { readFileSync } from "node:fs";
import { Client, credentials, Metadata, type ServiceError, status as StatusCode } from "@grpc/grpc-js";
import { FairleadError } from "../../../lib/errors.ts";
import type { IpamService } from "../../../lib/ipam/api.ts";
import { IpamServiceService } from "../../../lib/rpc/generated/fairlead/v1/ipam.ts";
import { HealthClient } from "../../../lib/rpc/generated/grpc/health/v1/health.ts";
import { ServerReflectionClient } from "../../../lib/rpc/generated/grpc/reflection/v1/reflection.ts";
import { createGrpcClient } from "../../../lib/rpc/grpc-client.ts";
import { failureOf } from "../../../test/support/failures.ts";
import { useGrpcFront } from "../../../test/support/ipam/grpc-fronts.ts";
import { openGrpcFront } from "../../../test/support/ipam/ipam-fronts.ts";
import { tokenFrom } from "../token.ts";
import type { GrpcFront } from "./front.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };
const CALLER = { actor: "", node: "" };

const s = useGrpcFront();
const plain = credentials.createInsecure();

const listening = async (front: GrpcFront) => `127.0.0.1:${await front.listen("127.0.0.1:0")}`;

test("requests are held against the same schemas as over HTTP", async () => {
  const target = await s.open();
  const client = s.closing(createGrpcClient({ target }));
  const long = { key: { ...KEY, containerId: "x".repeat(256) } };
  const error = await failureOf(client.acquire(long, CALLER));
  expect([error.code, error.object]).toEqual(["invalid-config", "request.key.containerId"]);
  expect((await failureOf(client.listEvents({ limit: 20_000 }))).code).toBe("invalid-config");
});

test("a message without its key is refused, and so is an enum of the future", async () => {
  const target = await s.open();
  const raw = s.closing(new Client(target, plain));
  const send = (path: string, bytes: number[]): Promise<ServiceError | null> =>
    new Promise((resolve) => {
      raw.makeUnaryRequest(
        path,
        (value: Buffer) => value,
        (value: Buffer) => value,
        Buffer.from(bytes),
        (error) => resolve(error),
      );
    });
  expect((await send("/fairlead.v1.IpamService/Acquire", []))?.code).toBe(StatusCode.INVALID_ARGUMENT);
  // ListLeasesRequest{state: 99}; a list answers with a stream, whose first message is the error.
  expect((await send("/fairlead.v1.IpamService/ListLeases", [16, 99]))?.code).toBe(
    StatusCode.INVALID_ARGUMENT,
  );
  // Bytes that are no protobuf at all.
  expect((await send("/fairlead.v1.IpamService/Acquire", [255, 255, 255]))?.code).toBe(StatusCode.INTERNAL);
});

test("every error has its status, and travels whole", async () => {
  for (const code of [
    "pool-exhausted",
    "in-use",
    "compacted",
    "unavailable",
    "internal",
    "multiple",
  ] as const) {
    const error = new FairleadError({
      code,
      operation: "do",
      object: "it",
      reason: "größer",
      hint: "h",
      details: { n: 1, list: ["a", null, { b: true }] },
    });
    const info = () => Promise.reject(error);
    const client = s.closing(createGrpcClient({ target: await s.open({ methods: { info } }) }));
    const got = await failureOf(client.info());
    expect({ ...got, cause: null }).toEqual({ ...error, cause: null });
  }
});

test("an error too large for a trailer still comes, shortened", async () => {
  const reason = "long ".repeat(10_000);
  const error = new FairleadError({ code: "multiple", operation: "do", reason, details: { reason } });
  const target = await s.open({ methods: { info: () => Promise.reject(error) } });
  const got = await failureOf(s.closing(createGrpcClient({ target })).info());
  expect([got.code, got.operation]).toEqual(["multiple", "do"]);
  expect(got.reason.startsWith("long long")).toBe(true);
});

describe("with a token", () => {
  let target: string;
  beforeEach(async () => {
    target = await s.open({ token: tokenFrom(SECRET) });
  });

  test("no call of any service is served without it", async () => {
    const client = s.closing(createGrpcClient({ target }));
    expect((await failureOf(client.info())).code).toBe("unauthenticated");
    const wrong = s.closing(createGrpcClient({ target, token: "wrong" }));
    expect((await failureOf(wrong.listLeases({}))).code).toBe("unauthenticated");
    const health = s.closing(new HealthClient(target, plain));
    const code = await new Promise((resolve) =>
      health.check({ service: "" }, (error) => resolve(error?.code)),
    );
    expect(code).toBe(StatusCode.UNAUTHENTICATED);
    const reflection = s.closing(new ServerReflectionClient(target, plain)).serverReflectionInfo();
    const refused = new Promise((resolve) => reflection.on("error", resolve).on("data", resolve));
    reflection.write({ host: "h", messageRequest: { $case: "listServices", value: "" } });
    expect(await refused).toMatchObject({ code: StatusCode.UNAUTHENTICATED });
  });

  test("with it, all are", async () => {
    const client = s.closing(createGrpcClient({ target, token: SECRET }));
    expect((await client.info()).version).toBe("1.2.3");
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${SECRET}`);
    const health = s.closing(new HealthClient(target, plain));
    const status = await new Promise((resolve) =>
      health.check({ service: "" }, metadata, (_error, answer) => resolve(answer?.status)),
    );
    expect(status).toBe("SERVING");
  });
});

test("a watch without a place begins now, and ends with the server", async () => {
  const opened = Promise.withResolvers<void>();
  const watchEvents: IpamService["watchEvents"] = (since, onEvent) => {
    const stop = s.service.watchEvents(since, onEvent);
    opened.resolve();
    return stop;
  };
  const front = s.make({ methods: { watchEvents } });
  const target = await listening(front);
  const client = s.closing(new Client(target, plain));
  const { path, requestSerialize, responseDeserialize } = IpamServiceService.watchEvents;
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
  const first = new Promise<{ event?: { revision: number } | undefined }>((resolve) =>
    stream.once("data", resolve),
  );
  await opened.promise;
  await s.service.createNetwork({ name: "web" }, CALLER);
  expect((await first).event?.revision).toBe(2);
  const ended = new Promise((resolve) => stream.on("end", resolve).on("data", () => {}));
  await front.close();
  await ended;
});

test("closing lets calls under way finish", async () => {
  const gate = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const info = async () => {
    arrived.resolve();
    await gate.promise;
    return s.service.info();
  };
  const front = s.make({ methods: { info } });
  const target = await listening(front);
  const client = s.closing(createGrpcClient({ target }));
  const answer = client.info();
  await arrived.promise;
  const closed = front.close();
  gate.resolve();
  expect((await answer).version).toBe("1.2.3");
  await closed;
});

test("the protocol as it is published is the one that is served", () => {
  const text = readFileSync("lib/rpc/proto/fairlead/v1/ipam.proto", "utf8");
  const methods = [...text.matchAll(/^ {2}rpc (\w+)\(/gm)].map(
    ([, name = ""]) => `/fairlead.v1.IpamService/${name}`,
  );
  expect(Object.values(IpamServiceService).map(({ path }) => path)).toEqual(methods);
});

test("an address that is taken is refused", async () => {
  const target = await s.open();
  const second = openGrpcFront(s.service);
  await expect(second.listen(target)).rejects.toMatchObject({ code: "unavailable" });
  second.abort();
});
