/** The service over its socket, as an agent follows it that runs in a process of its own. */
import type { Event } from "../../lib/ipam/api.ts";
import {
  ListeningFront,
  openHttpFront,
  openTestService,
  TEST_CALLER,
  type TestService,
  withMethods,
} from "../../test/support/ipam/ipam-fronts.ts";
import { connectService, type ServiceAccess } from "./service-client.ts";

let under: TestService;
let front: ListeningFront;
let access: ServiceAccess;
/** Resolved when the service is told that nobody watches it any more. */
let left: PromiseWithResolvers<void>;

beforeEach(async () => {
  under = await openTestService();
  left = Promise.withResolvers();
  const watchEvents: TestService["service"]["watchEvents"] = (since, onEvent) => {
    const stop = under.service.watchEvents(since, onEvent);
    return () => {
      stop();
      left.resolve();
    };
  };
  front = await ListeningFront.open(openHttpFront(withMethods(under.service, { watchEvents })));
  access = connectService(front.socket);
});
afterEach(async () => {
  access.close();
  await front.close();
  await under.service.close();
});

test("who watches is told what comes after a place, until he stops: then the service knows", async () => {
  const place = await access.service.info();
  const seen: Event["kind"][] = [];
  let came = Promise.withResolvers<void>();
  const onEvent = ({ kind }: Event): void => {
    seen.push(kind);
    came.resolve();
  };
  const stop = access.watch(place, onEvent, came.reject);
  await under.service.createNetwork({ name: "web" }, TEST_CALLER);
  await came.promise;
  came = Promise.withResolvers();
  stop();
  await left.promise;
  await under.service.createNetwork({ name: "db" }, TEST_CALLER);
  expect(seen).toEqual(["network-created"]);
  expect((await access.service.listNetworks()).map(({ name }) => name)).toContain("db");
});

test("who watches from a place of another log is told that it cannot go on", async () => {
  const { revision, logId } = await access.service.info();
  const other = logId.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  const ended = Promise.withResolvers<unknown>();
  const stop = access.watch({ revision, logId: other }, () => {}, ended.resolve);
  expect(await ended.promise).toMatchObject({ code: "compacted" });
  stop();
});

test("a service that is not there is unavailable", async () => {
  await front.close();
  await expect(access.service.info()).rejects.toMatchObject({ code: "unavailable" });
});
