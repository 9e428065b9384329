/** What happened: events, watches, tenancies; and what is found when all is looked at. */
import type { ManualClock } from "../../../lib/clock.ts";
import type { Event, IpamService } from "../../../lib/ipam/api.ts";

import { caller, keyOf, makeWeb, type Service } from "./subject.ts";

export function historyCases(service: Service, clock: () => ManualClock): void {
  test("every change is an event with all its facts", async () => {
    await makeWeb(service);
    const { addresses } = await service().acquire({ key: keyOf("c1"), mac: "02:00:00:00:00:01" }, caller);
    const events = await service().listEvents({ address: "10.1.0.2", kind: "lease-bound" });
    expect(events).toEqual([
      {
        revision: expect.any(Number),
        at: new Date(clock().now()).toISOString(),
        actor: "uid:0",
        kind: "lease-bound",
        networkName: "web",
        networkId: "",
        addressSpace: "default",
        address: "10.1.0.2",
        containerId: "c1",
        ifname: "eth0",
        node: "n1",
        mac: "02:00:00:00:00:01",
        sequence: addresses[0]?.sequence,
        reason: "",
      },
    ]);
  });

  test("events about a network name its ID, also when it is gone", async () => {
    await makeWeb(service);
    const { id } = await service().getNetwork({ name: "web" });
    await service().removeNetwork({ name: "web" }, caller);
    const events = await service().listEvents({ networkName: "web" });
    expect(events.map(({ kind, networkId }) => [kind, networkId])).toEqual([
      ["network-created", id],
      ["network-removed", id],
    ]);
  });

  test("events are filtered by every field", async () => {
    await makeWeb(service);
    const start = clock().now();
    clock().advance(1_000);
    await service().acquire({ key: keyOf("c1") }, caller);
    clock().advance(1_000);
    await service().release({ key: keyOf("c1") }, caller);
    const all = await service().listEvents({});
    expect(all.map(({ revision }) => revision)).toEqual(all.map((_, at) => at + 1));
    const kinds = async (filter: Parameters<IpamService["listEvents"]>[0]): Promise<string[]> =>
      (await service().listEvents(filter)).map(({ kind }) => kind);
    const at = (ms: number): string => new Date(start + ms).toISOString();
    expect(await kinds({ containerId: "c1", limit: 3 })).toEqual([
      "lease-bound",
      "lease-bound",
      "lease-released",
    ]);
    expect(await kinds({ networkName: "web", limit: 1 })).toEqual(["network-created"]);
    expect(await kinds({ from: at(1_500) })).toEqual(["lease-released", "lease-released"]);
    expect(await kinds({ from: at(500), to: at(1_000) })).toEqual(["lease-bound", "lease-bound"]);
    expect(await kinds({ since: all.length - 1 })).toEqual(["lease-released"]);
    expect(await kinds({ address: "fd00:1::2" })).toEqual(["lease-bound", "lease-released"]);
    expect(await kinds({ kind: "server-started" })).toEqual(["server-started"]);
  });

  test("a watch gets what was and what comes, in order, each once", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    const seen = collector();
    const { logId } = await service().info();
    const stop = service().watchEvents({ revision: 1, logId }, seen.take);
    await seen.until((events) => events.some(({ kind }) => kind === "lease-bound"));
    await service().release({ key: keyOf("c1") }, caller);
    await seen.until((events) => events.filter(({ kind }) => kind === "lease-released").length === 2);
    stop();
    expect(seen.events).toEqual(await service().listEvents({ since: 1 }));
    await service().acquire({ key: keyOf("c9") }, caller);
    expect(seen.events.some(({ containerId }) => containerId === "c9")).toBe(false);
  });

  test("a place of another log, or newer than the newest event, is refused", async () => {
    await makeWeb(service);
    const { logId, revision } = await service().info();
    expect(logId).toMatch(/^[0-9a-f]{32}$/);
    const gone = { code: "compacted" };
    await expect(service().listEvents({ since: revision, logId: "f".repeat(32) })).rejects.toMatchObject(
      gone,
    );
    await expect(service().listEvents({ since: revision + 1, logId })).rejects.toMatchObject(gone);
    expect(await service().listEvents({ since: revision, logId })).toEqual([]);
  });

  test("history tells who had an address, and who had it at an instant", async () => {
    await makeWeb(service);
    const start = clock().now();
    await service().acquire({ key: keyOf("c1"), requestedAddresses: ["fd00:1::7"] }, caller);
    clock().advance(10_000);
    await service().release({ key: keyOf("c1") }, caller);
    clock().advance(120_000);
    await service().acquire({ key: keyOf("c2"), requestedAddresses: ["fd00:1::7"] }, caller);
    const stays = await service().whoHad({ address: "fd00:1::7" });
    expect(stays.map(({ containerId, to }) => [containerId, to])).toEqual([
      ["c1", new Date(start + 10_000).toISOString()],
      ["c2", null],
    ]);
    expect(stays[0]).toEqual({
      address: "fd00:1::7",
      addressSpace: "default",
      networkName: "web",
      containerId: "c1",
      ifname: "eth0",
      node: "n1",
      mac: "",
      sequence: expect.any(Number),
      from: new Date(start).toISOString(),
      to: new Date(start + 10_000).toISOString(),
    });
    const then = await service().whoHad({ address: "fd00:1::7", at: new Date(start + 5_000).toISOString() });
    expect(then.map(({ containerId }) => containerId)).toEqual(["c1"]);
    expect(await service().whoHad({ address: "fd00:1::7", addressSpace: "other" })).toEqual([]);
  });

  test("a check of a sound store finds nothing", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    const report = await service().checkConsistency();
    expect(report).toEqual({ revision: expect.any(Number), networks: 1, leases: 2, findings: [] });
  });

  test("what is attached and not known is bound, and what is known stays", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    const stranger = {
      key: keyOf("c2"),
      addresses: ["10.1.0.9/24"],
      mac: "02:00:00:00:00:02",
      names: ["db"],
    };
    const request = {
      bootId: "one",
      networks: [],
      attachments: [{ key: keyOf("c1"), addresses: ["10.1.0.2/24"] }, stranger],
      addresses: [{ address: "10.1.0.7", reason: "in use behind veth1" }],
    };
    const answer = await service().recover(request, caller);
    expect(answer).toEqual({ networks: [], bound: [stranger], quarantined: ["10.1.0.7"], problems: [] });
    expect(await service().listEvents({ kind: "store-recovered" })).toHaveLength(1);
    expect(await service().listEndpoints({ containerId: "c2" })).toMatchObject([{ names: ["db"] }]);
  });

  test("info counts leases by state", async () => {
    await makeWeb(service);
    for (const id of ["c1", "c2"]) await service().acquire({ key: keyOf(id) }, caller);
    await service().release({ key: keyOf("c2") }, caller);
    expect(await service().info()).toEqual({
      version: "1.2.3",
      logId: expect.stringMatching(/^[0-9a-f]{32}$/),
      recovering: false,
      epoch: 1,
      revision: expect.any(Number),
      networks: 1,
      leases: { bound: 2, cooling: 2, quarantined: 0, reserved: 0 },
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      store: "memory",
    });
  });
}

/** Collects events and lets a test wait for them. */
function collector() {
  const events: Event[] = [];
  let wake = (): void => {};
  return {
    events,
    take(event: Event): void {
      events.push(event);
      wake();
    },
    async until(condition: (events: readonly Event[]) => boolean): Promise<void> {
      while (!condition(events)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
