import { ADMIN, newFixture, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";
import { standardPools } from "./standard-pools.ts";

const s = useService();
const { acquire, release } = s;

describe("networks", () => {
  test("without a subnet get the lowest free block of the default pools", async () => {
    const subnets = async (name: string, more = {}) =>
      (await s.f.service.createNetwork({ name, ...more }, ADMIN)).pools.flatMap(({ subnets }) =>
        subnets.map(({ subnet, fromDefaultPool }) => `${subnet} ${fromDefaultPool}`),
      );
    expect(await subnets("a")).toEqual(["10.192.0.0/24 true"]);
    expect(await subnets("b", { subnets: [{ subnet: "10.192.0.0/20" }], addressSpace: "lab" })).toHaveLength(
      1,
    );
    expect(await subnets("c", { subnets: [{ subnet: "10.192.1.128/25" }] })).toEqual([
      "10.192.1.128/25 false",
    ]);
    expect(await subnets("d", { ipv6: true })).toEqual(["10.192.2.0/24 true", "fd00:f1::/64 true"]);
    expect(await subnets("e", { addressSpace: "lab" })).toEqual(["10.192.16.0/24 true"]);
    await s.f.service.removeNetwork({ name: "a" }, ADMIN);
    s.f.clock.advance(60_000);
    expect(await subnets("f")).toEqual(["10.192.0.0/24 true"]);
    const own = [{ subnet: "10.1.0.0/24" }];
    expect(await subnets("g", { ipv6: true, subnets: own })).toEqual([
      "10.1.0.0/24 false",
      "fd00:f1:0:1::/64 true",
    ]);
    const six = [{ subnet: "fd00:9::/64" }];
    expect(await subnets("h", { subnets: six })).toEqual(["fd00:9::/64 false"]);
    await s.f.service.removeNetwork({ name: "h" }, ADMIN);
    expect(await subnets("i", { ipv4: true, subnets: six })).toEqual([
      "10.192.3.0/24 true",
      "fd00:9::/64 false",
    ]);
    expect(await subnets("k", { ipv4: false, ipv6: true })).toEqual(["fd00:f1:0:2::/64 true"]);
    expect(await subnets("j", { ipv4: true, subnets: [{ subnet: "10.2.0.0/24" }] })).toEqual([
      "10.2.0.0/24 false",
    ]);
  });

  test("are internal and attachable where that is said, and nowhere else", async () => {
    expect(await s.f.service.createNetwork({ name: "a" }, ADMIN)).toMatchObject({
      internal: false,
      attachable: false,
    });
    const both = { internal: true, attachable: true };
    expect(await s.f.service.createNetwork({ name: "b", ...both }, ADMIN)).toMatchObject(both);
  });

  test("get no block that the host has other uses for", async () => {
    const made = async (name: string, avoid: string[]) =>
      (await s.f.service.createNetwork({ name, avoid, ipv6: true }, ADMIN)).pools.flatMap(({ subnets }) =>
        subnets.map(({ subnet }) => subnet),
      );
    const avoid = ["10.192.0.0/23", "10.192.3.53", "0.0.0.0/0", "::/0", "fd00:f1::/63"];
    expect(await made("a", avoid)).toEqual(["10.192.2.0/24", "fd00:f1:0:2::/64"]);
    expect(await made("b", avoid)).toEqual(["10.192.4.0/24", "fd00:f1:0:3::/64"]);
    // All is routed elsewhere: what is routed as a whole is overlapped, what is more specific is not.
    const everything = ["10.0.0.0/8", "10.192.0.0/22", "10.192.6.0/24", "192.0.2.0/24"];
    expect(await made("c", everything)).toEqual(["10.192.5.0/24", "fd00:f1::/64"]);
    await expect(made("d", ["here"])).rejects.toMatchObject({ code: "invalid-config" });
  });

  test("are refused when the default pools are used up", async () => {
    const defaults = { coolingSeconds: 60, defaultPools: [{ base: "10.0.0.0/23", size: 24 }] };
    const g = await newFixture({ defaults });
    await g.service.createNetwork({ name: "other", subnets: [{ subnet: "10.8.0.0/24" }] }, ADMIN);
    await g.service.createNetwork({ name: "a" }, ADMIN);
    await g.service.createNetwork({ name: "b" }, ADMIN);
    await expect(g.service.createNetwork({ name: "c" }, ADMIN)).rejects.toMatchObject({
      code: "pool-exhausted",
      reason: "no block is free in 10.0.0.0/23 in blocks of /24: networks have 2 subnets there",
      details: { rule: "default-pools-exhausted", family: 4, subnets: 2, avoided: [] },
    });
    await expect(
      g.service.createNetwork({ name: "c", ipv6: true, subnets: [{ subnet: "10.9.0.0/24" }] }, ADMIN),
    ).rejects.toMatchObject({
      code: "pool-exhausted",
      reason: "no default pool is configured",
    });
    await g.service.close();
  });

  test("do not get at once what another has just left, while there is something else", async () => {
    const defaults = { coolingSeconds: 60, defaultPools: [{ base: "10.0.0.0/23", size: 24 }] };
    const g = await newFixture({ defaults });
    const made = async (name: string) =>
      (await g.service.createNetwork({ name }, ADMIN)).pools[0]?.subnets[0]?.subnet;
    expect(await made("a")).toBe("10.0.0.0/24");
    await g.service.removeNetwork({ name: "a" }, ADMIN);
    expect(await made("b")).toBe("10.0.1.0/24");
    expect(await made("c")).toBe("10.0.0.0/24");
    await g.service.removeNetwork({ name: "c" }, ADMIN);
    await g.service.removeNetwork({ name: "b" }, ADMIN);
    g.clock.advance(60_000);
    expect(await made("d")).toBe("10.0.0.0/24");
    await g.service.close();
  });

  test("nor on a host with a default route, which leads to no place of its own", async () => {
    await s.f.service.createNetwork({ name: "a", ipv6: true }, ADMIN);
    await s.f.service.removeNetwork({ name: "a" }, ADMIN);
    const avoid = ["0.0.0.0/0", "::/0"];
    const { pools } = await s.f.service.createNetwork({ name: "b", ipv6: true, avoid }, ADMIN);
    expect(pools.map(({ subnets }) => subnets[0]?.subnet)).toEqual(["10.192.1.0/24", "fd00:f1:0:1::/64"]);
  });

  test.each([
    ["0.0.0.0/1", "192.168.0.0/24"],
    ["128.0.0.0/1", "10.0.0.0/24"],
  ])(
    "get a block of the other half of all addresses where %s is reached by another way",
    async (half, got) => {
      const bases =
        half === "0.0.0.0/1" ? ["10.0.0.0/23", "192.168.0.0/23"] : ["192.168.0.0/23", "10.0.0.0/23"];
      const defaultPools = bases.map((base) => ({ base, size: 24 }));
      const g = await newFixture({ defaults: { coolingSeconds: 60, defaultPools } });
      const { pools } = await g.service.createNetwork({ name: "a", avoid: [half] }, ADMIN);
      expect(pools[0]?.subnets[0]?.subnet).toBe(got);
      await g.service.close();
    },
  );

  test("a removal that is taken back lets nothing rest", async () => {
    const defaults = { coolingSeconds: 60, defaultPools: [{ base: "10.0.0.0/23", size: 24 }] };
    const g = await newFixture({ defaults });
    g.store.failure = "full";
    const both = [
      g.service.createNetwork({ name: "a" }, ADMIN),
      g.service.removeNetwork({ name: "a" }, ADMIN),
    ];
    for (const outcome of await Promise.allSettled(both)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    }
    g.store.failure = null;
    g.clock.advance(1_000);
    const { pools } = await g.service.createNetwork({ name: "b" }, ADMIN);
    expect(pools[0]?.subnets[0]?.subnet).toBe("10.0.0.0/24");
    await g.service.close();
  });

  test("are thousands out of the pools that a server has unless told otherwise", async () => {
    const defaults = { coolingSeconds: 60, defaultPools: standardPools("machine") };
    const g = await newFixture({ defaults });
    const names = Array.from({ length: 2_050 }, (_, at) => `n${at}`);
    const made = await Promise.all(names.map((name) => g.service.createNetwork({ name }, ADMIN)));
    const subnets = made.map(({ pools }) => pools[0]?.subnets[0]?.subnet);
    expect(new Set(subnets).size).toBe(2_050);
    expect([subnets[0], subnets[2_047], subnets[2_048]]).toEqual([
      "10.64.0.0/24",
      "10.71.255.0/24",
      "172.16.0.0/24",
    ]);
    await g.service.close();
  }, 240_000);

  test("do not overlap inside one address space", async () => {
    await s.f.service.createNetwork({ name: "a", subnets: [{ subnet: "10.1.0.0/16" }] }, ADMIN);
    const inner = { name: "b", subnets: [{ subnet: "10.1.7.0/24" }] };
    await expect(s.f.service.createNetwork(inner, ADMIN)).rejects.toMatchObject({
      code: "subnet-overlap",
      details: { otherNetwork: "a", otherSubnet: "10.1.0.0/16" },
    });
    await s.f.service.createNetwork({ ...inner, addressSpace: "lab" }, ADMIN);
    const second = { name: "c", subnets: [{ subnet: "10.9.0.0/24" }, ...inner.subnets] };
    await expect(s.f.service.createNetwork(second, ADMIN)).rejects.toMatchObject({
      code: "subnet-overlap",
      details: { subnet: "10.1.7.0/24", otherNetwork: "a" },
    });
  });

  test("are found by name, by ID and by a prefix of it that fits one", async () => {
    const ids = ["aa1", "aa2", "ab0"].map((prefix) => prefix.padEnd(64, "0"));
    let next = 0;
    const g = await newFixture({ newNetworkId: () => ids[next++] ?? "" });
    for (const name of ["x", "y", "z"]) await g.service.createNetwork({ name }, ADMIN);
    expect((await g.service.getNetwork({ name: "y" })).id).toBe(ids[1]);
    expect((await g.service.getNetwork({ name: ids[2] ?? "" })).name).toBe("z");
    expect((await g.service.getNetwork({ name: "aa2" })).name).toBe("y");
    await expect(g.service.getNetwork({ name: "aa" })).rejects.toMatchObject({
      code: "not-found",
      reason: "2 IDs begin with it: x, y",
      details: { rule: "network-ambiguous", network: "aa", matches: 2 },
    });
    await expect(g.service.getNetwork({ name: "nope" })).rejects.toMatchObject({
      code: "not-found",
      details: { rule: "network-not-found", network: "nope" },
    });
    await g.service.close();
  });

  test("exist once, and are removed when nobody holds an address of them", async () => {
    const network = await s.f.service.createNetwork(SMALL, ADMIN);
    await expect(s.f.service.createNetwork(SMALL, ADMIN)).rejects.toMatchObject({
      code: "already-exists",
      reason: `there is a network of that name, with ID ${network.id.slice(0, 12)}`,
      details: { rule: "network-exists", network: "web", networkId: network.id },
    });
    await acquire("a", { names: ["db", "data"] });
    await expect(s.f.service.removeNetwork({ name: "web" }, ADMIN)).rejects.toMatchObject({
      code: "in-use",
      reason: "1 attachments hold addresses of it: db",
      details: {
        rule: "network-in-use",
        network: "web",
        networkId: network.id,
        attachments: 1,
        endpoints: [{ containerId: "a", ifname: "eth0", name: "db", node: "n1" }],
      },
    });
    await release("a");
    const large = { name: "large", subnets: [{ subnet: "10.2.0.0/24" }] };
    await s.f.service.createNetwork(large, ADMIN);
    for (let at = 0; at < 22; at += 1) {
      const containerId = `${at}`.padStart(64, "0");
      await s.f.service.acquire({ key: { networkName: "large", containerId, ifname: "eth0" } }, ADMIN);
    }
    const refused: unknown = await s.f.service
      .removeNetwork({ name: "large" }, ADMIN)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      reason: `22 attachments hold addresses of it: ${Array(5).fill("0".repeat(12)).join(", ")}, …`,
      details: { attachments: 22, endpoints: { length: 20 } },
    });
    for (const { containerId } of await s.f.service.listLeases({ networkName: "large", state: "bound" }))
      await s.f.service.release({ key: { networkName: "large", containerId, ifname: "eth0" } }, ADMIN);
    await s.f.service.removeNetwork({ name: "large" }, ADMIN);
    await s.f.service.removeNetwork({ name: network.id.slice(0, 64) }, ADMIN);
    await expect(s.f.service.getNetwork({ name: "web" })).rejects.toMatchObject({ code: "not-found" });
    expect(await s.f.service.listLeases({})).toEqual([]);
  });

  test.each([
    ["name", { name: "a b" }],
    ["length of name", { name: "a".repeat(129) }],
    ["subnet", { name: "a", subnets: [{ subnet: "10.0.0.1/24" }] }],
    ["cooling", { name: "a", coolingSeconds: -1 }],
    ["quota", { name: "a", maxAttachments: 0 }],
    ["address space", { name: "a", addressSpace: "x/y" }],
    ["key of a label", { name: "a", labels: { ["x".repeat(2_000)]: "" } }],
    ["label", { name: "a", labels: { x: "y".repeat(2_000) } }],
    ["option", { name: "a", options: { x: "y".repeat(2_000) } }],
    [
      "number of labels",
      { name: "a", labels: Object.fromEntries(Array.from({ length: 257 }, (_, at) => [at, ""])) },
    ],
    [
      "overlap of its own subnets",
      { name: "a", subnets: [{ subnet: "10.0.0.0/24" }, { subnet: "10.0.0.0/25" }] },
    ],
  ])("refuse a bad %s", async (_, request) => {
    await expect(s.f.service.createNetwork(request, ADMIN)).rejects.toMatchObject({ code: "invalid-config" });
    expect(await s.f.service.listNetworks()).toEqual([]);
  });

  test("may have a name of 128 characters; one that is longer is refused by its name", async () => {
    const name = "a".repeat(128);
    expect(await s.f.service.createNetwork({ name }, ADMIN)).toMatchObject({ name });
    await expect(s.f.service.createNetwork({ name: `${name}a` }, ADMIN)).rejects.toMatchObject({
      details: { field: "name" },
    });
  });
});
