/** What a node says is attached, beside what the store says of it: one test a way in which the two differ. */
import type { FoundAttachment, RecoverRequest } from "../../lib/ipam/api.ts";
import {
  ADMIN,
  asking,
  brief,
  DUAL,
  keyOf,
  NODE1,
  NODE2,
  SMALL,
  useService,
} from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { acquire, release } = s;

const recover = (more: Partial<RecoverRequest>) =>
  s.f.service.recover({ bootId: "one", networks: [], attachments: [], addresses: [], ...more }, NODE1);
const on = (networkName: string, containerId: string, ...addresses: string[]): FoundAttachment => ({
  key: keyOf(containerId, networkName),
  addresses,
});
const leases = async (networkName = "web") => brief(await s.f.service.listLeases({ networkName }));
const declare = (networkName: string, containerId: string, rangeSets: object[][]) =>
  s.f.service.acquire(
    { key: keyOf(containerId, networkName), declaration: { rangeSets: rangeSets as never } },
    NODE1,
  );

describe("an attachment", () => {
  test("that the store says was released, and that is still there, is bound again", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a");
    await release("a");
    const attachments = [on("web", "a", "10.1.0.2/29")];
    expect(await recover({ attachments })).toMatchObject({ bound: attachments, problems: [] });
    expect(await leases()).toEqual(["10.1.0.2 bound"]);
  });

  test("with another interface name than the store says is the one that has the address", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a");
    const attachments = [{ key: keyOf("a", "web", "eth1"), addresses: ["10.1.0.2/29"] }];
    expect(await recover({ attachments })).toMatchObject({ bound: attachments, problems: [] });
    expect(await s.f.service.listEndpoints({})).toMatchObject([{ containerId: "a", ifname: "eth1" }]);
  });

  test("keeps what it has of one pool, and gives up what it has not of another", async () => {
    await s.f.service.createNetwork(DUAL, ADMIN);
    expect(await acquire("a")).toEqual(["10.1.0.2", "fd00:1::2"]);
    await recover({ attachments: [on("web", "a", "10.1.0.2/29", "fd00:1::5/64")] });
    expect(await leases()).toEqual(["10.1.0.2 bound", "fd00:1::2 cooling", "fd00:1::5 bound"]);
  });

  test("that another node has by the store is not this node's for an earlier boot", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { bootId: "zero" }, NODE2);
    const answer = await recover({ attachments: [on("web", "a", "10.1.0.2/29")] });
    expect(answer).toMatchObject({ bound: [], problems: [] });
    expect(await s.f.service.listLeases({})).toMatchObject([{ node: "n2", bootId: "zero" }]);
  });

  test("that nobody told names of has none", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await recover({ attachments: [on("web", "a", "10.1.0.2/29")] });
    expect(await s.f.service.listEndpoints({})).toMatchObject([{ name: "", names: [], mac: "" }]);
  });

  test("of an earlier boot is its sticky name's after this one too", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("other");
    await acquire("a", { bootId: "zero", stickyName: "db" });
    const attachments = [on("web", "a", "10.1.0.3/29")];
    expect(await recover({ attachments })).toMatchObject({ bound: attachments });
    await release("a");
    expect(await acquire("b", { stickyName: "db" })).toEqual(["10.1.0.3"]);
  });

  test("of whom the address was before leaves no sticky name to it", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { stickyName: "db" });
    await recover({ attachments: [on("web", "b", "10.1.0.2/29")] });
    await release("b");
    expect(await acquire("c", { stickyName: "db" })).toEqual(["10.1.0.3"]);
  });

  test("leaves an address set aside that was set aside, and out of use what was put out of use", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.2", reason: "printer" }, ADMIN);
    await s.f.service.quarantine({ address: "10.1.0.3", reason: "doubt" }, ADMIN);
    await recover({ attachments: [on("web", "a", "10.1.0.2/29"), on("web", "b", "10.1.0.3/29")] });
    expect(await leases()).toEqual(["10.1.0.2 bound", "10.1.0.3 bound"]);
    for (const containerId of ["a", "b"]) await release(containerId);
    s.f.clock.advance(60_000);
    expect(await leases()).toEqual(["10.1.0.2 reserved", "10.1.0.3 quarantined"]);
  });

  test("of another address space is bound there, and keeps nobody off the same address of the usual one", async () => {
    await s.f.service.createNetwork({ ...SMALL, addressSpace: "lab" }, ADMIN);
    await s.f.service.createNetwork({ ...SMALL, name: "usual" }, ADMIN);
    const attachments = [on("web", "a", "10.1.0.2/29")];
    expect(await recover({ attachments })).toEqual({
      ...{ networks: [], bound: attachments, quarantined: [], problems: [] },
    });
    expect(await s.f.service.acquire(asking("b", { key: keyOf("b", "usual") }), NODE1)).toMatchObject({
      addresses: [{ address: "10.1.0.2/29" }],
    });
  });
});

describe("a network that is found", () => {
  const id = "ab".repeat(32);
  const found = { id, name: "web", gateways: ["10.1.0.1/29"], internal: false, options: {} };

  test("and that the store knows by name or by ID is left as it is", async () => {
    const { id: known } = await s.f.service.createNetwork(SMALL, ADMIN);
    const networks = [found, { ...found, id: known, name: "renamed", gateways: ["10.2.0.1/29"] }];
    expect(await recover({ networks })).toMatchObject({ networks: [], problems: [] });
    expect(await s.f.service.listNetworks()).toMatchObject([{ id: known, name: "web" }]);
  });

  test("has a gateway in a subnet of two addresses, whose first is a host's too", async () => {
    const networks = [{ ...found, gateways: ["10.1.0.0/31", "fd00:1::/127"] }];
    expect(await recover({ networks })).toMatchObject({ networks: ["web"], problems: [] });
    const { pools } = await s.f.service.getNetwork({ name: "web" });
    expect(pools.flatMap(({ subnets }) => subnets).map(({ subnet, gateway }) => [subnet, gateway])).toEqual([
      ["10.1.0.0/31", "10.1.0.0"],
      ["fd00:1::/127", "fd00:1::"],
    ]);
  });
});

describe("a network of a conflist", () => {
  const part = (rangeStart: string, rangeEnd: string) => ({ subnet: "10.93.0.0/24", rangeStart, rangeEnd });

  test("gets what is lacking, and keeps the ranges that it has", async () => {
    await declare("lan", "a", [[part("10.93.0.10", "10.93.0.19")]]);
    const attachments = [on("lan", "b", "10.93.0.11/24", "fd00:93::2/64")];
    expect(await recover({ attachments })).toMatchObject({ bound: attachments, problems: [] });
    const { pools } = await s.f.service.getNetwork({ name: "lan" });
    expect(pools.flatMap(({ subnets }) => subnets)).toMatchObject([
      { subnet: "10.93.0.0/24", ranges: ["10.93.0.10-10.93.0.19"] },
      { subnet: "fd00:93::/64" },
    ]);
  });

  test("has its part of a subnet that another network has by the store alone", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const several = [part("10.93.0.10", "10.93.0.19"), { subnet: "10.94.0.0/24" }];
    await declare("lan1", "a", [several, [{ subnet: "fd00:94::/64" }]]);
    const attachments = [on("lan2", "b", "10.93.0.20/24"), on("lan2", "c", "10.93.0.29/24")];
    expect(await recover({ attachments })).toMatchObject({
      ...{ networks: ["lan2"], bound: attachments, problems: [] },
    });
    expect((await s.f.service.getNetwork({ name: "lan2" })).pools).toMatchObject([
      { subnets: [{ ranges: ["10.93.0.20-10.93.0.29"] }] },
    ]);
  });

  test("is taken to have its gateway last where one of several containers is first", async () => {
    const attachments = [on("lan", "a", "10.8.0.3/28"), on("lan", "b", "10.8.0.1/28")];
    expect(await recover({ attachments })).toMatchObject({ bound: attachments, problems: [] });
    expect((await s.f.service.getNetwork({ name: "lan" })).pools).toMatchObject([
      { subnets: [{ gateway: "10.8.0.14" }] },
    ]);
  });
});
