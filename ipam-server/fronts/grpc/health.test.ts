import { credentials, status as StatusCode } from "@grpc/grpc-js";
import { HealthClient } from "../../../lib/rpc/generated/grpc/health/v1/health.ts";
import { useGrpcFront } from "../../../test/support/ipam/grpc-fronts.ts";

const s = useGrpcFront();
const plain = credentials.createInsecure();
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function check(target: string, service: string): Promise<string> {
  const client = s.closing(new HealthClient(target, plain));
  return new Promise((resolve) => {
    client.check({ service }, (error, answer) =>
      resolve(error ? (StatusCode[error.code] ?? "") : answer.status),
    );
  });
}

test("health is that of the server and of the service", async () => {
  const target = await s.open();
  const services = ["", "fairlead.v1.IpamService", "nope"];
  expect(await Promise.all(services.map((service) => check(target, service)))).toEqual([
    "SERVING",
    "SERVING",
    "NOT_FOUND",
  ]);
});

test("health follows the service", async () => {
  let serving = false;
  const front = s.make({ isServing: async () => serving });
  const target = `127.0.0.1:${await front.listen("127.0.0.1:0")}`;
  expect(await check(target, "")).toBe("NOT_SERVING");
  const client = s.closing(new HealthClient(target, plain));
  const stream = client.watch({ service: "" });
  const seen: string[] = [];
  const changed = new Promise<void>((resolve) => {
    stream.on("data", ({ status }) => {
      seen.push(status);
      if (seen.length === 1) serving = true;
      else resolve();
    });
  });
  await changed;
  expect(seen).toEqual(["NOT_SERVING", "SERVING"]);
  const ended = new Promise((resolve) => stream.on("end", resolve));
  await front.close();
  await ended;
  expect(seen.at(-1)).toBe("NOT_SERVING");
});

test("lists the health of all", async () => {
  const target = await s.open();
  const client = s.closing(new HealthClient(target, plain));
  const answer = await new Promise<object>((resolve) =>
    client.list({}, (_error, list) => resolve(list.statuses)),
  );
  expect(answer).toEqual({ "": { status: "SERVING" }, "fairlead.v1.IpamService": { status: "SERVING" } });
});

test("a state that lasts is told once, and the next one when it comes", async () => {
  jest.useFakeTimers({
    doNotFake: [
      "setImmediate",
      "nextTick",
      "queueMicrotask",
      "setTimeout",
      "clearTimeout",
      "performance",
      "Date",
    ],
  });
  let serving = true;
  const target = await s.open({ isServing: async () => serving });
  const stream = s.closing(new HealthClient(target, plain)).watch({ service: "" });
  const states = stream.on("error", () => {})[Symbol.asyncIterator]();
  const seen = [(await states.next()).value];
  for (let round = 0; round < 3; round += 1) await jest.advanceTimersByTimeAsync(2_000);
  serving = false;
  await jest.advanceTimersByTimeAsync(2_000);
  seen.push((await states.next()).value);
  expect(seen).toEqual([{ status: "SERVING" }, { status: "NOT_SERVING" }]);
  stream.cancel();
});

test("a watch of a service that is not there says so", async () => {
  const target = await s.open();
  const stream = s.closing(new HealthClient(target, plain)).watch({ service: "nope" });
  const answer = await new Promise((resolve) => stream.on("error", () => {}).on("data", resolve));
  expect(answer).toEqual({ status: "SERVICE_UNKNOWN" });
  stream.cancel();
});

test("the service is asked for its health no longer than somebody watches", async () => {
  const target = await s.open();
  const begun = jest.spyOn(globalThis, "setInterval");
  const stream = s.closing(new HealthClient(target, plain)).watch({ service: "" });
  await new Promise((resolve) => stream.on("error", () => {}).on("data", resolve));
  const at = begun.mock.calls.findIndex(([, ms]) => ms === 2_000);
  const timer: unknown = begun.mock.results[at]?.value;
  const ended = new Promise<void>((resolve) => {
    const clear = globalThis.clearInterval;
    jest.spyOn(globalThis, "clearInterval").mockImplementation((which) => {
      clear(which);
      if (which === timer) resolve();
    });
  });
  stream.cancel();
  await ended;
});
