/** Networks of conflists that have one subnet, each its own ranges of it. */
import type { AcquireRequest, NetworkDeclaration, RangeDeclaration } from "../../lib/ipam/api.ts";
import { ADMIN, keyOf, NODE1, newFixture, plain, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

const SUBNET = "10.93.0.0/24";
const range = (from: number, to: number, more: Partial<RangeDeclaration> = {}): NetworkDeclaration => ({
  rangeSets: [[{ subnet: SUBNET, rangeStart: `10.93.0.${from}`, rangeEnd: `10.93.0.${to}`, ...more }]],
});
const LOW = range(10, 13);
const HIGH = range(20, 23);

const add = async (containerId: string, networkName: string, request: Omit<AcquireRequest, "key">) =>
  plain(await s.f.service.acquire({ key: keyOf(containerId, networkName), ...request }, NODE1));
const release = (containerId: string, networkName: string) =>
  s.f.service.release({ key: keyOf(containerId, networkName) }, NODE1);
const leases = async () =>
  (await s.f.service.listLeases({})).map(
    ({ address, networkName, state }) => `${address} ${networkName} ${state}`,
  );
const findings = async () => (await s.f.service.checkConsistency()).findings;

describe("two networks with one subnet", () => {
  beforeEach(async () => {
    expect(await add("a", "lan1", { declaration: LOW })).toEqual(["10.93.0.10"]);
    expect(await add("b", "lan2", { declaration: HIGH })).toEqual(["10.93.0.20"]);
  });
  afterEach(async () => expect(await findings()).toEqual([]));

  test("hand out their own ranges, and no more, over a restart too", async () => {
    s.f = await s.f.reopen();
    for (const containerId of ["c", "d", "e"]) await add(containerId, "lan1", { declaration: LOW });
    expect(await add("f", "lan2", { declaration: HIGH })).toEqual(["10.93.0.21"]);
    await expect(add("g", "lan1", { declaration: LOW })).rejects.toMatchObject({ code: "pool-exhausted" });
    const asked = { requestedAddresses: ["10.93.0.22"] };
    await expect(add("h", "lan1", { declaration: LOW, ...asked })).rejects.toMatchObject({
      code: "invalid-config",
    });
    expect(await add("i", "lan2", { declaration: HIGH, ...asked })).toEqual(["10.93.0.22"]);
  });

  test("one that goes leaves the other whole", async () => {
    await release("a", "lan1");
    await s.f.service.removeNetwork({ name: "lan1" }, ADMIN);
    expect(await leases()).toEqual(["10.93.0.20 lan2 bound"]);
    expect(await add("c", "lan2", { declaration: HIGH })).toEqual(["10.93.0.21"]);
    expect(await add("d", "lan3", { declaration: range(10, 19) })).toEqual(["10.93.0.10"]);
  });

  test("leave no room for a network of the service, nor for a block of the default pools", async () => {
    const wanted = { name: "web", subnets: [{ subnet: SUBNET, ipRange: "10.93.0.64/26" }] };
    await expect(s.f.service.createNetwork(wanted, ADMIN)).rejects.toMatchObject({
      code: "subnet-overlap",
      reason: "network lan1 has 10.93.0.0/24 in address space default already",
    });
    const defaults = { coolingSeconds: 60, defaultPools: [{ base: "10.93.0.0/23", size: 24 }] };
    s.f = await newFixture({ disk: s.f.disk, clock: s.f.clock, defaults });
    const { pools } = await s.f.service.createNetwork({ name: "auto" }, ADMIN);
    expect(pools[0]?.subnets[0]?.subnet).toBe("10.93.1.0/24");
  });

  test("what is put into quarantine belongs to the network whose range it is in; what is in none is nobody's to give", async () => {
    for (const address of ["10.93.0.21", "10.93.0.12", "10.93.0.99"])
      await s.f.service.quarantine({ address, reason: "seen" }, ADMIN);
    expect(await leases()).toEqual([
      "10.93.0.10 lan1 bound",
      "10.93.0.12 lan1 quarantined",
      "10.93.0.99 lan1 quarantined",
      "10.93.0.20 lan2 bound",
      "10.93.0.21 lan2 quarantined",
    ]);
    const asked = { requestedAddresses: ["10.93.0.99"] };
    for (const name of ["lan1", "lan2"])
      await expect(
        add("x", name, { declaration: name === "lan1" ? LOW : HIGH, ...asked }),
      ).rejects.toMatchObject({
        code: "invalid-config",
      });
    expect(await add("c", "lan2", { declaration: HIGH })).toEqual(["10.93.0.22"]);
    await s.f.service.unquarantine({ address: "10.93.0.21" }, ADMIN);
    expect(await add("d", "lan2", { declaration: HIGH, requestedAddresses: ["10.93.0.21"] })).toEqual([
      "10.93.0.21",
    ]);
  });

  test("of a survey each takes what is in its ranges", async () => {
    const found = ["10.93.0.12", "10.93.0.30", "10.93.0.40"].map((address) => ({ address, seen: "bridge" }));
    expect(await add("c", "lan3", { declaration: range(30, 33), survey: { found } })).toEqual(["10.93.0.31"]);
    expect(await leases()).toContain("10.93.0.30 lan3 quarantined");
    expect((await leases()).filter((text) => /\.12 |\.40 /.test(text))).toEqual([]);
  });

  test("what an earlier range left behind moves to the network that has it now, as it was", async () => {
    await s.f.service.quarantine({ address: "10.93.0.11", reason: "seen" }, ADMIN);
    await s.f.service.reserve({ networkName: "lan1", address: "10.93.0.12", stickyName: "db" }, ADMIN);
    await add("c", "lan1", { declaration: LOW, requestedAddresses: ["10.93.0.13"] });
    await release("c", "lan1");
    await add("a", "lan1", { declaration: range(10, 10) });
    const since = (await s.f.service.info()).revision;
    expect(await add("d", "lan3", { declaration: range(11, 13) })).toEqual(["10.93.0.13"]);
    const told = await s.f.service.listEvents({ since });
    const freed = "it is in a range of network lan3 now";
    expect(
      told.map(({ kind, networkName, address, reason }) => [kind, networkName, address, reason]),
    ).toEqual([
      ["network-created", "lan3", "", ""],
      ["lease-freed", "lan1", "10.93.0.11", freed],
      ["lease-quarantined", "lan3", "10.93.0.11", "seen"],
      ["lease-freed", "lan1", "10.93.0.12", freed],
      ["address-reserved", "lan3", "10.93.0.12", ""],
      ["lease-freed", "lan1", "10.93.0.13", freed],
      ["lease-released", "lan3", "10.93.0.13", "taken over from network lan1"],
      ["lease-bound", "lan3", "10.93.0.13", ""],
    ]);
    expect(await leases()).toEqual([
      "10.93.0.10 lan1 bound",
      "10.93.0.20 lan2 bound",
      "10.93.0.11 lan3 quarantined",
      "10.93.0.12 lan3 reserved",
      "10.93.0.13 lan3 bound",
    ]);
    expect(await add("e", "lan3", { declaration: range(11, 13), stickyName: "db" })).toEqual(["10.93.0.12"]);
  });

  test("what cooled is free where it comes to, and what cools goes on, also where it is set aside", async () => {
    for (const containerId of ["c", "d"]) await add(containerId, "lan1", { declaration: LOW });
    await release("c", "lan1");
    s.f.clock.advance(60_000);
    await release("d", "lan1");
    await s.f.service.reserve({ networkName: "lan1", address: "10.93.0.12" }, ADMIN);
    await add("a", "lan1", { declaration: range(10, 10) });
    const since = (await s.f.service.info()).revision;
    expect(await add("e", "lan3", { declaration: range(11, 13) })).toEqual(["10.93.0.11"]);
    const told = await s.f.service.listEvents({ since });
    expect(told.map(({ kind, networkName, address }) => `${kind} ${networkName} ${address}`)).toEqual([
      "network-created lan3 ",
      "lease-freed lan1 10.93.0.11",
      "lease-freed lan1 10.93.0.12",
      "lease-released lan3 10.93.0.12",
      "lease-bound lan3 10.93.0.11",
    ]);
    expect(await leases()).toContain("10.93.0.12 lan3 cooling");
    s.f.clock.advance(60_000);
    expect(await leases()).toContain("10.93.0.12 lan3 reserved");
  });

  test("of two parts that a network has of the subnet, what is left behind moves to either", async () => {
    await s.f.service.quarantine({ address: "10.93.0.12", reason: "seen" }, ADMIN);
    await add("a", "lan1", { declaration: range(10, 10) });
    const parts = { rangeSets: [...range(11, 12).rangeSets, ...range(30, 33).rangeSets] };
    expect(await add("c", "lan3", { declaration: parts })).toEqual(["10.93.0.11", "10.93.0.30"]);
    expect(await leases()).toContain("10.93.0.12 lan3 quarantined");
  });

  test("an address that is held is not taken away by another network's range", async () => {
    await add("a", "lan1", { declaration: range(12, 19) });
    await expect(add("c", "lan3", { declaration: range(5, 10) })).rejects.toMatchObject({
      code: "subnet-overlap",
      message: expect.stringContaining("container a of network lan1 holds 10.93.0.10 of the range"),
      details: { networkName: "lan3", otherNetwork: "lan1", address: "10.93.0.10" },
    });
    await release("a", "lan1");
    expect(await add("c", "lan3", { declaration: range(5, 10) })).toEqual(["10.93.0.5"]);
  });
});

describe("what cannot share a subnet", () => {
  const refusal = (declaration: NetworkDeclaration) =>
    add("x", "lan2", { declaration }).then(
      (given) => `granted ${given}`,
      (error: Error) => error.message,
    );

  beforeEach(
    async () =>
      void (await add("a", "lan1", { declaration: range(10, 19, { exclude: ["10.93.0.50-10.93.0.59"] }) })),
  );
  afterEach(async () => expect(await findings()).toEqual([]));

  test.each([
    ["ranges that overlap", range(19, 29), "its range 10.93.0.10-10.93.0.19 overlaps 10.93.0.19-10.93.0.29"],
    [
      "another gateway",
      range(20, 29, { gateway: "10.93.0.254" }),
      "with gateway 10.93.0.1, and this one has 10.93.0.254",
    ],
    ["what the other excludes", range(45, 55), "network lan1 never hands out 10.93.0.50-10.93.0.59"],
    [
      "what it excludes, and the other hands out",
      range(20, 29, { exclude: ["10.93.0.12"] }),
      "network lan2 never hands out 10.93.0.12, which is in a range of network lan1",
    ],
    ["a wider subnet", { rangeSets: [[{ subnet: "10.93.0.0/23" }]] }, "network lan1 has 10.93.0.0/24"],
    ["a narrower subnet", { rangeSets: [[{ subnet: "10.93.0.128/25" }]] }, "network lan1 has 10.93.0.0/24"],
  ])("%s", async (_, declaration, message) => {
    const said = await refusal(declaration);
    expect(said).toContain(message);
    expect(said).toContain("lan1");
  });

  test.each([
    [range(19, 29), { range: "10.93.0.19-10.93.0.29", otherRange: "10.93.0.10-10.93.0.19" }],
    [range(20, 29, { gateway: "10.93.0.254" }), { gateway: "10.93.0.254", otherGateway: "10.93.0.1" }],
    [range(45, 55), { address: "10.93.0.50-10.93.0.59" }],
    [{ rangeSets: [[{ subnet: "10.93.0.0/23" }]] }, { subnet: "10.93.0.0/23" }],
  ])("programs are told which network it is, and what of it: %#", async (declaration, facts) => {
    const [networks, subnets] = [
      { networkName: "lan2", otherNetwork: "lan1" },
      { subnet: SUBNET, otherSubnet: SUBNET },
    ];
    await expect(add("x", "lan2", { declaration })).rejects.toMatchObject({
      code: "subnet-overlap",
      details: { rule: "subnet-overlap", addressSpace: "default", ...networks, ...subnets, ...facts },
    });
  });

  test("a network of the service, whose subnet is its own", async () => {
    await s.f.service.createNetwork(
      { name: "web", subnets: [{ subnet: "10.94.0.0/24", ipRange: "10.94.0.64/26" }] },
      ADMIN,
    );
    const wanted = [{ subnet: "10.94.0.0/24", rangeStart: "10.94.0.20", rangeEnd: "10.94.0.29" }];
    expect(await refusal({ rangeSets: [wanted] })).toContain("network web has 10.94.0.0/24");
  });

  test("ranges that grow into the other's", async () => {
    expect(await refusal(range(20, 29))).toBe("granted 10.93.0.20");
    await expect(add("b", "lan1", { declaration: range(10, 20) })).rejects.toMatchObject({
      code: "subnet-overlap",
    });
    expect(await add("b", "lan1", { declaration: range(10, 18, { exclude: [] }) })).toEqual(["10.93.0.11"]);
  });
});
