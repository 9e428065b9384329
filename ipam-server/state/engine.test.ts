import type { FairleadError } from "../../lib/errors.ts";
import type { StoreFailure } from "../../lib/ipam/store.ts";
import { type LogFields, silentLogger } from "../../lib/log.ts";
import {
  ADMIN,
  asking,
  brief,
  type Fixture,
  keyOf,
  NODE1,
  newFixture,
  plain,
} from "../../test/support/ipam/ipam-fixture.ts";
import { settleTurns } from "../../test/support/turns.ts";
import type { GroupFigures } from "../fronts/group-metrics.ts";

let f: Fixture;
let fatal: FairleadError[];

async function begin(options = {}): Promise<void> {
  fatal = [];
  f = await newFixture({ onFatal: (error) => fatal.push(error), ...options });
  await f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/24" }] }, ADMIN);
  f.store.commits = 0;
}

beforeEach(() => begin());
afterEach(() => f.service.close());

const acquire = (containerId: string, wishes = {}) =>
  f.service.acquire(asking(containerId, wishes), NODE1).then(plain);
const bound = async () => brief(await f.service.listLeases({ state: "bound" }));

describe("groups", () => {
  test("requests that arrive together commit together, and see each other's effects", async () => {
    const answers = await Promise.all([
      acquire("a"),
      acquire("b"),
      f.service.release({ key: keyOf("a") }, NODE1),
      acquire("b"),
    ]);
    expect(answers).toEqual([["10.1.0.2"], ["10.1.0.3"], { released: ["10.1.0.2"], kept: [] }, ["10.1.0.3"]]);
    expect(f.store.commits).toBe(1);
  });

  test("a refused request spoils nothing for the others of its group", async () => {
    const wish = { requestedAddresses: ["10.1.0.9"] };
    const results = await Promise.allSettled([acquire("a", wish), acquire("b", wish), acquire("c")]);
    expect(results).toMatchObject([
      { status: "fulfilled", value: ["10.1.0.9"] },
      { status: "rejected", reason: { code: "address-in-use" } },
      { status: "fulfilled", value: ["10.1.0.2"] },
    ]);
    expect(f.store.commits).toBe(1);
  });

  test("of a request that fails halfway nothing is left, in memory, store or log", async () => {
    const subnets = [{ subnet: "10.2.0.0/24" }, { subnet: "fd00:2::/126" }];
    await f.service.createNetwork({ name: "dual", subnets }, ADMIN);
    const { revision } = await f.service.info();
    const ask = (containerId: string) =>
      f.service.acquire({ key: { ...keyOf(containerId), networkName: "dual" } }, NODE1);
    const results = await Promise.allSettled([..."abcdef"].map(ask));
    const served = results.filter(({ status }) => status === "fulfilled").length;
    expect(served).toBeLessThan(results.length);
    expect(results.at(-1)).toMatchObject({ reason: { code: "pool-exhausted" } });
    const late = await acquire("late");
    expect(late).toEqual(["10.1.0.2"]);
    expect(await bound()).toHaveLength(2 * served + 1);
    const events = await f.service.listEvents({ since: revision });
    expect(events.map((event) => event.revision)).toEqual(events.map((_, at) => revision + 1 + at));
    expect(events).toHaveLength(2 * served + 1);
    expect((await f.service.checkConsistency()).findings).toEqual([]);
  });

  test("are told of, with their size and what became of them", async () => {
    await f.service.close();
    const groups: GroupFigures[] = [];
    await begin({ onGroup: (figures: GroupFigures) => groups.push(figures) });
    groups.length = 0;
    await Promise.all([acquire("a"), acquire("b")]);
    await f.service.release({ key: keyOf("nobody") }, NODE1);
    f.store.failure = "full";
    await expect(acquire("c")).rejects.toMatchObject({ code: "unavailable" });
    const time = expect.any(Number);
    const common = { waitedMs: time, stagedMs: time };
    expect(groups).toEqual([
      { ...common, requests: 2, committedMs: time },
      { ...common, requests: 1, committedMs: null },
      { ...common, requests: 1, committedMs: null },
    ]);
    for (const { waitedMs, stagedMs } of groups)
      expect(Math.min(waitedMs, stagedMs)).toBeGreaterThanOrEqual(0);
  });

  test("have a largest size", async () => {
    await f.service.close();
    await begin({ maxGroup: 4 });
    await Promise.all(Array.from({ length: 10 }, (_, at) => acquire(`c${at}`)));
    expect(f.store.commits).toBeGreaterThanOrEqual(3);
    expect(await bound()).toHaveLength(10);
  });

  test("that change nothing are not committed", async () => {
    await f.service.release({ key: keyOf("never") }, NODE1);
    await acquire("a", { requestedAddresses: ["10.9.9.9"] }).catch(() => {});
    expect(f.store.commits).toBe(0);
  });

  test("wait for the commit under way; reads see nothing of it until it is durable", async () => {
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    f.store.gate = () => {
      begun.resolve();
      return gate.promise;
    };
    const first = acquire("a");
    await begun.promise;
    const others = [acquire("b"), acquire("c")];
    let seen: string[] | null = null;
    const reading = bound().then((leases) => (seen = leases));
    await settleTurns();
    expect(seen).toBeNull();
    expect(f.store.commits).toBe(1);
    f.store.gate = null;
    gate.resolve();
    expect(await first).toEqual(["10.1.0.2"]);
    await reading;
    expect(seen).toContain("10.1.0.2 bound");
    await Promise.all(others);
    expect(f.store.commits).toBe(2);
  });

  test("a status that is asked for during a commit tells nothing of it before it is durable", async () => {
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    f.store.gate = () => {
      begun.resolve();
      return gate.promise;
    };
    const failing = acquire("a");
    await begun.promise;
    let isTold = false;
    const status = f.service.networkStatus({ networkName: "web" }, NODE1).finally(() => {
      isTold = true;
    });
    await settleTurns();
    expect(isTold).toBe(false);
    f.store.failure = "full";
    gate.resolve();
    await expect(failing).rejects.toMatchObject({ code: "unavailable" });
    expect((await status).pools).toMatchObject([{ bound: 0 }]);
  });

  test("an asynchronous commit that fails is taken back before anybody reads", async () => {
    f.store.gate = () => Promise.resolve();
    f.store.failure = "full";
    const failing = acquire("a");
    await expect(failing).rejects.toMatchObject({ code: "unavailable" });
    expect(await bound()).toEqual([]);
  });
});

describe("a commit that fails", () => {
  const sequence = async () => ({ ...(await f.service.info()), startedAt: "" });

  test.each<StoreFailure>(["full", "io", "sync", "conflict", "fenced"])(
    "with %s is taken back, and every caller of its group is told",
    async (failure) => {
      await acquire("held");
      const before = [
        await bound(),
        await sequence(),
        await f.service.networkStatus({ networkName: "web" }, NODE1),
      ];
      f.store.failure = failure;
      const results = await Promise.allSettled([
        acquire("a"),
        f.service.release({ key: keyOf("held") }, NODE1),
        acquire("b", { requestedAddresses: ["10.1.0.2"] }),
        f.service.createNetwork({ name: "other" }, ADMIN),
        acquire("c", { requestedAddresses: ["10.9.9.9"] }),
      ]);
      const isUnknown = failure === "sync";
      const reason = isUnknown ? "whether the change is durable is unknown" : "was taken back";
      const hint = failure === "full" ? "it recovers by itself" : "see the server's log";
      const told = { reason: expect.stringContaining(reason), hint: expect.stringContaining(hint) };
      for (const result of results) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "unavailable", ...told } });
      }
      const status = await f.service.networkStatus({ networkName: "web" }, NODE1);
      expect([await bound(), await sequence()]).toEqual(before.slice(0, 2));
      expect(status.ready).toBe(false);
      expect(status.reason).toContain("told to fail");
      expect(await f.service.listNetworks()).toHaveLength(1);
    },
  );

  test.each<StoreFailure>(["full", "io"])(
    "with %s keeps reads, refuses changes, and recovers by itself",
    async (failure) => {
      await acquire("held");
      f.store.failure = failure;
      await acquire("a").catch(() => {});
      await expect(acquire("b")).rejects.toMatchObject({ code: "unavailable" });
      expect(f.store.failedCommits).toBe(1);
      expect(await bound()).toEqual(["10.1.0.2 bound"]);
      f.clock.advance(1000);
      await expect(acquire("b")).rejects.toMatchObject({ code: "unavailable" });
      expect(f.store.failedCommits).toBe(2);
      f.store.failure = null;
      f.clock.advance(1000);
      expect(await acquire("a")).toEqual(["10.1.0.3"]);
      expect(await acquire("b")).toEqual(["10.1.0.4"]);
      expect(fatal).toEqual([]);
    },
  );

  test.each<StoreFailure>(["sync", "conflict", "fenced", "corrupt"])(
    "with %s is never tried again: the process is told to end",
    async (failure) => {
      f.store.failure = failure;
      await acquire("a").catch(() => {});
      f.store.failure = null;
      f.clock.advance(3_600_000);
      await expect(acquire("b")).rejects.toMatchObject({ code: "unavailable" });
      expect(f.store.failedCommits).toBe(1);
      expect(f.store.commits).toBe(1);
      expect(fatal).toHaveLength(1);
      expect(await bound()).toEqual([]);
    },
  );

  test("that is fatal refuses those who are waiting too", async () => {
    await f.service.close();
    await begin({ maxGroup: 1 });
    f.store.failure = "sync";
    const results = await Promise.allSettled([acquire("a"), acquire("b"), acquire("c")]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(f.store.commits).toBe(1);
  });
});

test("faults of ours and failing commits are logged, refusals are only answered", async () => {
  await f.service.close();
  const lines: unknown[] = [];
  const error = ({ err, ...fields }: LogFields, message: string): void =>
    void lines.push([message, (err as Error).message, fields]);
  let fails = false;
  const newNetworkId = (): string => {
    if (fails) throw new TypeError("inside");
    return "a".repeat(64);
  };
  await begin({ logger: { ...silentLogger, error }, newNetworkId });
  fails = true;
  await expect(f.service.createNetwork({ name: "db" }, ADMIN)).rejects.toMatchObject({ code: "internal" });
  await expect(acquire("a", { requestedAddresses: ["10.9.9.9"] })).rejects.toMatchObject({
    code: "invalid-config",
  });
  expect(lines).toEqual([["request failed", "inside", {}]]);
  f.store.failure = "full";
  await expect(acquire("a")).rejects.toMatchObject({ code: "unavailable" });
  const reason = expect.stringContaining("told to fail");
  expect(lines.slice(1)).toEqual([["commit failed", reason, { storeFailure: "full" }]]);
});

test("more requests than can be answered in time are refused at once, and those before them are served", async () => {
  const most = 16_384;
  const releases = Array.from({ length: most + 1 }, () => f.service.release({ key: keyOf("a") }, NODE1));
  const results = await Promise.allSettled(releases);
  const refused = results.flatMap((result, at) =>
    result.status === "rejected" ? [[at, result.reason]] : [],
  );
  const reason = `${most} requests are waiting already`;
  expect(refused).toEqual([[most, expect.objectContaining({ code: "unavailable", reason })]]);
  expect(await acquire("a")).toEqual(["10.1.0.2"]);
});

test("closing answers what was accepted, and refuses what comes later", async () => {
  const accepted = acquire("a");
  const closing = f.service.close();
  await expect(acquire("b")).rejects.toMatchObject({
    code: "unavailable",
    reason: "the service is shutting down",
  });
  expect(await accepted).toEqual(["10.1.0.2"]);
  await closing;
  const again = await f.reopen();
  expect(brief(await again.service.listLeases({}))).toEqual(["10.1.0.2 bound"]);
  await again.service.close();
});
