import {
  ADMIN,
  FaultyStore,
  newFixture,
  openService,
  SMALL,
  useService,
} from "../test/support/ipam-fixture.ts";
import { MemoryStore } from "./store/memory/store.ts";

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
  for (const name of ["zoo", "ant"]) {
    const subnet = name === "zoo" ? "10.1.0.0/24" : "10.2.0.0/24";
    await s.f.service.createNetwork({ name, subnets: [{ subnet }] }, ADMIN);
    for (const [containerId, host] of [
      ["b", 9],
      ["a", 3],
    ] as const) {
      const request = {
        key: { networkName: name, containerId, ifname: "eth0" },
        requestedAddresses: [subnet.replace("0/24", `${host}`)],
      };
      await s.f.service.acquire(request, ADMIN);
    }
  }
  const addresses = (await s.f.service.listLeases({})).map(({ address }) => address);
  expect(addresses).toEqual(["10.2.0.3", "10.2.0.9", "10.1.0.3", "10.1.0.9"]);
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

  test("what contradicts itself is refused", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a");
    s.f.disk.networks.clear();
    await expect(s.f.reopen()).rejects.toMatchObject({
      code: "io-failure",
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
