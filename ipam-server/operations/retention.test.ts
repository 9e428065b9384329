import type { Event } from "../../lib/ipam/api.ts";
import { ADMIN, type Fixture, newFixture, SMALL } from "../../test/support/ipam/ipam-fixture.ts";

const DAY_MS = 86_400_000;

let f: Fixture;
beforeEach(async () => {
  f = await newFixture();
  await f.service.createNetwork(SMALL, ADMIN);
});
afterEach(() => f.service.close());

async function makeEvents(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    await f.service.reserve({ networkName: "web", address: "10.1.0.5" }, ADMIN);
    await f.service.unreserve({ networkName: "web", address: "10.1.0.5" }, ADMIN);
  }
}

/** Begins anew with `keep`, and waits until old events have gone. */
async function reopenKeeping(keep: { days: number; events: number }): Promise<readonly Event[]> {
  await f.service.close();
  f = await newFixture({ disk: f.disk, clock: f.clock, keep });
  for (let turn = 0; turn < 10_000 && f.store.trimmedRevision === 0; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  // What is removed in several steps.
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return f.service.listEvents({});
}

test("events beyond the number are removed, oldest first, also where it takes several steps", async () => {
  await makeEvents(700);
  const { revision } = await f.service.info();
  const events = await reopenKeeping({ days: 90, events: 100 });
  expect(events).toHaveLength(100);
  expect(events.at(-1)?.revision).toBe(revision + 1);
});

test("events beyond the days are removed, and no other", async () => {
  await makeEvents(5);
  f.clock.advance(2 * DAY_MS);
  await f.service.reserve({ networkName: "web", address: "10.1.0.6" }, ADMIN);
  f.clock.advance(DAY_MS / 2);
  const events = await reopenKeeping({ days: 1, events: 1_000 });
  expect(events.map(({ kind }) => kind)).toEqual(["address-reserved", "server-started"]);
});

test("a place that was removed while the service ran is gone for lists and for watches", async () => {
  await makeEvents(50);
  await reopenKeeping({ days: 90, events: 10 });
  const { revision } = await f.service.info();
  await expect(f.service.listEvents({ since: revision - 30 })).rejects.toMatchObject({ code: "compacted" });
  expect(() => f.service.watchEvents({ revision: revision - 30 }, () => {})).toThrow("have been removed");
  expect((await f.service.listEvents({ since: revision - 5 })).length).toBe(5);
  expect((await f.service.checkConsistency()).findings).toEqual([]);
});

test("a grant that is the last to be removed is no contradiction, and neither is one that just stays", async () => {
  const acquired: number[] = [];
  for (const containerId of ["a", "b"]) {
    await f.service.acquire({ key: { networkName: "web", containerId, ifname: "eth0" } }, ADMIN);
    acquired.push((await f.service.info()).revision);
  }
  await reopenKeeping({ days: 90, events: 2 });
  expect([f.store.trimmedRevision, f.store.trimmedRevision + 1]).toEqual(acquired);
  expect((await f.service.checkConsistency()).findings).toEqual([]);
});

test("who had an address is told as far as the log goes, and the state does not depend on it", async () => {
  const key = { networkName: "web", containerId: "a", ifname: "eth0" };
  await f.service.acquire({ key }, ADMIN);
  await makeEvents(50);
  await reopenKeeping({ days: 90, events: 10 });
  expect(await f.service.whoHad({ address: "10.1.0.2" })).toEqual([]);
  expect(await f.service.listLeases({ containerId: "a" })).toMatchObject([{ address: "10.1.0.2" }]);
});

test("of a stay whose grant is no longer in the log nothing is told, though its end is", async () => {
  const key = { networkName: "web", containerId: "a", ifname: "eth0" };
  await f.service.acquire({ key }, ADMIN);
  await makeEvents(50);
  await f.service.release({ key }, ADMIN);
  const events = await reopenKeeping({ days: 90, events: 10 });
  expect(events.map(({ kind }) => kind)).toContain("lease-released");
  expect(await f.service.whoHad({ address: "10.1.0.2" })).toEqual([]);
});
