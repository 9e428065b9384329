import { ADMIN, brief, keyOf, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { acquire, release, usage, isoIn } = s;

describe("reservations and quarantine", () => {
  beforeEach(() => s.f.service.createNetwork(SMALL, ADMIN));
  const reserve = (address: string, more = {}) =>
    s.f.service.reserve({ networkName: "web", address, reason: "printer", ...more }, ADMIN);

  test("a reserved address goes to those who ask for it by address, or by its sticky name", async () => {
    expect(await reserve("10.1.0.2")).toMatchObject({
      address: "10.1.0.2",
      state: "reserved",
      reason: "printer",
    });
    await reserve("10.1.0.3", { stickyName: "db" });
    expect(await acquire("a", { stickyName: "db" })).toEqual(["10.1.0.3"]);
    expect(await acquire("b")).toEqual(["10.1.0.4"]);
    expect(await acquire("c", { requestedAddresses: ["10.1.0.2"] })).toEqual(["10.1.0.2"]);
    await release("a");
    s.f.clock.advance(60_000);
    expect(brief(await s.f.service.listLeases({ state: "reserved" }))).toEqual(["10.1.0.3 reserved"]);
    await expect(acquire("d", { requestedAddresses: ["10.1.0.3"] })).rejects.toMatchObject({
      code: "address-in-use",
      reason: "it is reserved for db: printer",
    });
  });

  test("a reserved address that its holder asked for is taken over after a reboot, asked for or not", async () => {
    await reserve("10.1.0.4");
    await acquire("a", { requestedAddresses: ["10.1.0.4"], bootId: "one" });
    expect(await acquire("a", { bootId: "two" })).toEqual(["10.1.0.4"]);
    expect(await acquire("b")).toEqual(["10.1.0.2"]);
    await release("a");
    // No reboot, so no take-over: it is reserved from others and from the last holder alike.
    s.f.clock.advance(60_000);
    expect(await acquire("a", { bootId: "three" })).toEqual(["10.1.0.3"]);
  });

  test("an address that was reserved without a name is not given to the sticky name that had it", async () => {
    await acquire("a", { stickyName: "db" });
    await release("a");
    await reserve("10.1.0.2");
    expect(await acquire("a", { stickyName: "db" })).toEqual(["10.1.0.3"]);
    await release("a");
    s.f.clock.advance(60_000);
    expect(await acquire("b", { stickyName: "db" })).toEqual(["10.1.0.3"]);
  });

  test("a sticky name gets what is reserved for it, else what it was granted last", async () => {
    await acquire("a", { stickyName: "db" });
    await acquire("b", { stickyName: "db" });
    await release("b");
    await release("a");
    expect(await acquire("c", { stickyName: "db" })).toEqual(["10.1.0.3"]);
    await release("c");
    await reserve("10.1.0.6", { stickyName: "db" });
    expect(await acquire("d", { stickyName: "db" })).toEqual(["10.1.0.6"]);
    await release("d");
    expect(await acquire("e", { stickyName: "db" })).toEqual(["10.1.0.6"]);
  });

  test("the same reservation again is a success, another one is refused", async () => {
    await reserve("10.1.0.2");
    await reserve("10.1.0.2");
    for (const other of [{ reason: "other" }, { stickyName: "db" }])
      await expect(reserve("10.1.0.2", other)).rejects.toMatchObject({ code: "address-in-use" });
    const within = { code: "invalid-config", hint: expect.stringContaining("inside the network's ranges") };
    await expect(reserve("10.1.0.1")).rejects.toMatchObject({
      ...within,
      reason: "it is never handed out anyway",
    });
    await expect(reserve("10.2.0.1")).rejects.toMatchObject({
      ...within,
      reason: "it is in none of the ranges",
    });
    await acquire("a");
    await s.f.service.quarantine({ address: "10.1.0.4", reason: "doubt" }, ADMIN);
    for (const taken of ["10.1.0.3", "10.1.0.4"])
      await expect(reserve(taken)).rejects.toMatchObject({ code: "address-in-use" });
  });

  test("ending a reservation makes the address free, and is repeatable", async () => {
    await reserve("10.1.0.2");
    await s.f.service.unreserve({ networkName: "web", address: "10.1.0.2" }, ADMIN);
    await s.f.service.unreserve({ networkName: "web", address: "10.1.0.2" }, ADMIN);
    expect(await s.f.service.listLeases({})).toEqual([]);
    expect(await usage()).toMatchObject({ free: "5", withheld: "1" });
    const order = [
      await acquire("a"),
      await acquire("b"),
      await acquire("c"),
      await acquire("d"),
      await acquire("e"),
    ];
    expect(order.flat()).toEqual(["10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6", "10.1.0.2"]);
  });

  test("since says when the reservation began to count, and the release while it still cools", async () => {
    await acquire("a");
    s.f.clock.advance(1_000);
    await release("a");
    const released = s.isoIn(0);
    s.f.clock.advance(1_000);
    expect(await reserve("10.1.0.2")).toMatchObject({ state: "cooling", since: released });
    await s.f.service.unreserve({ networkName: "web", address: "10.1.0.2" }, ADMIN);
    s.f.clock.advance(59_000);
    expect(await reserve("10.1.0.2")).toMatchObject({ state: "reserved", since: s.isoIn(0) });
    expect(await reserve("10.1.0.5")).toMatchObject({ state: "reserved", since: s.isoIn(0) });
  });

  test("a cooling address that is reserved is given to nobody unasked, however full the pool", async () => {
    for (const containerId of ["a", "b", "c", "d", "e"]) await acquire(containerId);
    await release("a");
    expect(await reserve("10.1.0.2")).toMatchObject({ state: "cooling" });
    await expect(acquire("f")).rejects.toMatchObject({ code: "pool-exhausted" });
    for (const containerId of ["b", "c", "d", "e"]) await release(containerId);
    s.f.clock.advance(60_000);
    expect(brief(await s.f.service.listLeases({}))).toEqual(["10.1.0.2 reserved"]);
    expect(await acquire("b", { requestedAddresses: ["10.1.0.2"] })).toEqual(["10.1.0.2"]);
  });

  test("a quarantined address is kept out, also from those who ask for it, until it is taken back", async () => {
    await s.f.service.quarantine({ address: "10.1.0.2", reason: "ARP conflict" }, ADMIN);
    expect(await acquire("a")).toEqual(["10.1.0.3"]);
    await expect(acquire("b", { requestedAddresses: ["10.1.0.2"] })).rejects.toMatchObject({
      code: "address-in-use",
      reason: "it is quarantined: ARP conflict",
    });
    await s.f.service.unquarantine({ address: "10.1.0.2" }, ADMIN);
    expect(await acquire("b", { requestedAddresses: ["10.1.0.2"] })).toEqual(["10.1.0.2"]);
  });

  test("a bound address stays with its holder, then stays out, and cools for the rest when taken back", async () => {
    await acquire("a");
    await s.f.service.quarantine({ address: "10.1.0.2", reason: "doubt" }, ADMIN);
    expect(await s.f.service.listLeases({})).toMatchObject([
      { address: "10.1.0.2", state: "bound", reason: "doubt" },
    ]);
    expect(await acquire("a")).toEqual(["10.1.0.2"]);
    await release("a");
    expect(brief(await s.f.service.listLeases({}))).toEqual(["10.1.0.2 quarantined"]);
    s.f.clock.advance(10_000);
    await s.f.service.unquarantine({ address: "10.1.0.2" }, ADMIN);
    expect(await s.f.service.listLeases({})).toMatchObject([{ state: "cooling", until: isoIn(50_000) }]);
  });

  test("a reservation of an address that cools says so when it is made again after that", async () => {
    await acquire("a");
    await release("a");
    expect(await reserve("10.1.0.2")).toMatchObject({ state: "cooling" });
    s.f.clock.advance(60_000);
    expect(await reserve("10.1.0.2")).toMatchObject({ state: "reserved" });
  });

  test("ending a reservation or a quarantine leaves a holder alone", async () => {
    await reserve("10.1.0.4");
    await acquire("a", { requestedAddresses: ["10.1.0.4"] });
    await s.f.service.quarantine({ address: "10.1.0.4", reason: "doubt" }, ADMIN);
    await s.f.service.unreserve({ networkName: "web", address: "10.1.0.4" }, ADMIN);
    await s.f.service.unquarantine({ address: "10.1.0.4" }, ADMIN);
    const held = { address: "10.1.0.4", state: "bound", containerId: "a", reason: "" };
    expect(await s.f.service.listLeases({})).toMatchObject([held]);
    await release("a");
    expect(brief(await s.f.service.listLeases({}))).toEqual(["10.1.0.4 cooling"]);
  });

  test("each change is told once, with its reason, and what changes nothing is not told", async () => {
    const since = (await s.f.service.info()).revision;
    const twice = async (change: () => Promise<unknown>) => {
      await change();
      await change();
    };
    const [networkName, address] = ["web", "10.1.0.4"];
    await s.f.service.unreserve({ networkName, address }, ADMIN);
    await s.f.service.unquarantine({ address }, ADMIN);
    await twice(() => reserve(address));
    await s.f.service.unquarantine({ address }, ADMIN);
    await twice(() => s.f.service.unreserve({ networkName, address }, ADMIN));
    await twice(() => s.f.service.quarantine({ address, reason: "doubt" }, ADMIN));
    await s.f.service.quarantine({ address, reason: "proof" }, ADMIN);
    await twice(() => s.f.service.unquarantine({ address }, ADMIN));
    const told = await s.f.service.listEvents({ since });
    expect(told.map((event) => `${event.kind} ${event.address} ${event.reason}`)).toEqual([
      "address-reserved 10.1.0.4 printer",
      "address-unreserved 10.1.0.4 printer",
      "lease-quarantined 10.1.0.4 doubt",
      "lease-quarantined 10.1.0.4 proof",
      "lease-unquarantined 10.1.0.4 proof",
    ]);
  });

  test("of a range set over two subnets, an address of either can be quarantined", async () => {
    const rangeSets = [[{ subnet: "10.7.0.0/24" }, { subnet: "10.8.0.0/24" }]];
    await acquire("a", { key: keyOf("a", "lan"), declaration: { rangeSets } });
    for (const address of ["10.7.0.9", "10.8.0.9"])
      await s.f.service.quarantine({ address, reason: "doubt" }, ADMIN);
    expect(brief(await s.f.service.listLeases({ state: "quarantined" }))).toEqual([
      "10.7.0.9 quarantined",
      "10.8.0.9 quarantined",
    ]);
  });

  test("of two networks of a subnet, the one whose container has the address keeps it out of use", async () => {
    const lan = (networkName: string, containerId: string, ...[from, to]: [number, number]) => {
      const bounds = { rangeStart: `10.93.0.${from}`, rangeEnd: `10.93.0.${to}` };
      const declaration = { rangeSets: [[{ subnet: "10.93.0.0/24", ...bounds }]] };
      return acquire("", { key: keyOf(containerId, networkName), declaration });
    };
    await lan("lan1", "a", 10, 19);
    expect(await lan("lan2", "b", 20, 29)).toEqual(["10.93.0.20"]);
    await lan("lan2", "c", 25, 29);
    await s.f.service.quarantine({ address: "10.93.0.20", reason: "doubt" }, ADMIN);
    expect(await s.f.service.listLeases({ address: "10.93.0.20" })).toMatchObject([
      { networkName: "lan2", state: "bound", containerId: "b", reason: "doubt" },
    ]);
  });

  test("what no network has cannot be quarantined, nor what is never handed out", async () => {
    const put = (address: string) => s.f.service.quarantine({ address, reason: "" }, ADMIN);
    await expect(put("192.0.2.1")).rejects.toMatchObject({ code: "not-found" });
    await expect(put("10.1.0.1")).rejects.toMatchObject({
      code: "invalid-config",
      reason: expect.stringContaining("never handed out"),
    });
    await expect(
      s.f.service.quarantine({ address: "10.1.0.2", addressSpace: "lab", reason: "" }, ADMIN),
    ).rejects.toMatchObject({
      code: "not-found",
    });
  });
});
