import type { CreateNetworkRequest, Network } from "../../lib/ipam/api.ts";
import { parseConflist } from "../../lib/runtime/conflist.ts";
import { openTestService, type TestService } from "../../test/support/ipam/ipam-fronts.ts";
import { conflistOf } from "./conflist.ts";
import { planBridge } from "./drivers/bridge/plan.ts";
import type { ConflistSettings } from "./drivers/driver.ts";
import { NodeNetlink } from "./drivers/node-netlink.ts";
import { onThisNode } from "./drivers.ts";

const SETTINGS: ConflistSettings = {
  serverSocket: "/run/fairlead/fairlead.sock",
  stateDir: "/var/lib/fairlead",
  answersNames: true,
  searchDomains: [],
};
const CALLER = { actor: "test", node: "n1" };

let under: TestService;
beforeAll(async () => {
  under = await openTestService();
});
afterAll(() => under.service.close());

function create(request: CreateNetworkRequest): Promise<Network> {
  return under.service.createNetwork(request, CALLER);
}

function written(network: Network, settings = SETTINGS) {
  return conflistOf(onThisNode(network), settings);
}

function plugins(network: Network, settings = SETTINGS): Record<string, unknown>[] {
  return JSON.parse(written(network, settings)?.text ?? "").plugins;
}

test("a bridge network, whole", async () => {
  const network = await create({
    name: "web",
    subnets: [{ subnet: "10.1.0.0/24" }, { subnet: "fd00:1::/64", gateway: "fd00:1::9" }],
  });
  const { fileName, text } = written(network) ?? { fileName: "", text: "" };
  expect(fileName).toBe("85-fairlead-web.conflist");
  expect(JSON.parse(text)).toEqual({
    cniVersion: "1.0.0",
    cniVersions: ["0.4.0", "1.0.0", "1.1.0"],
    name: "web",
    disableGC: true,
    fairlead: { networkId: network.id },
    plugins: [
      {
        type: "fairlead-bridge",
        bridge: `fl-${network.id.slice(0, 12)}`,
        isGateway: true,
        isDefaultGateway: true,
        ipMasq: true,
        hairpinMode: true,
        isolation: true,
        internal: false,
        portIsolation: false,
        sourceCheck: true,
        directRouting4: false,
        directRouting6: false,
        gatewayPriority: 0,
        publishPorts: true,
        ipam: { type: "fairlead-ipam" },
        dns: { nameservers: ["10.1.0.1", "fd00:1::9"], options: ["ndots:0"] },
        capabilities: { ips: true, mac: true, aliases: true, portMappings: true },
      },
    ],
  });
  // What a runtime reads.
  expect(parseConflist(new TextEncoder().encode(text), fileName).name).toBe("web");
});

test("the network of a bridge is asked for addresses where the option says so", async () => {
  const network = await create({ name: "asked", options: { "com.fairlead.probe": "on" } });
  expect(plugins(network)[0]).toMatchObject({ probe: true });
  const options = { "com.fairlead.probe": "off" };
  expect(plugins({ ...network, options })[0]).not.toHaveProperty("probe");
});

test("an internal network has no default route and is not masqueraded", async () => {
  const network = await create({ name: "inner", internal: true });
  expect(plugins(network)[0]).toMatchObject({
    isDefaultGateway: false,
    ipMasq: false,
    internal: true,
    isolation: true,
  });
  expect(planBridge(network)).toMatchObject({ internal: true, masquerades: false });
});

test("Docker's options do what they do there", async () => {
  const network = await create({
    name: "opts",
    options: {
      "com.docker.network.bridge.name": "br-opts",
      "com.docker.network.bridge.enable_icc": "false",
      "com.docker.network.bridge.enable_ip_masquerade": "0",
      "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
      "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
      "com.docker.network.driver.mtu": "1400",
    },
  });
  expect(plugins(network)).toEqual([
    expect.objectContaining({
      bridge: "br-opts",
      portIsolation: true,
      directRouting4: true,
      directRouting6: false,
      ipMasq: false,
      mtu: 1400,
      publishPorts: true,
      hostBinding: "127.0.0.1",
    }),
  ]);
  expect(planBridge(network)).toMatchObject({
    bridge: "br-opts",
    separate: true,
    closed: [6],
    masquerades: false,
    mtu: 1400,
  });
});

test("gateway mode isolated: a bridge without an address, and containers without gateway or names", async () => {
  const mode = "com.docker.network.bridge.gateway_mode_ipv";
  const network = await create({
    name: "alone",
    internal: true,
    ipv6: true,
    options: { [`${mode}4`]: "isolated", [`${mode}6`]: "isolated" },
  });
  expect(planBridge(network)).toMatchObject({ gateways: [], internal: true, isolated: true });
  const [bridge] = plugins(network);
  expect(bridge).toMatchObject({ isGateway: false, isDefaultGateway: false, routerAdvertisements: false });
  expect(bridge).not.toHaveProperty("dns");
  const subnets = network.pools.flatMap((pool) => pool.subnets.map(({ subnet }) => subnet));
  const { text = "" } = written(network) ?? {};
  expect(JSON.parse(text)).toMatchObject({ fairlead: { networkId: network.id, subnets } });
});

test("another socket or state directory is named, and without names there is no dns section", async () => {
  const network = await create({ name: "elsewhere" });
  const [bridge] = plugins(network, {
    serverSocket: "/tmp/s",
    stateDir: "/tmp/d",
    answersNames: false,
    searchDomains: ["corp.example"],
  });
  expect(bridge?.["ipam"]).toEqual({ type: "fairlead-ipam", socket: "/tmp/s", stateDir: "/tmp/d" });
  expect(bridge).not.toHaveProperty("dns");
});

test("the host's search domains are a network's, but an internal one's, whose names of the world nobody answers", async () => {
  const settings = { ...SETTINGS, searchDomains: ["corp.example", "lan"] };
  const network = await create({ name: "searching", subnets: [{ subnet: "10.14.0.0/24" }] });
  const dns = { nameservers: ["10.14.0.1"], options: ["ndots:0"] };
  expect(plugins(network, settings)[0]?.["dns"]).toEqual({ ...dns, search: ["corp.example", "lan"] });
  expect(plugins({ ...network, internal: true }, settings)[0]?.["dns"]).toEqual(dns);
});

test("a network without a gateway gives none to the bridge", async () => {
  const network = await create({ name: "nogw", subnets: [{ subnet: "10.3.0.0/24", gateway: null }] });
  expect(planBridge(network).gateways).toEqual([]);
  expect(plugins(network)[0]).not.toHaveProperty("dns");
});

test("macvlan has its parent, and IPAM where there are subnets", async () => {
  const plain = await create({
    name: "mv",
    driver: "macvlan",
    options: { parent: "eth9", macvlan_mode: "private" },
  });
  expect(plugins(plain)).toEqual([
    {
      type: "fairlead-macvlan",
      master: "eth9",
      mode: "private",
      capabilities: { ips: true, mac: true, aliases: true },
    },
  ]);
  expect(onThisNode(plain).routed).toBeNull();
  const given = await create({
    name: "mv2",
    driver: "macvlan",
    subnets: [{ subnet: "10.4.0.0/24" }],
    options: { parent: "eth9" },
  });
  expect(plugins(given)[0]).toMatchObject({
    isDefaultGateway: true,
    gatewayPriority: 0,
    routerAdvertisements: false,
    probe: true,
    ipam: { type: "fairlead-ipam" },
  });
  const unasked = { ...given, options: { ...given.options, "com.fairlead.probe": "off" } };
  expect(plugins(unasked)[0]).toMatchObject({ probe: false });
  expect(plugins({ ...given, internal: true })[0]).toMatchObject({ isDefaultGateway: false });
});

test("macvlan has the size of packets that its options say, as a number", async () => {
  const network = await create({
    name: "mv3",
    driver: "macvlan",
    options: { parent: "eth9", "com.docker.network.driver.mtu": "1400" },
  });
  expect(plugins(network)[0]).toMatchObject({ mtu: 1400 });
});

test("a macvlan network is usable where its parent is, and one that has none always is", async () => {
  const host = new NodeNetlink("test", () => {});
  const network = await create({ name: "mv4", driver: "macvlan", options: { parent: "lo" } });
  const over = (options: Network["options"]) => (): void =>
    onThisNode({ ...network, options }).requireUsable(host);
  try {
    over({ parent: "lo" })();
    over({})();
    expect(over({ parent: "nosuchlink" })).toThrow(
      expect.objectContaining({
        code: "not-found",
        object: "mv4",
        reason: "this host has no link nosuchlink, so no container can be attached",
      }),
    );
  } finally {
    host.close();
  }
});

test("a bridge network is routed, with IPv6 as soon as one of its subnets is of it", async () => {
  const subnets = [{ subnet: "10.15.0.0/24" }, { subnet: "fd00:15::/64" }];
  const both = await create({ name: "both", subnets });
  const one = await create({ name: "one", subnets: [{ subnet: "10.16.0.0/24" }] });
  expect([both, one].map((network) => onThisNode(network).routed?.hasIpv6)).toEqual([true, false]);
});

test("the predefined bridge comes first, host, none and drivers that nobody here knows are no conflists, declared networks have their own", async () => {
  const network = await create({ name: "any" });
  const options = { "com.docker.network.bridge.name": "fl-bridge0" };
  const bridge: Network = { ...network, name: "bridge", origin: "predefined", options };
  expect(written(bridge)?.fileName).toBe("80-fairlead-bridge.conflist");
  expect(planBridge(bridge).bridge).toBe("fl-bridge0");
  for (const driver of ["host", "null", "newer-than-this-agent"])
    expect(written({ ...bridge, driver })).toBeNull();
  const declared: Network = { ...network, origin: "conflist" };
  expect([written(declared), onThisNode(declared).routed]).toEqual([null, null]);
});
