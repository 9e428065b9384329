/** What containers hold: acquire, release, verify, gc, status. */
import type { ManualClock } from "../../../lib/clock.ts";
import { failureOf } from "../../support/failures.ts";

import { caller, keyOf, makeWeb, type Service } from "./subject.ts";

export function attachmentCases(service: Service, clock: () => ManualClock): void {
  test("acquire binds one address of each family, and the same ones when repeated", async () => {
    await makeWeb(service);
    const first = await service().acquire({ key: keyOf("c1") }, caller);
    expect(first).toEqual({
      networkId: expect.stringMatching(/^[0-9a-f]{64}$/),
      created: true,
      addresses: [
        {
          address: "10.1.0.2/24",
          gateway: "10.1.0.1",
          subnet: "10.1.0.0/24",
          pool: 0,
          sequence: expect.any(Number),
        },
        {
          address: "fd00:1::2/64",
          gateway: "fd00:1::1",
          subnet: "fd00:1::/64",
          pool: 1,
          sequence: expect.any(Number),
        },
      ],
    });
    const second = await service().acquire({ key: keyOf("c1") }, caller);
    const addresses = first.addresses.map((each, at) => ({
      ...each,
      sequence: second.addresses[at]?.sequence ?? 0,
    }));
    expect(second).toEqual({ ...first, addresses, created: false });
    for (const [at, { sequence }] of first.addresses.entries())
      expect(second.addresses[at]?.sequence).toBeGreaterThan(sequence);
  });

  test("acquire carries every field of its request", async () => {
    const declaration = {
      rangeSets: [
        [
          { subnet: "10.2.0.0/24", rangeStart: "10.2.0.10", rangeEnd: "10.2.0.20", gateway: "10.2.0.254" },
          { subnet: "10.3.0.0/24" },
        ],
        [{ subnet: "fd00:2::/64" }],
      ],
      addressSpace: "blue",
      coolingSeconds: 7,
    };
    const { addresses } = await service().acquire(
      {
        key: keyOf("c1"),
        declaration,
        requestedAddresses: ["10.2.0.15"],
        stickyName: "db",
        mac: "02:00:00:00:00:01",
        names: ["db", "database"],
        bootId: "b1",
      },
      caller,
    );
    expect(addresses.map(({ address, gateway }) => [address, gateway])).toEqual([
      ["10.2.0.15/24", "10.2.0.254"],
      ["fd00:2::2/64", "fd00:2::1"],
    ]);
    const [lease] = await service().listLeases({ address: "10.2.0.15" });
    expect(lease).toEqual({
      address: "10.2.0.15",
      addressSpace: "blue",
      networkName: "web",
      subnet: "10.2.0.0/24",
      pool: 0,
      state: "bound",
      sequence: addresses[0]?.sequence,
      containerId: "c1",
      ifname: "eth0",
      node: "n1",
      bootId: "b1",
      mac: "02:00:00:00:00:01",
      names: ["db", "database"],
      acquiredAt: new Date(clock().now()).toISOString(),
      since: new Date(clock().now()).toISOString(),
      until: null,
      reason: "",
    });
    const network = await service().getNetwork({ name: "web" });
    expect([network.origin, network.addressSpace, network.coolingSeconds]).toEqual(["conflist", "blue", 7]);
  });

  test("a network that is new is surveyed by whoever can, and what was found is taken over", async () => {
    const request = {
      key: keyOf("c1"),
      declaration: { rangeSets: [[{ subnet: "10.2.0.0/24" }]] },
      canSurvey: true,
    };
    expect((await failureOf(service().acquire(request, caller))).code).toBe("survey-needed");
    const found = [
      { address: "10.2.0.2", seen: "a file", containerId: "old", ifname: "eth0" },
      { address: "10.2.0.3", seen: "a neighbour" },
    ];
    const { addresses } = await service().acquire({ ...request, survey: { found } }, caller);
    expect(addresses).toMatchObject([{ address: "10.2.0.4/24" }]);
    const leases = await service().listLeases({});
    expect(leases.map(({ address, containerId, reason }) => [address, containerId, reason])).toEqual([
      ["10.2.0.2", "old", ""],
      ["10.2.0.3", "", "in use before the network was declared: a neighbour"],
      ["10.2.0.4", "c1", ""],
    ]);
    const empty = {
      ...request,
      key: keyOf("c1", "other"),
      declaration: { rangeSets: [[{ subnet: "10.9.0.0/24" }]] },
    };
    const { created } = await service().acquire({ ...empty, survey: { found: [] } }, caller);
    expect(created).toBe(true);
  });

  test("a subnet without a gateway answers with none", async () => {
    await service().createNetwork(
      { name: "web", subnets: [{ subnet: "10.1.0.0/24", gateway: null }] },
      caller,
    );
    const { addresses } = await service().acquire({ key: keyOf("c1") }, caller);
    expect(addresses[0]?.gateway).toBeNull();
  });

  test("an exhausted pool is refused with its numbers", async () => {
    await service().createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/30" }] }, caller);
    await service().acquire({ key: keyOf("c1") }, caller);
    const error = await failureOf(service().acquire({ key: keyOf("c2") }, caller));
    expect(error.code).toBe("pool-exhausted");
    expect(error.reason).toContain("10.1.0.0/30");
    expect(error.hint).not.toBe("");
    expect(Object.keys(error.details)).not.toEqual([]);
    expect(error.message).toContain(error.reason);
  });

  test("an unknown network is refused", async () => {
    const error = await failureOf(service().acquire({ key: keyOf("c1", "nope") }, caller));
    expect(error.code).toBe("not-found");
  });

  test("a key with an empty part is refused", async () => {
    await makeWeb(service);
    const key = { networkName: "web", containerId: "", ifname: "eth0" };
    expect((await failureOf(service().acquire({ key }, caller))).code).toBe("invalid-config");
  });

  test("concurrent acquires get different addresses", async () => {
    await makeWeb(service);
    const keys = Array.from({ length: 50 }, (_, at) => keyOf(`c${at}`));
    const answers = await Promise.all(keys.map((key) => service().acquire({ key }, caller)));
    expect(new Set(answers.map(({ addresses }) => addresses[0]?.address)).size).toBe(50);
  });

  test("release gives back what is held, once", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    expect(await service().release({ key: keyOf("c1") }, caller)).toEqual({
      released: ["10.1.0.2", "fd00:1::2"],
      kept: [],
    });
    expect(await service().release({ key: keyOf("c1") }, caller)).toEqual({ released: [], kept: [] });
  });

  test("a release names the grants that it means", async () => {
    await makeWeb(service);
    const key = keyOf("c1");
    const { addresses } = await service().acquire({ key }, caller);
    const [v4 = 0, v6 = 0] = addresses.map(({ sequence }) => sequence);
    const none = { released: [], kept: ["10.1.0.2", "fd00:1::2"] };
    expect(await service().release({ key, sequences: [] }, caller)).toEqual(none);
    expect(await service().release({ key, upToSequence: v4 - 1 }, caller)).toEqual(none);
    const one = await service().release({ key, sequences: [v6] }, caller);
    expect(one).toEqual({ released: ["fd00:1::2"], kept: ["10.1.0.2"] });
    const other = await service().release({ key, upToSequence: v4 }, caller);
    expect(other).toEqual({ released: ["10.1.0.2"], kept: [] });
  });

  test("an attempt is carried out once, and one that was given up not at all", async () => {
    await makeWeb(service);
    const key = keyOf("c1");
    const first = await service().acquire({ key, attempt: "one" }, caller);
    expect(await service().acquire({ key, attempt: "one" }, caller)).toEqual(first);
    const giveUp = { key, attempts: ["one", "two"], onlyAttempts: true };
    const { released } = await service().release({ ...giveUp, attempt: "undo" }, caller);
    expect(released).toEqual(["10.1.0.2", "fd00:1::2"]);
    expect((await failureOf(service().acquire({ key, attempt: "two" }, caller))).code).toBe("unavailable");
    await service().acquire({ key, attempt: "three" }, caller);
    expect((await service().release({ key, attempt: "undo" }, caller)).released).toEqual([]);
    expect((await service().release(giveUp, caller)).released).toEqual([]);
  });

  test("a late release spares what was acquired after its instant", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    const acquiredAt = clock().now();
    const before = new Date(acquiredAt - 1).toISOString();
    const after = new Date(acquiredAt + 1).toISOString();
    const spared = await service().release({ key: keyOf("c1"), acquiredBefore: before }, caller);
    expect(spared.released).toEqual([]);
    const released = await service().release({ key: keyOf("c1"), acquiredBefore: after }, caller);
    expect(released.released).toEqual(["10.1.0.2", "fd00:1::2"]);
  });

  test("an instant that is none is refused", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    const error = await failureOf(
      service().release({ key: keyOf("c1"), acquiredBefore: "yesterday" }, caller),
    );
    expect(error.code).toBe("invalid-config");
  });

  test("verify tells whether what is held is among what is known", async () => {
    await makeWeb(service);
    expect((await failureOf(service().verify({ key: keyOf("c1") }, caller))).code).toBe("check-failed");
    await service().acquire({ key: keyOf("c1") }, caller);
    await service().verify({ key: keyOf("c1") }, caller);
    await service().verify({ key: keyOf("c1"), addresses: ["10.1.0.2/24", "fd00:1::2", "10.9.9.9"] }, caller);
    // An empty list knows of no address; an absent one says nothing.
    for (const addresses of [[], ["fd00:1::2"]]) {
      const error = await failureOf(service().verify({ key: keyOf("c1"), addresses }, caller));
      expect(error.code).toBe("check-failed");
    }
  });

  test("gc releases all but the valid attachments", async () => {
    await makeWeb(service);
    for (const id of ["c1", "c2", "c3"]) await service().acquire({ key: keyOf(id) }, caller);
    const validAttachments = [{ containerId: "c2", ifname: "eth0" }];
    const { released } = await service().gc({ networkName: "web", validAttachments }, caller);
    expect(released.map(({ containerId }) => containerId).sort()).toEqual(["c1", "c3"]);
    expect(released[0]).toEqual(keyOf(released[0]?.containerId ?? ""));
    expect(await service().gc({ networkName: "web", validAttachments }, caller)).toEqual({ released: [] });
  });

  test("network status counts every pool, IPv6 beyond 2^53", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    const status = await service().networkStatus({ networkName: "web" }, caller);
    expect(status).toEqual({
      networkName: "web",
      ready: true,
      reason: "",
      pools: [
        expect.objectContaining({
          pool: 0,
          family: 4,
          subnets: ["10.1.0.0/24"],
          bound: 1,
          cooling: 0,
          quarantined: 0,
        }),
        expect.objectContaining({
          pool: 1,
          family: 6,
          subnets: ["fd00:1::/64"],
          bound: 1,
          cooling: 0,
          quarantined: 0,
        }),
      ],
    });
    for (const { size, bound, cooling, quarantined, withheld, free } of status.pools) {
      const sum = BigInt(bound) + BigInt(cooling) + BigInt(quarantined) + BigInt(withheld) + BigInt(free);
      expect(sum).toBe(BigInt(size));
    }
    expect(BigInt(status.pools[1]?.size ?? "0")).toBeGreaterThan(2n ** 60n);
  });

  test("network status of a declared network does not make it", async () => {
    const declaration = { rangeSets: [[{ subnet: "10.5.0.0/24" }]] };
    const status = await service().networkStatus({ networkName: "new", declaration }, caller);
    expect([status.ready, status.pools.length]).toEqual([true, 1]);
    expect(await service().listNetworks()).toEqual([]);
  });
}
