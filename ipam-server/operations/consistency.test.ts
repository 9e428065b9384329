import { parseAddress } from "../../lib/addr/address.ts";
import type { EventRecord } from "../../lib/ipam/store.ts";
import { ADMIN, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";
import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { NetworkState } from "../state/network-state.ts";

const s = useService();

/** Runs the check, and puts the store right again for the check that follows each test. */
async function findingsWith(damage: () => () => void): Promise<string[]> {
  const repair = damage();
  const { findings } = await s.f.service.checkConsistency();
  repair();
  return findings.map(({ object, problem }) => `${object}: ${problem}`);
}

describe("store against memory", () => {
  beforeEach(async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    for (const containerId of ["a", "b", "c"]) await s.acquire(containerId, { names: ["a", "b"] });
    await s.release("c");
  });

  const key = "default/10.1.0.2";
  const leaseOf = () => {
    const lease = s.f.disk.leases.get(key);
    if (lease === undefined) throw new Error(`there is no ${key}`);
    return lease;
  };

  test("finds nothing where there is nothing", async () => {
    expect(await s.f.service.checkConsistency()).toEqual({
      revision: 6,
      networks: 1,
      leases: 3,
      findings: [],
    });
  });

  test("finds a lease that the store has lost", async () => {
    const findings = await findingsWith(() => {
      const lease = leaseOf();
      s.f.disk.leases.delete(key);
      return () => s.f.disk.leases.set(key, lease);
    });
    expect(findings).toEqual(["lease 10.1.0.2: it is in memory, but not in the store"]);
  });

  test("finds a lease that differs", async () => {
    const findings = await findingsWith(() => {
      const lease = leaseOf();
      s.f.disk.leases.set(key, { ...lease, containerId: "other" });
      return () => s.f.disk.leases.set(key, lease);
    });
    expect(findings).toEqual([
      "lease 10.1.0.2: memory and store differ",
      "lease 10.1.0.2: event 3 does not grant it to its holder other",
    ]);
  });

  test.each([
    ["a number", { acquiredAtMs: 5 }],
    ["what is null", { quarantine: "seen twice" }],
    ["a part of it", { names: ["b", "a"] }],
    ["the length of a list", { names: ["a", "b", "c"] }],
    ["the kind of a list", { names: "ab" }],
    ["the kind of a text", { mac: [] }],
    ["what is none in memory", { reservation: { reason: "", stickyName: "" } }],
  ])("finds a lease of which %s differs", async (_what, over) => {
    const findings = await findingsWith(() => {
      const lease = leaseOf();
      s.f.disk.leases.set(key, { ...lease, ...(over as object) });
      return () => s.f.disk.leases.set(key, lease);
    });
    expect(findings).toEqual(["lease 10.1.0.2: memory and store differ"]);
  });

  test("finds nothing where the store has it all in records of its own", async () => {
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.6", reason: "printer" }, ADMIN);
    const copyAll = <T>(map: Map<string, T>) => {
      for (const [key, value] of map) map.set(key, structuredClone(value));
    };
    const copied = await findingsWith(() => {
      copyAll(s.f.disk.leases);
      copyAll(s.f.disk.networks);
      return () => {};
    });
    expect(copied).toEqual([]);
    const reserved = "default/10.1.0.6";
    const lease = s.f.disk.leases.get(reserved);
    if (lease === undefined) throw new Error(`there is no ${reserved}`);
    const lost = await findingsWith(() => {
      s.f.disk.leases.set(reserved, { ...lease, reservation: null });
      return () => s.f.disk.leases.set(reserved, lease);
    });
    expect(lost).toEqual(["lease 10.1.0.6: memory and store differ"]);
  });

  test("finds a difference in the record that was changed last", async () => {
    const newest = "default/10.1.0.4";
    const lease = s.f.disk.leases.get(newest);
    if (lease === undefined) throw new Error(`there is no ${newest}`);
    expect(lease.version).toBe((await s.f.service.info()).revision);
    const findings = await findingsWith(() => {
      s.f.disk.leases.set(newest, { ...lease, mac: "02:00:00:00:00:99" });
      return () => s.f.disk.leases.set(newest, lease);
    });
    expect(findings).toEqual(["lease 10.1.0.4: memory and store differ"]);
  });

  test("finds a lease that memory does not know", async () => {
    const findings = await findingsWith(() => {
      const ghost = leaseRecord(networkRecord("web", 1), "10.1.0.6", {
        networkId: leaseOf().networkId,
        version: 3,
      });
      s.f.disk.leases.set("ghost", ghost);
      return () => s.f.disk.leases.delete("ghost");
    });
    expect(findings).toEqual([
      "lease 10.1.0.6: it is in the store, but not in memory",
      "lease 10.1.0.6: event 3, which should have made it, is missing or of another address",
      "lease 10.1.0.6: event 3 does not grant it to its holder container-10.1.0.6",
    ]);
  });

  test("finds a lease of a network that nobody knows", async () => {
    const findings = await findingsWith(() => {
      const stray = leaseRecord(networkRecord("gone", 1), "10.7.0.1", { state: "reserved", version: 0 });
      s.f.disk.leases.set("stray", stray);
      return () => s.f.disk.leases.delete("stray");
    });
    expect(findings).toEqual(["lease 10.7.0.1: it is in the store, but not in memory"]);
  });

  test("finds events that are gone", async () => {
    const findings = await findingsWith(() => {
      const { events } = s.f.disk;
      s.f.disk.events = events.map((event, at) => (at === 2 ? { ...event, revision: 99 } : event));
      return () => {
        s.f.disk.events = events;
      };
    });
    expect(findings).toEqual([
      "lease 10.1.0.2: event 3, which should have made it, is missing or of another address",
      "lease 10.1.0.2: event 3 does not grant it to its holder a",
    ]);
  });

  const missing = "lease 10.1.0.2: event 3, which should have made it, is missing or of another address";
  const notGranted = "lease 10.1.0.2: event 3 does not grant it to its holder a";
  test.each<[string, Partial<EventRecord>, string[]]>([
    ["another address", { address: parseAddress("10.1.0.6") }, [missing, notGranted]],
    ["no address", { address: null }, [missing, notGranted]],
    ["another address space", { addressSpace: "lab" }, [missing, notGranted]],
    ["another kind", { kind: "address-reserved" }, [notGranted]],
  ])("finds an event that is of %s", async (_what, over, expected) => {
    const findings = await findingsWith(() => {
      const { events } = s.f.disk;
      s.f.disk.events = events.map((event, at) => (at === 2 ? { ...event, ...over } : event));
      return () => {
        s.f.disk.events = events;
      };
    });
    expect(findings).toEqual(expected);
  });

  test("finds that the store has lost all leases of a network", async () => {
    const findings = await findingsWith(() => {
      const { leases } = s.f.disk;
      s.f.disk.leases = new Map();
      return () => {
        s.f.disk.leases = leases;
      };
    });
    const lost = "it is in memory, but not in the store";
    expect(findings).toEqual(
      ["10.1.0.2", "10.1.0.3", "10.1.0.4"].map((address) => `lease ${address}: ${lost}`),
    );
  });

  test("finds networks that differ, are lost, or come from nowhere", async () => {
    await s.f.service.createNetwork({ name: "last" }, ADMIN);
    const findings = await findingsWith(() => {
      const { networks } = s.f.disk;
      const [web] = networks.values();
      if (web === undefined) throw new Error("there is no network");
      s.f.disk.networks = new Map([["ghost", networkRecord("ghost", 1)]]);
      return () => {
        s.f.disk.networks = networks;
      };
    });
    expect(findings).toEqual([
      "network ghost: it is in the store, but not in memory",
      "network web: it is in memory, but not in the store",
      "network last: it is in memory, but not in the store",
    ]);
  });

  test("does not take what changes meanwhile for a contradiction", async () => {
    const checks: Promise<unknown>[] = [];
    for (let round = 0; round < 30; round++) {
      checks.push(s.f.service.checkConsistency().then(({ findings }) => expect(findings).toEqual([])));
      await Promise.all([s.acquire(`x${round}`).catch(() => {}), s.release(`x${round - 1}`)]);
      s.f.clock.advance(20_000);
    }
    await Promise.all(checks);
  });
});

test("of a check that is over nothing is left that is told of changes, however it ended", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  let watching = 0;
  const { watchLeases } = NetworkState.prototype;
  jest.spyOn(NetworkState.prototype, "watchLeases").mockImplementation(function (
    this: NetworkState,
    watcher,
  ) {
    const stop = watchLeases.call(this, watcher);
    watching += 1;
    return () => {
      watching -= 1;
      stop();
    };
  });
  await s.f.service.checkConsistency();
  expect(watching).toBe(0);
  jest.spyOn(s.f.store, "readNetworks").mockImplementation(() => Promise.reject(new Error("no disk")));
  await expect(s.f.service.checkConsistency()).rejects.toThrow("no disk");
  expect(watching).toBe(0);
  jest.restoreAllMocks();
});

test("leases of many pages are each compared once, and the last of them too", async () => {
  await s.f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/16" }] }, ADMIN);
  for (let at = 0; at < 250; at += 1) await s.acquire(`c${at}`);
  expect(await s.f.service.checkConsistency()).toMatchObject({ leases: 250, findings: [] });
  const asked = jest.spyOn(s.f.store, "readLeases");
  const found = await findingsWith(() => {
    const key = "default/10.1.0.251";
    const lease = s.f.disk.leases.get(key);
    if (lease === undefined) throw new Error(`there is no ${key}`);
    s.f.disk.leases.set(key, { ...lease, mac: "02:00:00:00:00:99" });
    return () => s.f.disk.leases.set(key, lease);
  });
  expect(found).toEqual(["lease 10.1.0.251: memory and store differ"]);
  expect(asked).toHaveBeenCalledTimes(16);
  asked.mockRestore();
});
