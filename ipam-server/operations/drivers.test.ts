import type { CreateNetworkRequest } from "../../lib/ipam/api.ts";
import { bridgeIfname, OPTION, readBridgeOptions } from "../../lib/ipam/network-options.ts";
import { ADMIN, asking, NODE1, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const create = (request: object) => s.f.service.createNetwork({ name: "web", ...request }, ADMIN);

describe("a network's driver", () => {
  test.each([
    [{ driver: "overlay" }, "invalid-config", { rule: "driver-unknown", driver: "overlay" }],
    [
      { driver: "host", subnets: [{ subnet: "10.1.0.0/24" }] },
      "invalid-config",
      { rule: "driver-without-addresses" },
    ],
    [{ driver: "null", ipv6: true }, "invalid-config", { rule: "driver-without-addresses", driver: "null" }],
    [{ driver: "macvlan" }, "invalid-config", { rule: "option-missing", option: "parent" }],
    [{ ipv4: false }, "invalid-config", { rule: "no-address-family" }],
    [{ ipv4: false, subnets: [{ subnet: "10.9.0.0/24" }] }, "invalid-config", { rule: "no-address-family" }],
    [{ driver: "null", ipv4: true }, "invalid-config", { rule: "driver-without-addresses", driver: "null" }],
    [
      { driver: "macvlan", ipv6: true, options: { parent: "eth1" } },
      "invalid-config",
      { rule: "subnet-missing", driver: "macvlan" },
    ],
    [
      { driver: "macvlan", ipv4: true, subnets: [{ subnet: "fd00:9::/64" }], options: { parent: "eth1" } },
      "invalid-config",
      { rule: "subnet-missing", driver: "macvlan" },
    ],
    [
      { options: { "com.docker.network.bridge.inhibit_ipv4": "true" } },
      "invalid-config",
      { rule: "option-unknown", driver: "bridge", known: expect.arrayContaining([OPTION.icc, OPTION.mtu]) },
    ],
    [{ options: { toString: "x" } }, "invalid-config", { rule: "option-unknown", option: "toString" }],
    [{ options: { parent: "eth0" } }, "invalid-config", { rule: "option-unknown", option: "parent" }],
    [{ driver: "host", options: { a: "b" } }, "invalid-config", { rule: "option-unknown", known: [] }],
  ])("is refused: %j", async (request, code, details) => {
    const [reason, hint] = [expect.any(String), expect.any(String)];
    await expect(create(request)).rejects.toMatchObject({ code, details, reason, hint });
    expect(await s.f.service.listNetworks()).toEqual([]);
  });

  test.each([
    [OPTION.mtu, ["67", "65536", "1500.0", "0x500", "", " 1500", "-1"], ["68", "1500", "65535"]],
    [OPTION.icc, ["yes", "", "2", "tRUE"], ["true", "false", "1", "0", "T", "FALSE"]],
    [OPTION.ipMasquerade, ["on"], ["f"]],
    [OPTION.gatewayMode4, ["routed", "isolated", "", "NAT"], ["nat", "nat-unprotected"]],
    [OPTION.sourceCheck, ["", "yes", "ON"], ["on", "off", "true", "0"]],
    [OPTION.hostBinding, ["::1", "10.1.2", "localhost"], ["127.0.0.1", "0.0.0.0"]],
    [OPTION.bridgeName, ["", "a/b", "sixteen-characte", "a b", "..", "br%d"], ["br-web", "fifteen-charact"]],
  ])("takes the values of %s that mean something", async (option, bad, good) => {
    for (const value of bad) {
      const details = { rule: "option-value", option, value };
      await expect(create({ options: { [option]: value } })).rejects.toMatchObject({ details });
    }
    for (const value of good) {
      expect((await create({ options: { [option]: value } })).options).toEqual({ [option]: value });
      await s.f.service.removeNetwork({ name: "web" }, ADMIN);
    }
  });

  test("of a value that is too long, the refusal repeats the beginning", async () => {
    const refused = create({ options: { [OPTION.mtu]: "x".repeat(1_000) } });
    await expect(refused).rejects.toMatchObject({ reason: expect.stringMatching(/=x{80}: /) });
  });

  test("gateway mode isolated is of internal networks, of all their families, and without a gateway", async () => {
    const isolated4 = { [OPTION.gatewayMode4]: "isolated" };
    const both = { ...isolated4, [OPTION.gatewayMode6]: "isolated" };
    const problem = (text: string) => ({ rule: "option-value", problem: expect.stringContaining(text) });
    const refused: [CreateNetworkRequest, object][] = [
      [{ name: "web", options: isolated4 }, problem("--internal")],
      [
        { name: "web", internal: true, ipv6: true, options: isolated4 },
        problem("gateway_mode_ipv6=isolated"),
      ],
      [
        { name: "web", internal: true, options: { [OPTION.gatewayMode6]: "isolated" } },
        problem("gateway_mode_ipv4=isolated"),
      ],
      [
        {
          name: "web",
          internal: true,
          options: both,
          subnets: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1" }],
        },
        problem("leave gateway 10.1.0.1 out"),
      ],
    ];
    for (const [request, details] of refused)
      await expect(create(request)).rejects.toMatchObject({ code: "invalid-config", details });
    const only6 = { [OPTION.gatewayMode6]: "isolated" };
    await create({ name: "six", internal: true, options: only6, subnets: [{ subnet: "fd00:6::/64" }] });
    const made = await create({ internal: true, ipv6: true, options: both });
    expect(made.pools.flatMap(({ subnets }) => subnets.map(({ gateway }) => gateway))).toEqual([null, null]);
    expect(await s.acquire("a")).toEqual(["10.192.0.1", "fd00:f1::1"]);
    expect(readBridgeOptions(made)).toMatchObject({ isolated: true, routedInto: [] });
  });

  test("needs an MTU that IPv6 can do with", async () => {
    const options = { [OPTION.mtu]: "1279" };
    const details = { rule: "option-value", option: OPTION.mtu };
    await expect(create({ ipv6: true, options })).rejects.toMatchObject({ details });
    const subnets = [{ subnet: "fd00::/64" }];
    await expect(create({ subnets, options })).rejects.toMatchObject({ details });
    await create({ options });
    await create({ name: "least", ipv6: true, options: { [OPTION.mtu]: "1280" } });
  });

  test("macvlan has the subnets that are named, and no others", async () => {
    const options = { parent: "eth1.20", macvlan_mode: "private", [OPTION.mtu]: "1400" };
    const bad = { driver: "macvlan", options: { parent: "eth1", macvlan_mode: "open" } };
    await expect(create(bad)).rejects.toMatchObject({ details: { rule: "option-value" } });
    const named = { driver: "macvlan", options, subnets: [{ subnet: "192.168.1.0/24" }] };
    expect((await create({ ...named, name: "lan" })).pools).toHaveLength(1);
    expect((await create({ driver: "macvlan", options: { parent: "eth2" } })).pools).toEqual([]);
  });

  test("without addresses, nobody gets one", async () => {
    await create({ driver: "macvlan", options: { parent: "eth2" } });
    const details = { rule: "network-without-addresses", networkName: "web", driver: "macvlan" };
    await expect(s.f.service.acquire(asking("a"), NODE1)).rejects.toMatchObject({
      code: "invalid-config",
      details,
    });
    const declaration = { rangeSets: [[{ subnet: "10.1.0.0/24" }]] };
    await expect(s.f.service.acquire(asking("a", { declaration }), NODE1)).rejects.toMatchObject({
      code: "invalid-config",
      reason: expect.stringContaining("made through the API with no addresses"),
    });
    expect(await s.f.service.networkStatus({ networkName: "web" }, NODE1)).toEqual({
      networkName: "web",
      ready: false,
      reason: "it hands out no addresses (driver macvlan, no subnet)",
      pools: [],
    });
    expect(await s.release("a")).toEqual([]);
    await s.f.service.removeNetwork({ name: "web" }, ADMIN);
  });

  test("host and null are for one network each", async () => {
    for (const driver of ["host", "null"]) {
      await create({ name: `my-${driver}`, driver });
      await expect(create({ name: "second", driver })).rejects.toMatchObject({
        code: "permission-denied",
        details: { rule: "driver-single", driver, otherNetwork: `my-${driver}` },
      });
    }
  });

  test("no two networks have one bridge, also where its name is the default one", async () => {
    const first = await create({ name: "first" });
    await create({ name: "second", options: { [OPTION.bridgeName]: "br-x" } });
    for (const bridge of ["br-x", bridgeIfname(first)]) {
      await expect(create({ options: { [OPTION.bridgeName]: bridge } })).rejects.toMatchObject({
        code: "already-exists",
        details: { rule: "bridge-name-taken", bridge },
      });
    }
  });
});

test("options of a bridge mean what Docker's do, with its defaults", () => {
  const id = "0123456789abcdef".repeat(4);
  expect(readBridgeOptions({ id, options: {} })).toEqual({
    bridge: "fl-0123456789ab",
    icc: true,
    ipMasquerade: true,
    hostBinding: null,
    mtu: null,
    sourceCheck: true,
    probe: false,
    routedInto: [],
    isolated: false,
  });
  const options = {
    [OPTION.bridgeName]: "br-x",
    [OPTION.icc]: "F",
    [OPTION.ipMasquerade]: "0",
    [OPTION.hostBinding]: "127.0.0.1",
    [OPTION.mtu]: "1400",
    [OPTION.sourceCheck]: "off",
    [OPTION.probe]: "on",
    [OPTION.gatewayMode6]: "nat-unprotected",
  };
  expect(readBridgeOptions({ id, options })).toEqual({
    bridge: "br-x",
    icc: false,
    ipMasquerade: false,
    hostBinding: "127.0.0.1",
    mtu: 1400,
    sourceCheck: false,
    probe: true,
    routedInto: [6],
    isolated: false,
  });
});
