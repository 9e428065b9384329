import type { LeaseFilter } from "../lib/ipam/api.ts";
import type { LeaseStore } from "../lib/ipam/store.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import {
  ADMIN,
  brief,
  FaultyStore,
  keyOf,
  NODE1,
  newFixture,
  openService,
  SMALL,
  useService,
} from "../test/support/ipam/ipam-fixture.ts";
import { withMethods } from "../test/support/ipam/ipam-fronts.ts";
import { settleTurns } from "../test/support/turns.ts";
import type { BootMemory } from "./store/boot-memory.ts";
import { MemoryDisk, MemoryStore } from "./store/memory/store.ts";

const s = useService();
const { acquire, release, usage } = s;

describe("time", () => {
  test("a clock that is set back frees nothing early, here or after a restart", async () => {
    await s.f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/30" }] }, ADMIN);
    await acquire("a");
    await release("a");
    s.f.clock.advance(-3_600_000);
    expect(await usage()).toMatchObject({ cooling: 1, free: "0" });
    s.f.clock.advance(59_999);
    expect(await usage()).toMatchObject({ cooling: 1, free: "0" });
    s.f = await s.f.reopen();
    s.f.clock.advance(59_999);
    expect(await usage()).toMatchObject({ cooling: 1, free: "0" });
    s.f.clock.advance(120_000);
    expect(await usage()).toMatchObject({ cooling: 0, free: "1" });
  });
});

test("leases are listed by network, then by address", async () => {
  const subnets = { mid: "10.3.0.0/24", zoo: "10.1.0.0/24", ant: "10.2.0.0/24" };
  for (const [name, subnet] of Object.entries(subnets)) {
    await s.f.service.createNetwork({ name, subnets: [{ subnet }] }, ADMIN);
    for (const [containerId, host] of [
      ["b", 9],
      ["a", 3],
    ] as const) {
      const requestedAddresses = [subnet.replace("0/24", `${host}`)];
      await s.f.service.acquire({ key: keyOf(containerId, name), requestedAddresses }, ADMIN);
    }
  }
  const addresses = async (filter: LeaseFilter) =>
    (await s.f.service.listLeases(filter)).map(({ address }) => address);
  const [ant, mid, zoo] = ["10.2.0", "10.3.0", "10.1.0"];
  expect(await addresses({})).toEqual([ant, mid, zoo].flatMap((start) => [`${start}.3`, `${start}.9`]));
  expect(await addresses({ containerId: "b" })).toEqual([ant, mid, zoo].map((start) => `${start}.9`));
  expect(await addresses({ containerId: "b", networkName: "mid" })).toEqual([`${mid}.9`]);
  expect(await addresses({ containerId: "b", networkName: "nothing" })).toEqual([]);
  expect(await addresses({ address: `${zoo}.9`, networkName: "mid" })).toEqual([]);
});

test("leases of one container are listed by address, those that it holds among those that it left", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  for (const ifname of ["eth0", "eth1", "eth2"])
    await s.f.service.acquire({ key: keyOf("a", "web", ifname) }, NODE1);
  for (const ifname of ["eth1", "eth0"]) await s.f.service.release({ key: keyOf("a", "web", ifname) }, NODE1);
  expect(brief(await s.f.service.listLeases({ containerId: "a" }))).toEqual([
    "10.1.0.2 cooling",
    "10.1.0.3 cooling",
    "10.1.0.4 bound",
  ]);
});

test("an address is its holder's lease alone, also one that is reserved", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  await acquire("a", { requestedAddresses: ["10.1.0.4"] });
  const leases = (containerId: string) => s.f.service.listLeases({ address: "10.1.0.4", containerId });
  expect([brief(await leases("a")), await leases("b")]).toEqual([["10.1.0.4 bound"], []]);
  await release("a");
  await s.f.service.reserve({ networkName: "web", address: "10.1.0.4" }, ADMIN);
  expect(brief(await leases("a"))).toEqual(["10.1.0.4 cooling"]);
  s.f.clock.advance(60_000);
  expect(await leases("a")).toEqual([]);
  expect(brief(await s.f.service.listLeases({ address: "10.1.0.4" }))).toEqual(["10.1.0.4 reserved"]);
});

test("says where it runs, if it was told", async () => {
  expect(await s.f.service.info()).not.toHaveProperty("node");
  const node = { name: "n1", bootId: "one", netns: "net:[1]" };
  const next = await newFixture({ node });
  expect(await next.service.info()).toMatchObject({ node });
  await next.service.close();
});

test("an address that was asked for outside the ranges is counted until it has cooled down", async () => {
  const subnets = [{ subnet: "10.1.0.0/24", ipRange: "10.1.0.0/28" }];
  await s.f.service.createNetwork({ name: "web", subnets }, ADMIN);
  const counts = async () => (await s.f.service.info()).leases;
  expect(await acquire("a", { requestedAddresses: ["10.1.0.99"] })).toEqual(["10.1.0.99"]);
  const none = { bound: 0, cooling: 0, quarantined: 0, reserved: 0 };
  expect(await counts()).toEqual({ ...none, bound: 1 });
  await release("a");
  expect(await counts()).toEqual({ ...none, cooling: 1 });
  s.f.clock.advance(60_000);
  expect(await counts()).toEqual(none);
});

describe("restart", () => {
  test("everything is as it was", async () => {
    await s.f.service.createNetwork({ ...SMALL, ipv6: true, labels: { a: "b" } }, ADMIN);
    await acquire("a", { stickyName: "s", names: ["web"], mac: "02:00:00:00:00:0a" });
    await acquire("b");
    await release("b");
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.5", reason: "r" }, ADMIN);
    await s.f.service.quarantine({ address: "10.1.0.6", reason: "q" }, ADMIN);
    const before = [await s.f.service.listLeases({}), await s.f.service.listNetworks(), await usage()];
    const { revision, epoch } = await s.f.service.info();
    s.f = await s.f.reopen();
    expect([await s.f.service.listLeases({}), await s.f.service.listNetworks(), await usage()]).toEqual(
      before,
    );
    expect(await s.f.service.info()).toMatchObject({
      revision: revision + 1,
      epoch: epoch + 1,
      networks: 1,
      leases: { bound: 2, cooling: 2, reserved: 1, quarantined: 1 },
      store: "memory",
      version: "0.0.0-test",
    });
    expect(await acquire("a")).toEqual(["10.1.0.2", "fd00:f1::2"]);
  });

  test.each<[string, string, (disk: MemoryDisk) => void]>([
    ["a lease without its network", "does not exist", ({ networks }) => networks.clear()],
    [
      "two networks of one name",
      "network web: it is there twice",
      ({ networks }) => {
        for (const network of [...networks.values()]) networks.set("other", { ...network, id: "other" });
      },
    ],
    [
      "two leases of one address",
      "its address is there twice",
      ({ leases }) => {
        for (const lease of [...leases.values()]) leases.set("other", lease);
      },
    ],
  ])("a store that contradicts itself is refused: %s", async (_what, problem, damage) => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a");
    damage(s.f.disk);
    await expect(s.f.reopen()).rejects.toMatchObject({
      code: "io-failure",
      message: expect.stringContaining(problem),
      details: { storeFailure: "corrupt" },
    });
    s.f = await newFixture();
  });

  test("a service that cannot start gives its store free", async () => {
    const store = new FaultyStore(new MemoryStore());
    store.failure = "full";
    await expect(openService(store, s.f.clock)).rejects.toMatchObject({ code: "unavailable" });
    expect(() => store.load()).toThrow("the store is closed");
  });
});

describe("what becomes of old events", () => {
  const HOUR_MS = 3_600_000;

  /** A service with events to remove that cannot be removed: its store fails, once `held` is over. */
  async function openStubborn(held: Promise<void> = Promise.resolve()) {
    const disk = new MemoryDisk();
    const first = await newFixture({ disk });
    await first.service.close();
    const asked = Promise.withResolvers<void>();
    const trimEvents = async (): Promise<void> => {
      asked.resolve();
      await held;
      throw new Error("the disk is away");
    };
    const store = withMethods<LeaseStore>(new MemoryStore(disk), { trimEvents });
    const options = { keep: { days: 90, events: 1 }, ...recorder() };
    const service = await openService(store, s.f.clock, options);
    await asked.promise;
    return service;
  }

  test("they are looked for again every hour, until the service ends", async () => {
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask", "performance", "Date"] });
    try {
      const f = await newFixture({ keep: { days: 90, events: 5 } });
      await f.service.createNetwork(SMALL, ADMIN);
      for (let at = 0; at < 5; at += 1) {
        await f.service.reserve({ networkName: "web", address: "10.1.0.5" }, ADMIN);
        await f.service.unreserve({ networkName: "web", address: "10.1.0.5" }, ADMIN);
      }
      await settleTurns();
      expect(f.store.trimmedRevision).toBe(0);
      jest.advanceTimersByTime(HOUR_MS);
      await settleTurns();
      expect(f.store.trimmedRevision).toBe(7);
      expect(jest.getTimerCount()).toBe(1);
      await f.service.close();
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  test("what is removed is told, and nothing where nothing is", async () => {
    const disk = new MemoryDisk();
    const first = await newFixture({ disk, ...recorder() });
    await settleTurns();
    await first.service.close();
    expect(lines).toEqual([]);
    const second = await newFixture({ disk, keep: { days: 90, events: 1 }, ...recorder() });
    await settleTurns();
    await second.service.close();
    expect(lines).toEqual(['info events removed {"events":1,"trimmedRevision":1}']);
  });

  test("that they cannot be removed is told, and keeps nothing from being served", async () => {
    const service = await openStubborn();
    await settleTurns();
    expect(lines).toEqual(['warn old events not removed {"err":"the disk is away"}']);
    expect((await service.createNetwork(SMALL, ADMIN)).name).toBe("web");
    await service.close();
  });

  test("but not when the service has ended meanwhile", async () => {
    const gate = Promise.withResolvers<void>();
    const service = await openStubborn(gate.promise);
    await service.close();
    gate.resolve();
    await settleTurns();
    expect(lines).toEqual([]);
  });
});

describe("the log tells", () => {
  const boot = (bootId: string, memory: BootMemory) => ({ boot: { node: "n1", bootId, memory } });
  const forgetful: BootMemory = { read: () => null, write: () => {}, close: () => {} };

  test("how many attachments of earlier boots were released", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    for (const containerId of ["a", "b"])
      await s.f.service.acquire({ key: keyOf(containerId), bootId: "one" }, NODE1);
    await s.f.service.close();
    const { disk, clock } = s.f;
    s.f = await newFixture({ disk, clock, ...boot("two", forgetful), ...recorder() });
    expect(lines).toEqual(['info released what earlier boots of this node held {"attachments":2}']);
  });

  test("that many of them were released in several goes", async () => {
    await s.f.service.createNetwork({ name: "large", subnets: [{ subnet: "10.8.0.0/20" }] }, ADMIN);
    const keys = Array.from({ length: 513 }, (_, at) => keyOf(`c${at}`, "large"));
    await Promise.all(keys.map((key) => s.f.service.acquire({ key, bootId: "one" }, NODE1)));
    await s.f.service.close();
    const { disk, clock } = s.f;
    s.f = await newFixture({ disk, clock, ...boot("two", forgetful), ...recorder() });
    const text = "info released what earlier boots of this node held";
    expect(lines).toEqual([`${text} {"attachments":512}`, `${text} {"attachments":1}`]);
    expect(await s.f.service.listEndpoints({})).toEqual([]);
  });

  test("which predefined networks were made", async () => {
    const predefined = { avoid: () => [] };
    const next = await newFixture({ predefined, ...recorder() });
    await next.service.close();
    expect(lines).toEqual(
      ["bridge", "host", "none"].map((network) => `info predefined network made {"network":"${network}"}`),
    );
    const again = await newFixture({ disk: next.disk, predefined, ...recorder() });
    await again.service.close();
    expect(lines).toEqual([]);
  });

  test("that the store is another, what recovery could not put right, and that it has ended", async () => {
    const seen = { logId: "0".repeat(32), revision: 99, recovering: false };
    const next = await newFixture({ ...boot("one", { ...forgetful, read: () => seen }), ...recorder() });
    const network = {
      id: "a".repeat(64),
      name: "web",
      gateways: ["10.1.0.1/29"],
      internal: false,
      options: {},
    };
    const request = {
      ...{ bootId: "one", networks: [network], attachments: [] },
      addresses: ["10.1.0.4", "10.9.0.1"].map((address) => ({ address, reason: "in use" })),
    };
    const { problems } = await next.service.recover(request, NODE1);
    const ended = [
      `warn the store is not the one that this boot has seen: in recovery ${JSON.stringify({ seen, found: 0 })}`,
      `warn recovery: not put right ${JSON.stringify({ problem: problems[0] })}`,
      'info recovery has ended {"bound":0,"quarantined":["10.1.0.4"]}',
    ];
    expect([problems.length, lines]).toEqual([1, ended]);
    await next.service.recover({ ...request, addresses: [] }, NODE1);
    expect(lines).toEqual(ended);
    await next.service.close();
  });
});

test("predefined networks are made when recovery has ended: their subnets may be in use before", async () => {
  let closed = 0;
  const seen = { logId: "0".repeat(32), revision: 99, recovering: false };
  const memory: BootMemory = { read: () => seen, write: () => {}, close: () => void closed++ };
  const predefined = { avoid: () => [] };
  const f = await newFixture({ predefined, boot: { node: "n1", bootId: "one", memory } });
  expect(await f.service.listNetworks()).toEqual([]);
  await f.service.recover({ bootId: "one", networks: [], attachments: [], addresses: [] }, NODE1);
  expect((await f.service.listNetworks()).map(({ name }) => name)).toEqual(["bridge", "host", "none"]);
  expect(closed).toBe(0);
  await f.service.close();
  await f.service.close();
  expect(closed).toBe(1);
});

let lines: string[] = [];

/** Begins to record what is logged, errors by their message. */
function recorder(): { readonly logger: Logger } {
  lines = [];
  const plain = (_key: string, value: unknown) => (value instanceof Error ? value.message : value);
  const record = (level: string) => (fields: LogFields, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields, plain)}`);
  const logger: Logger = {
    debug: record("debug"),
    info: record("info"),
    warn: record("warn"),
    error: record("error"),
    child: () => logger,
  };
  return { logger };
}
