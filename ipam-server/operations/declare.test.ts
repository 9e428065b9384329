import type { NetworkDeclaration } from "../../lib/ipam/api.ts";
import { ADMIN, keyOf, NODE1, NODE2, plain, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { release, usage } = s;

describe("declared networks", () => {
  const declare = (
    containerId: string,
    declaration: NetworkDeclaration,
    { networkName = "web", caller = NODE1 } = {},
  ) => s.f.service.acquire({ key: keyOf(containerId, networkName), declaration }, caller).then(plain);
  const one = (subnet: string, more = {}): NetworkDeclaration => ({ rangeSets: [[{ subnet, ...more }]] });

  test("are made by the first acquire, and not again by the next", async () => {
    expect(await declare("a", one("10.1.0.0/24"))).toEqual(["10.1.0.2"]);
    expect(await declare("b", one("10.1.0.0/24"))).toEqual(["10.1.0.3"]);
    expect(await s.f.service.getNetwork({ name: "web" })).toMatchObject({
      origin: "conflist",
      internal: false,
      attachable: false,
      attachments: 2,
      coolingSeconds: 60,
    });
    const kinds = (await s.f.service.listEvents({})).map(({ kind }) => kind);
    expect(kinds).toEqual(["server-started", "network-created", "lease-bound", "lease-bound"]);
  });

  test("a refused acquire leaves no network behind", async () => {
    const wish = { key: keyOf("a"), declaration: one("10.1.0.0/24"), requestedAddresses: ["10.9.0.1"] };
    await expect(s.f.service.acquire(wish, NODE1)).rejects.toMatchObject({ code: "invalid-config" });
    expect(await s.f.service.listNetworks()).toEqual([]);
    expect(await declare("a", one("10.1.0.0/24"))).toEqual(["10.1.0.2"]);
  });

  test("get range sets that are new, and each node draws from those that it declares", async () => {
    expect(await declare("a", one("10.1.0.0/24"))).toEqual(["10.1.0.2"]);
    expect(await declare("b", one("10.2.0.0/24"), { caller: NODE2 })).toEqual(["10.2.0.2"]);
    const both: NetworkDeclaration = { rangeSets: [[{ subnet: "10.2.0.0/24" }], [{ subnet: "fd00::/64" }]] };
    expect(await declare("c", both)).toEqual(["10.2.0.3", "fd00::2"]);
    expect((await s.f.service.getNetwork({ name: "web" })).pools).toHaveLength(3);
    expect(await declare("d", one("10.1.0.0/24"))).toEqual(["10.1.0.3"]);
  });

  test("an address may be requested of the range sets that are declared, not of the network's others", async () => {
    await declare("a", one("10.1.0.0/24"));
    await declare("b", one("10.2.0.0/24"), { caller: NODE2 });
    const wish = { declaration: one("10.2.0.0/24"), requestedAddresses: ["10.1.0.9"] };
    await expect(s.f.service.acquire({ key: keyOf("c"), ...wish }, NODE2)).rejects.toMatchObject({
      code: "invalid-config",
      reason: "it is in none of the ranges",
    });
  });

  test("parts of one subnet, declared by several nodes, are pools beside each other", async () => {
    const low = one("10.1.0.0/24", { rangeStart: "10.1.0.10", rangeEnd: "10.1.0.19" });
    const high = one("10.1.0.0/24", { rangeStart: "10.1.0.20", rangeEnd: "10.1.0.29" });
    expect(await declare("a", low)).toEqual(["10.1.0.10"]);
    expect(await declare("b", high, { caller: NODE2 })).toEqual(["10.1.0.20"]);
    expect(await declare("c", low)).toEqual(["10.1.0.11"]);
    const pools = (await s.f.service.getNetwork({ name: "web" })).pools.map(
      ({ subnets }) => subnets[0]?.ranges,
    );
    expect(pools).toEqual([["10.1.0.10-10.1.0.19"], ["10.1.0.20-10.1.0.29"]]);
  });

  test("a corrected subnet takes the place of the one that holds nothing, cooling or not", async () => {
    await declare("a", one("172.16.0.0/12"));
    await release("a");
    expect(await declare("b", one("10.5.0.0/24"))).toEqual(["10.5.0.2"]);
    const { pools } = await s.f.service.getNetwork({ name: "web" });
    expect(pools.map(({ subnets }) => subnets[0]?.subnet)).toEqual(["10.5.0.0/24"]);
    await s.f.service.createNetwork({ name: "mine", subnets: [{ subnet: "172.20.0.0/24" }] }, ADMIN);
  });

  test("but not while anything is held there, or kept out of use", async () => {
    await declare("a", one("10.1.0.0/24"));
    expect(await declare("b", one("10.2.0.0/24"))).toEqual(["10.2.0.2"]);
    await release("a");
    await s.f.service.quarantine({ address: "10.1.0.9", reason: "printer" }, ADMIN);
    expect(await declare("c", one("10.3.0.0/24"))).toEqual(["10.3.0.2"]);
    expect((await s.f.service.getNetwork({ name: "web" })).pools).toHaveLength(3);
  });

  test("a network that holds nothing gives its subnet to another, one that holds something does not", async () => {
    await declare("a", one("10.1.0.0/24"));
    const taken = { code: "subnet-overlap" };
    await expect(declare("b", one("10.1.0.0/24"), { networkName: "renamed" })).rejects.toMatchObject(taken);
    await release("a");
    expect(await declare("b", one("10.1.0.0/24"), { networkName: "renamed" })).toEqual(["10.1.0.2"]);
    expect((await s.f.service.listNetworks()).map(({ name }) => name)).toEqual(["renamed"]);
    await expect(declare("a", one("10.1.0.0/24"))).rejects.toMatchObject(taken);
  });

  test("an address that is set aside while it cools holds its network and its pool", async () => {
    await declare("a", one("10.1.0.0/24"));
    await release("a");
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.2" }, ADMIN);
    await expect(declare("b", one("10.1.0.0/24"), { networkName: "renamed" })).rejects.toMatchObject({
      code: "subnet-overlap",
    });
    await declare("b", one("10.2.0.0/24"));
    expect((await s.f.service.getNetwork({ name: "web" })).pools).toHaveLength(2);
  });

  test("an undone acquire undoes its declaration, a release and the undo of a later one do not", async () => {
    const acquire = async (containerId: string) => {
      const request = { key: keyOf(containerId), declaration: one("10.1.0.0/24") };
      return (await s.f.service.acquire(request, NODE1)).addresses.map(({ sequence }) => sequence);
    };
    const undo = (containerId: string, sequences: number[]) =>
      s.f.service.release({ key: keyOf(containerId), sequences }, NODE1);
    await undo("a", await acquire("a"));
    expect(await s.f.service.listNetworks()).toEqual([]);
    await acquire("b");
    await undo("c", await acquire("c"));
    await release("b");
    expect(await s.f.service.listNetworks()).toHaveLength(1);
  });

  test("an undone acquire leaves its declaration where what it was granted is in quarantine", async () => {
    const request = { key: keyOf("a"), declaration: one("10.1.0.0/24") };
    const { addresses } = await s.f.service.acquire(request, NODE1);
    await s.f.service.quarantine({ address: "10.1.0.2", reason: "answered a probe" }, ADMIN);
    const sequences = addresses.map(({ sequence }) => sequence);
    await s.f.service.release({ key: keyOf("a"), sequences }, NODE1);
    expect(await s.f.service.listNetworks()).toHaveLength(1);
    expect(await declare("a", one("10.1.0.0/24"))).toEqual(["10.1.0.3"]);
  });

  test("also where only one of the addresses that it was granted is", async () => {
    const declaration = { rangeSets: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.2.0.0/24" }]] };
    const { addresses } = await s.f.service.acquire({ key: keyOf("a"), declaration }, NODE1);
    await s.f.service.quarantine({ address: "10.2.0.2", reason: "seen" }, ADMIN);
    const sequences = addresses.map(({ sequence }) => sequence);
    await s.f.service.release({ key: keyOf("a"), sequences }, NODE1);
    expect(await s.f.service.listLeases({ state: "quarantined" })).toHaveLength(1);
  });

  test("two range sets that overlap are refused, in a new network and beside pools that are there", async () => {
    const sets = (...subnets: string[]) => ({ rangeSets: subnets.map((subnet) => [{ subnet }]) });
    const twice = sets("10.2.0.0/24", "10.2.0.0/25");
    await expect(declare("a", twice)).rejects.toMatchObject({ code: "invalid-config" });
    await declare("b", one("10.1.0.0/24"));
    await expect(declare("c", twice)).rejects.toMatchObject({ code: "invalid-config" });
    const parts = [
      [{ subnet: "10.2.0.0/24", rangeEnd: "10.2.0.99" }],
      [{ subnet: "10.2.0.0/24", rangeStart: "10.2.0.100" }],
    ];
    expect(await declare("d", { rangeSets: parts })).toEqual(["10.2.0.2", "10.2.0.100"]);
  });

  test("two subnets of one set that share a gateway stay two", async () => {
    const gateway = "10.1.0.1";
    const set = ["10.1.0.0/30", "10.2.0.0/30"].map((subnet) => ({ subnet, gateway }));
    const subnetOf = async (containerId: string) => {
      const request = { key: keyOf(containerId), declaration: { rangeSets: [set] } };
      return (await s.f.service.acquire(request, NODE1)).addresses.map(({ address }) => address);
    };
    expect([await subnetOf("a"), await subnetOf("b")]).toEqual([["10.1.0.2/30"], ["10.2.0.1/30"]]);
  });

  test("a set of several subnets is the one that it was, when one of them is another", async () => {
    const set = (...subnets: string[]) => ({ rangeSets: [subnets.map((subnet) => ({ subnet }))] });
    await declare("a", set("10.1.0.0/29", "10.2.0.0/29"));
    await declare("a", set("10.1.0.0/29", "10.3.0.0/29"));
    const { pools } = await s.f.service.getNetwork({ name: "web" });
    expect(pools.map(({ subnets }) => subnets.map(({ subnet }) => subnet))).toEqual([
      ["10.1.0.0/29", "10.3.0.0/29"],
    ]);
  });

  test("exclude keeps addresses out, and may be changed", async () => {
    const exclude = ["10.1.0.0/30", "10.1.0.5-10.1.0.7"];
    expect(await declare("a", one("10.1.0.0/24", { exclude }))).toEqual(["10.1.0.4"]);
    expect(await declare("b", one("10.1.0.0/24", { exclude }))).toEqual(["10.1.0.8"]);
    expect(await declare("c", one("10.1.0.0/24", { exclude: ["10.1.0.2"] }))).toEqual(["10.1.0.3"]);
    const outside = one("10.1.0.0/24", { exclude: ["10.2.0.0/30"] });
    await expect(declare("d", outside)).rejects.toMatchObject({ code: "invalid-config" });
  });

  test("changed bounds replace the old ones; leases outside stay until they are released", async () => {
    await declare("a", one("10.1.0.0/24"));
    const late = { rangeStart: "10.1.0.100" };
    expect(await declare("b", one("10.1.0.0/24", late))).toEqual(["10.1.0.100"]);
    expect(await declare("a", one("10.1.0.0/24", late))).toEqual(["10.1.0.2"]);
    expect(await usage()).toMatchObject({ size: "155", bound: 1 });
    const { findings } = await s.f.service.checkConsistency();
    expect(findings).toMatchObject([{ severity: "warning", object: "lease 10.1.0.2" }]);
    expect(await release("a")).toEqual(["10.1.0.2"]);
    s.f.clock.advance(60_000);
    expect(await declare("c", one("10.1.0.0/24"))).toEqual(["10.1.0.3"]);
  });

  test("a subnet is not taken away from under a lease", async () => {
    await declare("a", one("10.1.0.0/23", { rangeStart: "10.1.1.5" }));
    await expect(declare("b", one("10.1.0.0/24"))).resolves.toEqual(["10.1.0.2"]);
    const narrower = one("10.1.1.128/25");
    await expect(declare("c", narrower)).rejects.toMatchObject({
      code: "in-use",
      details: { address: "10.1.1.5" },
    });
    await release("a");
    s.f.clock.advance(60_000);
    expect(await declare("c", narrower)).toEqual(["10.1.1.130"]);
  });

  test("a subnet that grows keeps all that is held, rests and is set aside; its former edges are kept back", async () => {
    await declare("a", one("10.1.0.0/24"));
    await declare("b", one("10.1.0.0/24"));
    await release("b");
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.9" }, ADMIN);
    await s.f.service.quarantine({ address: "10.1.0.10", reason: "seen" }, ADMIN);
    const grown = one("10.1.0.0/23");
    expect(await declare("a", grown)).toEqual(["10.1.0.2"]);
    const states = (await s.f.service.listLeases({})).map(({ address, state }) => `${address} ${state}`);
    expect(states).toEqual([
      "10.1.0.2 bound",
      "10.1.0.3 cooling",
      "10.1.0.9 reserved",
      "10.1.0.10 quarantined",
      "10.1.0.255 quarantined",
    ]);
    expect((await s.f.service.getNetwork({ name: "web" })).pools).toHaveLength(1);
    await s.f.service.unquarantine({ address: "10.1.0.255" }, ADMIN);
    expect(await declare("c", grown)).toEqual(["10.1.0.4"]);
    expect(await declare("c", one("10.1.0.0/22"))).toEqual(["10.1.0.4"]);
    const kept = (await s.f.service.listLeases({ state: "quarantined" })).map(({ address }) => address);
    expect(kept).toEqual(["10.1.0.10", "10.1.1.255"]);
  });

  test("where nobody is attached who knows the former edges of a subnet that grows, they are like any other address", async () => {
    await declare("a", one("10.1.0.0/29"));
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.3" }, ADMIN);
    await release("a");
    await declare("b", one("10.1.0.0/28"));
    expect(await s.f.service.listLeases({ state: "quarantined" })).toEqual([]);
    expect((await s.f.service.getNetwork({ name: "web" })).pools).toHaveLength(1);
  });

  test("a gateway is not put on an address that a container has", async () => {
    await declare("a", one("10.1.0.0/24"));
    await expect(declare("b", one("10.1.0.0/24", { gateway: "10.1.0.2" }))).rejects.toMatchObject({
      code: "in-use",
    });
  });

  test("overlap with another network is refused, naming it and what to do", async () => {
    await declare("a", one("10.1.0.0/24"));
    await expect(declare("a", one("10.1.0.0/16"), { networkName: "other" })).rejects.toMatchObject({
      code: "subnet-overlap",
      message: expect.stringMatching(/network web has 10\.1\.0\.0\/24 .*remove network web/),
    });
    const elsewhere = { ...one("10.1.0.0/16"), addressSpace: "lab" };
    expect(await declare("a", elsewhere, { networkName: "other" })).toEqual(["10.1.0.2"]);
  });

  test("a network made through the API is not changed by a conflist", async () => {
    await s.f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/24" }] }, ADMIN);
    expect(await declare("a", one("10.1.0.0/24"))).toEqual(["10.1.0.2"]);
    for (const declaration of [one("10.2.0.0/24"), one("10.1.0.0/24", { rangeStart: "10.1.0.9" })]) {
      await expect(declare("b", declaration)).rejects.toMatchObject({ code: "invalid-config" });
    }
  });

  test("a declaration in another address space, an empty one and an overlapping one are refused", async () => {
    await declare("a", one("10.1.0.0/24"));
    const bad: NetworkDeclaration[] = [
      { ...one("10.1.0.0/24"), addressSpace: "lab" },
      { rangeSets: [] },
      { rangeSets: [[]] },
      { rangeSets: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.1.0.0/24", rangeStart: "10.1.0.9" }]] },
      { ...one("10.1.0.0/24"), coolingSeconds: 1.5 },
    ];
    const fields = ["addressSpace", "number of ranges", "rangeSets[0]", "rangeSets[1][0]", "coolingSeconds"];
    for (const [index, declaration] of bad.entries()) {
      const refusal = { code: "invalid-config", details: { field: fields[index] } };
      await expect(declare("b", declaration)).rejects.toMatchObject(refusal);
    }
  });

  test("a range set that belongs to no single pool is named", async () => {
    const part = (rangeStart: string, rangeEnd: string) => [{ subnet: "10.1.0.0/24", rangeStart, rangeEnd }];
    const [low, high] = [part("10.1.0.10", "10.1.0.19"), part("10.1.0.20", "10.1.0.29")];
    await declare("a", { rangeSets: [low, high] });
    const across = [[{ subnet: "10.2.0.0/24" }], part("10.1.0.15", "10.1.0.25")];
    await expect(declare("b", { rangeSets: across })).rejects.toMatchObject({
      message: expect.stringContaining("of network web it overlaps several of its pools: 10.1.0.0/24"),
      details: { field: "rangeSets[1]" },
    });
    const halves = [part("10.1.0.10", "10.1.0.14"), part("10.1.0.15", "10.1.0.19")];
    await expect(declare("b", { rangeSets: halves })).rejects.toMatchObject({
      message: expect.stringContaining("the pool that a range set before it overlaps"),
      details: { field: "rangeSets[1]" },
    });
  });

  test("a status with a declaration tells what an acquire would find, and makes nothing", async () => {
    const declaration = one("10.1.0.0/29");
    const status = (networkName: string) => s.f.service.networkStatus({ networkName, declaration }, NODE1);
    expect(await status("web")).toMatchObject({ ready: true, reason: "", pools: [{ size: "6", free: "5" }] });
    expect(await s.f.service.listNetworks()).toEqual([]);
    await declare("a", declaration);
    expect(await status("other")).toMatchObject({
      ready: false,
      reason: expect.stringContaining("network web"),
      pools: [],
    });
    for (const containerId of ["b", "c", "d", "e"]) await declare(containerId, declaration);
    expect(await status("web")).toMatchObject({ ready: false, reason: expect.stringContaining("5 bound") });
    expect(await s.f.service.networkStatus({ networkName: "nowhere" }, NODE1)).toMatchObject({
      ready: false,
      pools: [],
    });
  });
});
