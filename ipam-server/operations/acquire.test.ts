import { RELEASED_LIMIT } from "../../lib/ipam/pool.ts";
import { poolsOfSubnets, subnetOfSpec } from "../../lib/ipam/subnet-spec.ts";
import {
  ADMIN,
  asking,
  brief,
  keyOf,
  NODE1,
  NODE2,
  plain,
  SMALL,
  useService,
} from "../../test/support/ipam/ipam-fixture.ts";
import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { NetworkState } from "../state/network-state.ts";
import { State } from "../state/state.ts";
import { Staging, Transaction } from "../state/transaction.ts";
import { acquire as acquireIn } from "./acquire.ts";

const s = useService();
const { acquire, release, usage } = s;

describe("acquire", () => {
  test("answers with all that the plugin needs", async () => {
    const network = await s.f.service.createNetwork({ ...SMALL, ipv6: true }, ADMIN);
    expect(await s.f.service.acquire(asking("a"), NODE1)).toEqual({
      networkId: network.id,
      created: true,
      addresses: [
        { address: "10.1.0.2/29", gateway: "10.1.0.1", subnet: "10.1.0.0/29", pool: 0, sequence: 3 },
        { address: "fd00:f1::2/64", gateway: "fd00:f1::1", subnet: "fd00:f1::/64", pool: 1, sequence: 4 },
      ],
    });
  });

  test("repeated for a key that holds addresses gives the same ones, not created", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const first = await s.f.service.acquire(asking("a"), NODE1);
    const second = await s.f.service.acquire(asking("a"), NODE1);
    const addresses = first.addresses.map((address) => ({ ...address, sequence: address.sequence + 1 }));
    expect(second).toEqual({ ...first, addresses, created: false });
    expect(await usage()).toMatchObject({ bound: 1 });
  });

  test("sent again under the same attempt is answered as the first time", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const first = await s.f.service.acquire(asking("a", { attempt: "one" }), NODE1);
    expect(await s.f.service.acquire(asking("a", { attempt: "one" }), NODE1)).toEqual(first);
    expect(first.created).toBe(true);
    const second = await s.f.service.acquire(asking("a", { attempt: "two" }), NODE1);
    expect(second).toMatchObject({ created: false });
    expect(await s.f.service.acquire(asking("a", { attempt: "two" }), NODE1)).toEqual(second);
  });

  test("that arrives after its attempt is over is refused", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const late = (attempt: string) => s.f.service.acquire(asking("a", { attempt }), NODE1);
    await s.f.service.release({ key: keyOf("a"), attempts: ["one"], onlyAttempts: true }, NODE1);
    await expect(late("one")).rejects.toMatchObject({ code: "unavailable" });
    await late("two");
    await late("three");
    await expect(late("two")).rejects.toMatchObject({ code: "unavailable" });
    await s.f.service.release({ key: keyOf("a") }, NODE1);
    await expect(late("three")).rejects.toMatchObject({ code: "unavailable" });
    expect(await usage()).toMatchObject({ bound: 0 });
  });

  test("is not remembered when it could not be made durable", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    s.f.store.failure = "full";
    await expect(s.f.service.acquire(asking("a", { attempt: "one" }), NODE1)).rejects.toMatchObject({
      code: "unavailable",
    });
    s.f.store.failure = null;
    s.f.clock.advance(1_000);
    expect(await s.f.service.acquire(asking("a", { attempt: "one" }), NODE1)).toMatchObject({
      created: true,
    });
  });

  test("with another address than the one held is refused, naming both", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { requestedAddresses: ["10.1.0.4"] });
    await expect(acquire("a", { requestedAddresses: ["10.1.0.5"] })).rejects.toMatchObject({
      code: "address-in-use",
      message: expect.stringMatching(/10\.1\.0\.5.*holds 10\.1\.0\.4/),
      details: { address: "10.1.0.4", requested: "10.1.0.5" },
    });
    expect(await acquire("a", { requestedAddresses: ["10.1.0.4"] })).toEqual(["10.1.0.4"]);
  });

  test("is all or nothing over the pools", async () => {
    const subnets = [{ subnet: "10.1.0.0/24" }, { subnet: "fd00::/126" }];
    await s.f.service.createNetwork({ name: "web", subnets }, ADMIN);
    expect(await acquire("a")).toEqual(["10.1.0.2", "fd00::2"]);
    expect(await acquire("b")).toEqual(["10.1.0.3", "fd00::3"]);
    await expect(acquire("c")).rejects.toMatchObject({ code: "pool-exhausted", details: { pool: 1 } });
    expect(brief(await s.f.service.listLeases({ containerId: "c" }))).toEqual([]);
    expect(await usage()).toMatchObject({ bound: 2, free: "251" });
    await release("a");
    s.f.clock.advance(60_000);
    // Nothing of the refused attempt has made 10.1.0.4 a used address.
    expect(await acquire("d")).toEqual(["10.1.0.4", "fd00::2"]);
  });

  test("a refusal says how the pool is used, what frees it and what to do", async () => {
    await s.f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/29" }] }, ADMIN);
    for (const containerId of ["a", "b", "c"]) await acquire(containerId);
    await s.f.service.reserve({ networkName: "web", address: "10.1.0.6" }, ADMIN);
    await s.f.service.quarantine({ address: "10.1.0.5", reason: "conflict" }, ADMIN);
    await expect(acquire("d")).rejects.toMatchObject({
      code: "pool-exhausted",
      reason:
        "no address is free in pool 0, 10.1.0.0/29 (10.1.0.1-10.1.0.6): 6 addresses, " +
        "3 bound, 0 cooling, 1 quarantined, 2 withheld, 0 free",
      hint: expect.stringContaining("add a range or subnet"),
      details: {
        networkName: "web",
        pool: 0,
        size: "6",
        bound: 3,
        cooling: 0,
        quarantined: 1,
        withheld: "2",
        free: "0",
      },
    });
  });

  test("a requested address is granted or refused, never replaced", async () => {
    await s.f.service.createNetwork(
      { name: "web", subnets: [{ subnet: "10.1.0.0/28", exclusions: ["10.1.0.9"] }] },
      ADMIN,
    );
    expect(await acquire("a", { requestedAddresses: ["10.1.0.7"] })).toEqual(["10.1.0.7"]);
    await expect(acquire("b", { requestedAddresses: ["10.1.0.7"] })).rejects.toMatchObject({
      code: "address-in-use",
      reason: 'it is held by container a (eth0) on node "n1"',
    });
    for (const never of ["10.1.0.1", "10.1.0.9", "10.1.0.0", "10.1.0.15", "10.2.0.1", "fd00::1"]) {
      await expect(acquire("b", { requestedAddresses: [never] })).rejects.toMatchObject({
        code: "invalid-config",
      });
    }
    const two = ["10.1.0.3", "10.1.0.4"];
    await expect(acquire("b", { requestedAddresses: two })).rejects.toMatchObject({ code: "invalid-config" });
    expect(await acquire("b", { requestedAddresses: ["10.1.0.3", "10.1.0.3"] })).toEqual(["10.1.0.3"]);
  });

  test("an address outside ipRange is given to those who ask for it", async () => {
    const subnets = [{ subnet: "10.1.0.0/24", ipRange: "10.1.0.128/25" }];
    await s.f.service.createNetwork({ name: "web", subnets }, ADMIN);
    expect(await acquire("a")).toEqual(["10.1.0.128"]);
    expect(await acquire("b", { requestedAddresses: ["10.1.0.5"] })).toEqual(["10.1.0.5"]);
    expect(await usage()).toMatchObject({ size: "127", bound: 1 });
    await release("b");
    expect(await acquire("c", { requestedAddresses: ["10.1.0.5"] })).toEqual(["10.1.0.5"]);
  });

  test("a cooling address is given to whoever asks for it by its text", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { requestedAddresses: ["10.1.0.4"] });
    await release("a");
    expect(await acquire("b", { requestedAddresses: ["10.1.0.4"] })).toEqual(["10.1.0.4"]);
    await expect(acquire("a", { requestedAddresses: ["10.1.0.4"] })).rejects.toMatchObject({
      code: "address-in-use",
      reason: 'it is held by container b (eth0) on node "n1"',
    });
  });

  test("and to others as soon as nothing else is free, the one that cooled longest first", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    for (const containerId of ["a", "b", "c", "d"]) await acquire(containerId);
    await release("b");
    s.f.clock.advance(1);
    await release("a");
    expect(await acquire("e")).toEqual(["10.1.0.6"]);
    expect(await s.f.service.networkStatus({ networkName: "web" }, NODE1)).toMatchObject({ ready: true });
    expect([await acquire("f"), await acquire("g")]).toEqual([["10.1.0.3"], ["10.1.0.2"]]);
    expect(await s.f.service.networkStatus({ networkName: "web" }, NODE1)).toMatchObject({ ready: false });
  });

  test("tells when another MAC address had an address a moment ago, and not when it was the same", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const warmth = async (containerId: string, mac: string) => {
      const wishes = { mac, requestedAddresses: ["10.1.0.4"] };
      const { addresses } = await s.f.service.acquire(asking(containerId, wishes), NODE1);
      await release(containerId);
      return addresses.map(({ warm }) => warm);
    };
    expect(await warmth("a", "02:00:00:00:00:0a")).toEqual([undefined]);
    expect(await warmth("b", "02:00:00:00:00:0b")).toEqual([true]);
    expect(await warmth("b", "02:00:00:00:00:0b")).toEqual([undefined]);
    s.f.clock.advance(60_000);
    expect(await warmth("a", "02:00:00:00:00:0a")).toEqual([undefined]);
    // Of two that do not say which they had, nobody knows that they are one.
    s.f.clock.advance(60_000);
    expect(await warmth("a", "")).toEqual([undefined]);
    expect(await warmth("b", "")).toEqual([true]);
  });

  test("one container after another finds an address on a full pool, over and over", async () => {
    await s.f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/30" }] }, ADMIN);
    for (const containerId of ["a", "b", "c"]) {
      expect(await acquire(containerId)).toEqual(["10.1.0.2"]);
      await release(containerId);
    }
  });

  test("the same key gets its address again; of two containers of one name each gets its own", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { stickyName: "web" });
    await acquire("b", { stickyName: "web" });
    await acquire("c");
    for (const containerId of ["a", "b", "c"]) await release(containerId);
    expect(await acquire("c")).toEqual(["10.1.0.4"]);
    expect(await acquire("a", { stickyName: "web" })).toEqual(["10.1.0.2"]);
    expect(await acquire("b", { stickyName: "web" })).toEqual(["10.1.0.3"]);
    await release("b");
    expect(await acquire("b2", { stickyName: "web" })).toEqual(["10.1.0.3"]);
    expect(await acquire("b3", { stickyName: "web" })).toEqual(["10.1.0.5"]);
  });

  test("a container with two interfaces gets back on each what it had there", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const key = (containerId: string, ifname: string) => keyOf(containerId, "web", ifname);
    for (const ifname of ["eth0", "eth1"]) await acquire("", { key: key("a", ifname), stickyName: "db" });
    for (const ifname of ["eth0", "eth1"]) await s.f.service.release({ key: key("a", ifname) }, NODE1);
    expect(await acquire("", { key: key("b", "eth0"), stickyName: "db" })).toEqual(["10.1.0.2"]);
    expect(await acquire("", { key: key("b", "eth1"), stickyName: "db" })).toEqual(["10.1.0.3"]);
  });

  test("a sticky name gets its address again as long as nobody else took it", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a");
    expect(await acquire("b", { stickyName: "db-0" })).toEqual(["10.1.0.3"]);
    await release("b");
    expect(await acquire("c", { stickyName: "db-0" })).toEqual(["10.1.0.3"]);
    await release("c");
    for (const containerId of ["d", "e", "f"]) await acquire(containerId);
    s.f.clock.advance(60_000);
    expect(await acquire("g")).toEqual(["10.1.0.3"]);
    await release("a");
    s.f.clock.advance(60_000);
    expect(await acquire("h", { stickyName: "db-0" })).toEqual(["10.1.0.2"]);
  });

  test("is refused above the quota, which a repeated acquire is not subject to", async () => {
    await s.f.service.createNetwork({ ...SMALL, maxAttachments: 1 }, ADMIN);
    await acquire("a");
    await expect(acquire("b")).rejects.toMatchObject({
      code: "quota-exceeded",
      details: { networkName: "web", attachments: 1, maxAttachments: 1 },
    });
    expect(await acquire("a")).toEqual(["10.1.0.2"]);
    await release("a");
    expect(await acquire("b")).toEqual(["10.1.0.3"]);
  });

  test("after a reboot the same key takes its addresses over, as a new stay", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    const before = await s.f.service.acquire(asking("a", { bootId: "one" }), NODE1);
    const after = await s.f.service.acquire(asking("a", { bootId: "two" }), NODE1);
    expect(plain(after)).toEqual(plain(before));
    expect(after.created).toBe(true);
    expect(after.addresses[0]?.sequence).toBeGreaterThan(before.addresses[0]?.sequence ?? 0);
    expect(await s.f.service.whoHad({ address: "10.1.0.2" })).toHaveLength(2);
  });

  test("a key held on another node is refused, and a release there changes nothing here", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a");
    await expect(acquire("a", {}, NODE2)).rejects.toMatchObject({
      code: "address-in-use",
      reason: expect.stringContaining('on node "n1"'),
    });
    expect(await release("a", {}, NODE2)).toEqual([]);
    expect(await usage()).toMatchObject({ bound: 1 });
    expect(await release("a", {}, ADMIN)).toEqual(["10.1.0.2"]);
  });

  test("who does not say of which boot he is, is no other node of the same one", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { bootId: "" });
    await expect(acquire("a", { bootId: "" }, NODE2)).rejects.toMatchObject({ code: "address-in-use" });
  });

  test("one machine may change its name between two calls, as long as it is one boot", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { bootId: "one" });
    expect(await acquire("a", { bootId: "one" }, NODE2)).toEqual(["10.1.0.2"]);
    expect(await release("a", {}, NODE2)).toEqual(["10.1.0.2"]);
  });

  test.each([
    ["container ID", { key: keyOf("../x") }],
    ["empty container ID", { key: keyOf("") }],
    ["interface name", { key: keyOf("a", "web", "a-name-of-16-byte") }],
    ["network name", { key: keyOf("a", "we/b") }],
    ["address", { key: keyOf("a"), requestedAddresses: ["10.1.0.300"] }],
    ["number of addresses", { key: keyOf("a"), requestedAddresses: Array(100).fill("10.1.0.2") }],
    ["name", { key: keyOf("a"), names: [""] }],
    ["length of name", { key: keyOf("a"), names: ["x".repeat(254)] }],
    ["number of names", { key: keyOf("a"), names: Array(65).fill("x") }],
    ["name for a terminal", { key: keyOf("a"), names: ["db\u001b[2J"] }],
    ["sticky name", { key: keyOf("a"), stickyName: "x".repeat(2000) }],
  ])("refuses a bad %s", async (_, request) => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await expect(s.f.service.acquire(request, NODE1)).rejects.toMatchObject({ code: "invalid-config" });
  });

  test("records each name once; one name may be of two containers, and of two interfaces of one", async () => {
    await s.f.service.createNetwork(SMALL, ADMIN);
    await acquire("a", { names: ["db", "_x y", "db", "DB"] });
    await acquire("b", { names: ["db"] });
    await s.f.service.acquire({ key: keyOf("a", "web", "eth1"), names: ["db"] }, NODE1);
    const endpoints = await s.f.service.listEndpoints({ name: "db" });
    expect(endpoints.map(({ containerId, ifname, names }) => [containerId, ifname, names])).toEqual([
      ["a", "eth0", ["db", "_x y", "DB"]],
      ["b", "eth0", ["db"]],
      ["a", "eth1", ["db"]],
    ]);
  });

  test("in an unknown network without a declaration is refused", async () => {
    await expect(acquire("a")).rejects.toMatchObject({ code: "not-found" });
  });
});

test("a grant forgets two of the addresses that are remembered beyond the bound, the oldest first", () => {
  const record = {
    ...networkRecord("web", 1),
    maxAttachments: null,
    pools: poolsOfSubnets([subnetOfSpec({ subnet: "10.0.0.0/8" })]),
  };
  const state = new State();
  const network = new NetworkState(record, state.attachments);
  state.insertNetwork(network);
  const template = leaseRecord(record, "10.1.0.0", { state: "cooling", stickyName: "" });
  for (let at = 0; at < 2 * RELEASED_LIMIT + 4; at++) {
    const address = { family: 4 as const, value: template.address.value + BigInt(at) };
    network.replaceLease(null, { ...template, address, containerId: `${at}`, sinceMs: at, untilMs: at });
  }
  const staging = new Staging(state);
  const settings = { coolingSeconds: 60, defaultPools: [], newNetworkId: () => "" };
  for (const containerId of ["a", "b", "c"]) {
    const tx = new Transaction(staging, { actor: "", nowMs: 1_000_000 });
    acquireIn(tx, { key: keyOf(containerId) }, { caller: NODE1, settings });
  }
  const told = staging.events.map(({ kind, address }) => `${kind} +${Number(address?.value) - 0x0a01_0000}`);
  expect(told).toEqual([
    ...["lease-freed +0", "lease-freed +1", "lease-bound +2"],
    ...["lease-freed +3", "lease-bound +4"],
    "lease-bound +5",
  ]);
});
