/**
 * What every way to the IPAM service must carry unchanged: the service itself, and its clients.
 *
 *     ipamServiceContract("over HTTP", () => openOverHttp());
 *
 * The rules of the service are tested where they are made; this suite holds that each operation, with every
 * field of its request and answer and with its errors, is the same however it is called.
 */
import { createHash } from "node:crypto";
import type { ManualClock } from "../../lib/clock.ts";
import { FairleadError } from "../../lib/errors.ts";
import type {
  AttachmentKey,
  CreateNetworkRequest,
  EndpointFilter,
  Event,
  IpamService,
} from "../../lib/ipam/api.ts";

export interface ServiceSubject {
  readonly service: IpamService;
  /** The clock of the service. */
  readonly clock: ManualClock;
  close(): Promise<void>;
}

/** The front fills in who calls: every way must act for this node. */
export const CONTRACT_CALLER = { actor: "uid:0", node: "n1" };

const caller = CONTRACT_CALLER;

export function keyOf(containerId: string, networkName = "web"): AttachmentKey {
  return { networkName, containerId, ifname: "eth0" };
}

/** The error that `call` fails with. */
async function failureOf(call: Promise<unknown>): Promise<FairleadError> {
  const outcome = await call.then(
    (value) => new Error(`succeeded with ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (outcome instanceof FairleadError) return outcome;
  throw outcome;
}

export function ipamServiceContract(name: string, open: () => Promise<ServiceSubject>): void {
  describe(`IPAM service ${name}`, () => {
    let subject: ServiceSubject;
    const service = (): IpamService => subject.service;

    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());

    attachmentCases(service, () => subject.clock);
    networkCases(service);
    endpointCases(service, () => subject.clock);
    addressCases(service);
    historyCases(service, () => subject.clock);
  });
}

type Service = () => IpamService;

async function makeWeb(service: Service): Promise<void> {
  const subnets = [{ subnet: "10.1.0.0/24" }, { subnet: "fd00:1::/64" }];
  await service().createNetwork({ name: "web", subnets }, caller);
}

function attachmentCases(service: Service, clock: () => ManualClock): void {
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
      mac: "02:00:00:00:00:01",
      names: ["db", "database"],
      acquiredAt: new Date(clock().now()).toISOString(),
      since: new Date(clock().now()).toISOString(),
      until: null,
      reason: "",
    });
    const network = await service().getNetwork("web");
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

function networkCases(service: Service): void {
  test("a network keeps every field that it is made with", async () => {
    const labels = { team: "a", "with.dot/and slash": "ü", empty: "" };
    const made = await service().createNetwork(
      {
        name: "web",
        driver: "macvlan",
        subnets: [
          {
            subnet: "10.1.0.0/24",
            ipRange: "10.1.0.128/25",
            gateway: "10.1.0.254",
            auxAddresses: { printer: "10.1.0.9" },
            exclusions: ["10.1.0.130-10.1.0.139", "10.1.0.200"],
          },
          { subnet: "fd00:1::/64", rangeStart: "fd00:1::100", rangeEnd: "fd00:1::1ff", gateway: null },
        ],
        internal: true,
        attachable: true,
        addressSpace: "blue",
        coolingSeconds: 0,
        maxAttachments: 3,
        options: { parent: "eth1" },
        labels,
      },
      caller,
    );
    expect(made).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
      name: "web",
      driver: "macvlan",
      origin: "api",
      addressSpace: "blue",
      internal: true,
      attachable: true,
      ipv6: true,
      coolingSeconds: 0,
      maxAttachments: 3,
      options: { parent: "eth1" },
      labels,
      attachments: 0,
      createdAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      pools: [
        {
          pool: 0,
          family: 4,
          subnets: [
            {
              subnet: "10.1.0.0/24",
              gateway: "10.1.0.254",
              gatewayGiven: true,
              ipRange: "10.1.0.128/25",
              ranges: ["10.1.0.128-10.1.0.254"],
              exclusions: ["10.1.0.130-10.1.0.139", "10.1.0.200"],
              auxAddresses: { printer: "10.1.0.9" },
              fromDefaultPool: false,
            },
          ],
        },
        {
          pool: 1,
          family: 6,
          subnets: [
            expect.objectContaining({
              subnet: "fd00:1::/64",
              gateway: null,
              gatewayGiven: false,
              ipRange: null,
            }),
          ],
        },
      ],
    });
    expect(await service().getNetwork("web")).toEqual(made);
    expect(await service().getNetwork(made.id.slice(0, 12))).toEqual(made);
    expect(await service().listNetworks()).toEqual([made]);
  });

  test("a network without subnets gets them from the default pools", async () => {
    const avoid = ["10.77.0.0/24"];
    const made = await service().createNetwork({ name: "web", ipv6: true, avoid }, caller);
    const { pools, maxAttachments } = made;
    expect([made.attachable, made.ipv6, pools[0]?.subnets[0]?.subnet]).toEqual([false, true, "10.77.1.0/24"]);
    expect(pools.map(({ family, subnets }) => [family, subnets[0]?.fromDefaultPool])).toEqual([
      [4, true],
      [6, true],
    ]);
    expect(maxAttachments).toBeNull();
  });

  test("names and subnets are taken once", async () => {
    await makeWeb(service);
    const again = service().createNetwork({ name: "web" }, caller);
    expect((await failureOf(again)).code).toBe("already-exists");
    const overlapping = service().createNetwork(
      { name: "b", subnets: [{ subnet: "10.1.0.128/25" }] },
      caller,
    );
    expect((await failureOf(overlapping)).code).toBe("subnet-overlap");
  });

  test("a network of a driver without addresses has no pools", async () => {
    const made = await service().createNetwork({ name: "machine", driver: "host" }, caller);
    expect([made.driver, made.pools, made.ipv6]).toEqual(["host", [], false]);
    expect(await service().getNetwork("machine")).toEqual(made);
    const error = await failureOf(service().acquire({ key: keyOf("c1", "machine") }, caller));
    expect([error.code, error.details]).toEqual([
      "invalid-config",
      { rule: "network-without-addresses", networkName: "machine", driver: "host" },
    ]);
    expect((await service().checkConsistency()).findings).toEqual([]);
  });

  test("a refusal names its rule and the values that it is about", async () => {
    const refused = async (request: CreateNetworkRequest): Promise<unknown> =>
      (await failureOf(service().createNetwork(request, caller))).details;
    expect(await refused({ name: "web", subnets: [{ subnet: "10.1.0.9/24" }] })).toEqual({
      rule: "subnet-host-bits",
      subnet: "10.1.0.9/24",
      correct: "10.1.0.0/24",
    });
    expect(await refused({ name: "web", options: { mtu: "1500" } })).toMatchObject({
      rule: "option-unknown",
      driver: "bridge",
      option: "mtu",
      known: expect.arrayContaining(["com.docker.network.driver.mtu"]),
    });
    expect(await refused({ name: "none" })).toEqual({ rule: "network-predefined", network: "none" });
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1"), names: ["shop"] }, caller);
    expect((await failureOf(service().removeNetwork("web", caller))).details).toMatchObject({
      rule: "network-in-use",
      attachments: 1,
      endpoints: [{ containerId: "c1", ifname: "eth0", name: "shop", node: "n1" }],
    });
  });

  test("a used network stays, an unused one goes, an absent one is not found", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    expect((await failureOf(service().removeNetwork("web", caller))).code).toBe("in-use");
    await service().release({ key: keyOf("c1") }, caller);
    await service().removeNetwork("web", caller);
    expect((await failureOf(service().getNetwork("web"))).code).toBe("not-found");
    expect((await failureOf(service().removeNetwork("web", caller))).code).toBe("not-found");
  });

  test("a name of strange characters is only not found", async () => {
    for (const name of ["a/b", "a?b#c", "..", "%2e", "ü", "a b"]) {
      const { code } = await failureOf(service().getNetwork(name));
      expect([name, code]).toEqual([name, "not-found"]);
    }
  });
}

function endpointCases(service: Service, clock: () => ManualClock): void {
  test("an endpoint is an attachment with all its addresses", async () => {
    await makeWeb(service);
    const { id: networkId } = await service().getNetwork("web");
    const facts = { mac: "02:00:00:00:00:01", names: ["shop", "www"] };
    await service().acquire({ key: keyOf("c1"), ...facts }, caller);
    const id = createHash("sha256")
      .update(JSON.stringify([networkId, "c1", "eth0"]))
      .digest("hex");
    expect(await service().listEndpoints({})).toEqual([
      {
        id,
        networkId,
        networkName: "web",
        containerId: "c1",
        ifname: "eth0",
        node: "n1",
        mac: "02:00:00:00:00:01",
        name: "shop",
        names: ["shop", "www"],
        addresses: [
          { address: "10.1.0.2/24", gateway: "10.1.0.1" },
          { address: "fd00:1::2/64", gateway: "fd00:1::1" },
        ],
        acquiredAt: new Date(clock().now()).toISOString(),
      },
    ]);
    await service().release({ key: keyOf("c1") }, caller);
    expect(await service().listEndpoints({})).toEqual([]);
  });

  test("endpoints are filtered by every field, and come in order", async () => {
    await makeWeb(service);
    const subnets = [{ subnet: "10.9.0.0/24", gateway: null }];
    await service().createNetwork({ name: "db", subnets }, caller);
    await service().acquire({ key: keyOf("c2"), names: ["zoo", "x"] }, caller);
    await service().acquire({ key: keyOf("c1"), names: ["zoo"] }, caller);
    await service().acquire({ key: keyOf("c1", "db"), names: ["ape"] }, caller);
    await service().acquire({ key: { ...keyOf("c1"), ifname: "eth1" } }, caller);
    const found = async (filter: EndpointFilter): Promise<string[]> =>
      (await service().listEndpoints(filter)).map(
        ({ networkName, containerId, ifname }) => `${networkName} ${containerId} ${ifname}`,
      );
    const [db, unnamed, first, second] = ["db c1 eth0", "web c1 eth1", "web c1 eth0", "web c2 eth0"];
    expect(await found({})).toEqual([db, unnamed, first, second]);
    expect(await found({ networkName: "db" })).toEqual([db]);
    expect(await found({ containerId: "c1" })).toEqual([db, unnamed, first]);
    expect(await found({ containerId: "c1", networkName: "web" })).toEqual([unnamed, first]);
    expect(await found({ ifname: "eth1" })).toEqual([unnamed]);
    expect(await found({ name: "x" })).toEqual([second]);
    expect(await found({ name: "zoo" })).toEqual([first, second]);
    expect(await found({ node: "n1", networkName: "db" })).toEqual([db]);
    expect(await found({ node: "n2" })).toEqual([]);
    expect(await found({ containerId: "nobody" })).toEqual([]);
    expect(await found({ networkName: "nothing" })).toEqual([]);
    const [only] = await service().listEndpoints({ networkName: "db" });
    expect(only?.addresses).toEqual([{ address: "10.9.0.1/24", gateway: null }]);
  });
}

function addressCases(service: Service): void {
  test("leases are filtered by every field", async () => {
    await makeWeb(service);
    await service().createNetwork({ name: "db", subnets: [{ subnet: "10.9.0.0/24" }] }, caller);
    await service().acquire({ key: keyOf("c1") }, caller);
    await service().acquire({ key: keyOf("c2", "db") }, caller);
    await service().release({ key: keyOf("c2", "db") }, caller);
    const found = async (filter: Parameters<IpamService["listLeases"]>[0]): Promise<string[]> =>
      (await service().listLeases(filter)).map(({ address }) => address).sort();
    expect(await found({})).toEqual(["10.1.0.2", "10.9.0.2", "fd00:1::2"]);
    expect(await found({ networkName: "db" })).toEqual(["10.9.0.2"]);
    expect(await found({ state: "cooling" })).toEqual(["10.9.0.2"]);
    expect(await found({ containerId: "c1" })).toEqual(["10.1.0.2", "fd00:1::2"]);
    expect(await found({ address: "fd00:1::2" })).toEqual(["fd00:1::2"]);
    expect(await found({ node: "n1", state: "bound" })).toEqual(["10.1.0.2", "fd00:1::2"]);
    expect(await found({ node: "n2" })).toEqual([]);
  });

  test("a list of many leases comes whole and in order", async () => {
    await service().createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/21" }] }, caller);
    const keys = Array.from({ length: 1_234 }, (_, at) => keyOf(`c${at}`));
    await Promise.all(keys.map((key) => service().acquire({ key }, caller)));
    const leases = await service().listLeases({});
    expect(leases.length).toBe(1_234);
    expect(new Set(leases.map(({ containerId }) => containerId)).size).toBe(1_234);
    expect([leases[0]?.address, leases[500]?.address]).toEqual(["10.1.0.2", "10.1.1.246"]);
  });

  test("a reservation is for whom it names", async () => {
    await makeWeb(service);
    const reserved = await service().reserve(
      { networkName: "web", address: "10.1.0.2", reason: "the database", stickyName: "db" },
      caller,
    );
    expect([reserved.state, reserved.address, reserved.reason]).toEqual([
      "reserved",
      "10.1.0.2",
      "the database",
    ]);
    const other = await service().acquire({ key: keyOf("c1") }, caller);
    expect(other.addresses[0]?.address).toBe("10.1.0.3/24");
    const named = await service().acquire({ key: keyOf("c2"), stickyName: "db" }, caller);
    expect(named.addresses[0]?.address).toBe("10.1.0.2/24");
    const taken = service().reserve({ networkName: "web", address: "10.1.0.3" }, caller);
    expect((await failureOf(taken)).code).toBe("address-in-use");
  });

  test("a reservation is taken back, also one that is not there", async () => {
    await makeWeb(service);
    await service().reserve({ networkName: "web", address: "fd00:1::5" }, caller);
    await service().unreserve("web", "fd00:1::5", caller);
    await service().unreserve("web", "fd00:1::5", caller);
    expect(await service().listLeases({ state: "reserved" })).toEqual([]);
  });

  test("a quarantined address stays out of use until it is taken back", async () => {
    await makeWeb(service);
    await service().quarantine(
      { address: "10.1.0.2", addressSpace: "default", reason: "answers ARP" },
      caller,
    );
    const wish = { key: keyOf("c1"), requestedAddresses: ["10.1.0.2"] };
    expect((await failureOf(service().acquire(wish, caller))).code).toBe("address-in-use");
    const [lease] = await service().listLeases({ state: "quarantined" });
    expect([lease?.address, lease?.reason]).toEqual(["10.1.0.2", "answers ARP"]);
    await service().unquarantine("10.1.0.2", undefined, caller);
    const { addresses } = await service().acquire(wish, caller);
    expect(addresses[0]?.address).toBe("10.1.0.2/24");
    await service().quarantine({ address: "fd00:1::9", reason: "" }, caller);
    await service().unquarantine("fd00:1::9", "default", caller);
  });

  test("an address that is none is refused", async () => {
    const error = await failureOf(service().quarantine({ address: "10.1.0", reason: "x" }, caller));
    expect(error.code).toBe("invalid-config");
  });
}

function historyCases(service: Service, clock: () => ManualClock): void {
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
    const { id } = await service().getNetwork("web");
    await service().removeNetwork("web", caller);
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
