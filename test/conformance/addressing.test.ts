/** Addresses, routes, names and MACs: what the configuration asks for is in the result and in the kernel. */
import {
  type AnyResult,
  type Configuration,
  type Container,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("addr");
});
afterAll(() => lab?.close());

/** Configuration whose `ipam` section has further keys. */
function withIpam(network: TestNetwork, ipam: Configuration, keys: Configuration = {}): Configuration {
  return lab.bridge(network, { ipam: { ...lab.plugins.ipam([network.subnet]), ...ipam }, ...keys });
}

async function addTo(config: Configuration): Promise<{ container: Container; result: AnyResult }> {
  const container = await lab.container();
  return { container, result: await lab.add(container, config) };
}

const addresses = (result: AnyResult) => (result.ips ?? []).map(({ address }) => address).sort();

describe("without ipam", () => {
  const layer2 = (network: TestNetwork, cniVersion: string) => {
    const { ipam: _, isGateway: __, ipMasq: ___, ...config } = lab.bridge(network, { cniVersion });
    return config;
  };

  test.each(["0.3.0", "0.4.0", "1.0.0", "1.1.0"])("at %s: interfaces, no addresses", async (cniVersion) => {
    const network = lab.network();
    const { container, result } = await addTo(layer2(network, cniVersion));
    expect(result.interfaces?.map(({ name }) => name)).toEqual([network.bridge, expect.any(String), "eth0"]);
    expect(result.ips ?? []).toEqual([]);
    const [link] = await lab.inContainer<{ operstate: string }>(container, "link", "show", "eth0");
    expect(link?.operstate).toBe("UP");
    await lab.succeed("DEL", container, layer2(network, cniVersion));
    expect(await lab.containerLinks(container)).toEqual([]);
  });

  test.each(["0.1.0", "0.2.0"])(
    "at %s: an error that leaves nothing, since that version needs an address",
    async (cniVersion) => {
      const network = lab.network();
      const container = await lab.container();
      const before = await lab.traces(container, network);
      const error = await lab.fail("ADD", container, layer2(network, cniVersion));
      expect(error).toMatchObject({
        cniVersion,
        code: 7,
        msg: expect.stringContaining("no valid IP addresses"),
      });
      expect(await lab.traces(container, network)).toEqual(before);
      await lab.succeed("DEL", container, layer2(network, cniVersion));
    },
  );
});

describe("families", () => {
  test("dual stack: one address of each, gateways on the bridge, both default routes", async () => {
    const network = lab.network();
    const ipam = lab.plugins.ipam([network.subnet, network.subnet6]);
    const config = lab.bridge(network, { ipam });
    const { container, result } = await addTo(config);
    expect(await lab.containerAddresses(container)).toEqual(addresses(result));
    expect(result.ips).toHaveLength(2);
    expect(await lab.hostAddresses(network.bridge)).toHaveLength(2);
    for (const family of ["-4", "-6"]) {
      expect(await lab.inContainer(container, family, "route", "show", "default")).toHaveLength(1);
    }
    await lab.succeed("CHECK", container, { ...config, prevResult: result });
    await lab.succeed("DEL", container, config);
  });

  test("one IPv4 and two IPv6 addresses", async () => {
    const network = lab.network();
    const second6 = lab.network().subnet6;
    const config = lab.bridge(network, {
      ipam: lab.plugins.ipam([network.subnet, network.subnet6, second6]),
    });
    const { container, result } = await addTo(config);
    expect(result.ips).toHaveLength(3);
    expect(await lab.containerAddresses(container)).toEqual(addresses(result));
    expect(await lab.plugins.boundAddresses(network.name)).toHaveLength(3);
    await lab.succeed("DEL", container, config);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test.each(["0.1.0", "0.2.0"])(
    "at %s two addresses of a family are an error that leaves nothing",
    async (cniVersion) => {
      const network = lab.network();
      const container = await lab.container();
      const ipam = lab.plugins.ipam([network.subnet6, lab.network().subnet6]);
      const config = lab.bridge(network, { cniVersion, ipam });
      const before = await lab.traces(container, network);
      const error = await lab.fail("ADD", container, config);
      expect(error.msg).toContain(
        `CNI version ${cniVersion} does not support more than 1 address per family`,
      );
      expect(await lab.traces(container, network)).toEqual(before);
      await lab.succeed("DEL", container, config);
    },
  );

  test("IPv6 addresses are usable at once: none is tentative", async () => {
    const network = lab.network();
    const config = lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet6]) });
    const { container } = await addTo(config);
    const tentative = await lab.inContainer(
      container,
      "-6",
      "addr",
      "show",
      "dev",
      "eth0",
      "scope",
      "global",
      "tentative",
    );
    expect(tentative).toEqual([]);
    await lab.succeed("DEL", container, config);
  });
});

describe("routes", () => {
  test("mtu, advmss, priority, table and scope are in the result and in the kernel", async () => {
    const network = lab.network();
    const routes = [
      { dst: "0.0.0.0/0" },
      { dst: "192.0.2.0/24", mtu: 1300, advmss: 1200, priority: 77 },
      { dst: "198.51.100.0/24", table: 123, scope: 253 },
    ];
    const config = withIpam(network, { routes }, { cniVersion: "1.1.0" });
    const { container, result } = await addTo(config);
    expect(result.routes).toEqual(routes);
    const [detailed] = await lab.inContainer(container, "route", "show", "192.0.2.0/24");
    expect(detailed).toMatchObject({ metric: 77, metrics: [{ mtu: 1300, advmss: 1200 }] });
    const [inTable] = await lab.inContainer(container, "-d", "route", "show", "table", "123");
    expect(inTable).toMatchObject({ dst: "198.51.100.0/24", scope: "link" });
    await lab.succeed("CHECK", container, { ...config, prevResult: result });
    await lab.succeed("DEL", container, config);
  });

  test("a route through a gateway of its own", async () => {
    const network = lab.network();
    const gw = network.subnet.replace("0/24", "200");
    const config = withIpam(network, { routes: [{ dst: "192.0.2.0/24", gw }] });
    const { container, result } = await addTo(config);
    expect(result.routes).toEqual([{ dst: "192.0.2.0/24", gw }]);
    const [route] = await lab.inContainer(container, "route", "show", "192.0.2.0/24");
    expect(route).toMatchObject({ gateway: gw });
    await lab.succeed("DEL", container, config);
  });

  test("isDefaultGateway adds the default route, once", async () => {
    const network = lab.network();
    const config = withIpam(network, { routes: [] }, { isGateway: false, isDefaultGateway: true });
    const { container, result } = await addTo(config);
    const gw = network.subnet.replace("0/24", "1");
    expect(result.routes).toEqual([{ dst: "0.0.0.0/0", gw }]);
    expect(await lab.inContainer(container, "route", "show", "default")).toMatchObject([{ gateway: gw }]);
    expect(await lab.hostAddresses(network.bridge)).toEqual([`${gw}/24`]);
    await lab.succeed("DEL", container, config);
  });
});

describe("dns", () => {
  const RESOLV_CONF = "nameserver 192.0.2.53\nsearch from.ipam\noptions ndots:3\n";
  const FROM_IPAM = { nameservers: ["192.0.2.53"], search: ["from.ipam"], options: ["ndots:3"] };

  test.each([
    ["without dns, the IPAM plugin's counts", undefined, FROM_IPAM],
    ["with an empty dns, the IPAM plugin's counts", {}, FROM_IPAM],
    [
      "with any member set, dns replaces all of the IPAM plugin's",
      { domain: "a.test" },
      { domain: "a.test" },
    ],
    ["with an empty list of name servers, there are none", { nameservers: [] }, {}],
    ["with other name servers", { nameservers: ["192.0.2.1"] }, { nameservers: ["192.0.2.1"] }],
  ])("%s", async (_, dns, expected) => {
    const network = lab.network();
    const resolvConf = lab.lab.file("resolv.conf", RESOLV_CONF);
    const config = withIpam(network, { resolvConf }, dns === undefined ? {} : { dns });
    const { container, result } = await addTo(config);
    expect(result.dns ?? {}).toEqual(expected);
    await lab.succeed("DEL", container, config);
  });
});

test("the address has its broadcast address, on the container's link and on the bridge; single ones have none", async () => {
  const network = lab.network();
  const config = lab.bridge(network);
  const { container } = await addTo(config);
  interface Shown {
    readonly addr_info: readonly { readonly broadcast?: string }[];
  }
  const own = await lab.inContainer<Shown>(container, "-4", "addr", "show", "dev", "eth0");
  const gateway = await lab.onHost<Shown>("-4", "addr", "show", "dev", network.bridge);
  const broadcast = network.subnet.replace("0/24", "255");
  for (const links of [own, gateway])
    expect(links.flatMap(({ addr_info }) => addr_info)).toMatchObject([{ broadcast }]);
  await lab.succeed("DEL", container, config);
});

describe("MAC address", () => {
  const MACS = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"] as const;

  test.each([
    ["CNI_ARGS", `MAC=${MACS[0]}`, {}, MACS[0]],
    ["args.cni before CNI_ARGS", `MAC=${MACS[0]}`, { args: { cni: { mac: MACS[1] } } }, MACS[1]],
    [
      "runtimeConfig before both",
      `MAC=${MACS[0]}`,
      { args: { cni: { mac: MACS[1] } }, runtimeConfig: { mac: MACS[2] } },
      MACS[2],
    ],
    ["runtimeConfig alone, keys capitalised", "", { RuntimeConfig: { Mac: MACS[2] } }, MACS[2]],
    ["CNI_ARGS as kubelet sends them", `IgnoreUnknown=1;K8S_POD_NAME=a;MAC=${MACS[0]}`, {}, MACS[0]],
  ])("out of %s", async (...[_, args, keys, mac]) => {
    const container = { ...(await lab.container()), args };
    const config = lab.bridge(lab.network(), keys);
    const result = await lab.add(container, config);
    expect(await lab.mac(container)).toBe(mac);
    expect(result.interfaces?.[2]?.mac).toBe(mac);
    await lab.succeed("DEL", container, config);
  });

  test.each(["not-a-mac", "01:00:5e:00:00:01", "00:00:00:00:00:00"])(
    "%s is refused and leaves nothing",
    async (mac) => {
      const network = lab.network();
      const container = await lab.container();
      const before = await lab.traces(container, network);
      await lab.fail("ADD", container, lab.bridge(network, { runtimeConfig: { mac } }));
      expect(await lab.traces(container, network)).toEqual(before);
    },
  );

  test("the bridge keeps its MAC while containers come and go", async () => {
    const network = lab.network();
    const [low, high] = ["02:00:00:00:00:00", "fe:00:00:00:00:00"].map((mac) =>
      lab.bridge(network, { runtimeConfig: { mac } }),
    );
    if (low === undefined || high === undefined) throw new Error("two configurations");
    const [one, two] = [await lab.container(), await lab.container()];
    const macs: unknown[] = [];
    const note = async () =>
      macs.push((await lab.onHost<{ address: string }>("link", "show", network.bridge))[0]?.address);
    await lab.add(two, high);
    await note();
    await lab.add(one, low);
    await note();
    await lab.succeed("DEL", two, high);
    await note();
    await lab.succeed("DEL", one, low);
    await note();
    expect(new Set(macs).size).toBe(1);
  });
});

describe("a range set of several subnets", () => {
  test.each([{}, { forceAddress: true }])("when one is full the next has a gateway too: %j", async (keys) => {
    const [network, next] = [lab.network(), lab.network()];
    const only = network.subnet.replace("0/24", "10");
    const ranges = [[{ subnet: network.subnet, rangeStart: only, rangeEnd: only }, { subnet: next.subnet }]];
    const ipam = { ...lab.plugins.ipam([]), ranges };
    const config = lab.bridge(network, { isDefaultGateway: true, isolation: true, ipam, ...keys });
    const [first, second] = [await addTo(config), await addTo(config)];
    const gateways = [network, next].map(({ subnet }) => subnet.replace("0/24", "1"));
    for (const [index, { container, result }] of [first, second].entries()) {
      expect(result.ips?.map(({ gateway }) => gateway)).toEqual([gateways[index]]);
      const [route] = await lab.inContainer<{ gateway: string }>(container, "-4", "route", "show", "default");
      expect(route?.gateway).toBe(gateways[index]);
    }
    expect(await lab.hostAddresses(network.bridge)).toEqual(
      gateways.map((gateway) => `${gateway}/24`).sort(),
    );
    for (const { container, result } of [first, second])
      await lab.succeed("CHECK", container, { ...config, prevResult: result });
    for (const { container } of [first, second]) await lab.succeed("DEL", container, config);
  });

  test("a gateway that no range of the configuration has is in the way, as ever", async () => {
    const [network, next] = [lab.network(), lab.network()];
    const config = lab.bridge(network);
    const { container: holder } = await addTo(config);
    const other = withIpam(next, {}, { bridge: network.bridge });
    const error = await lab.fail("ADD", await lab.container(), other);
    expect(error).toMatchObject({ code: 104, msg: expect.stringContaining("two would conflict") });
    await lab.succeed("DEL", holder, config);
  });
});

describe("requested addresses", () => {
  const wanted = (network: TestNetwork) => network.subnet.replace("0/24", "42");

  test.each([
    ["runtimeConfig.ips", (address: string) => ({ keys: { runtimeConfig: { ips: [`${address}/24`] } } })],
    ["args.cni.ips", (address: string) => ({ keys: { args: { cni: { ips: [address] } } } })],
    ["CNI_ARGS IP", (address: string) => ({ keys: {}, args: `IgnoreUnknown=1;IP=${address}` })],
  ])("by %s", async (_, ask) => {
    const network = lab.network();
    const { keys, args } = { args: "", ...ask(wanted(network)) };
    const container = { ...(await lab.container()), args };
    const result = await lab.add(container, lab.bridge(network, keys));
    expect(addresses(result)).toEqual([`${wanted(network)}/24`]);
    await lab.succeed("DEL", container, lab.bridge(network));
  });

  test("one that somebody else has is refused and leaves nothing", async () => {
    const network = lab.network();
    const config = lab.bridge(network, { runtimeConfig: { ips: [wanted(network)] } });
    const { container: holder } = await addTo(config);
    const container = await lab.container();
    const before = await lab.traces(container, network);
    const error = await lab.fail("ADD", container, config);
    expect(error.msg).toContain(wanted(network));
    expect(await lab.traces(container, network)).toEqual(before);
    await lab.succeed("DEL", holder, config);
  });

  test("ranges of the runtime come before those of the configuration", async () => {
    const network = lab.network();
    const ipRanges = [[{ subnet: network.subnet, rangeStart: wanted(network), rangeEnd: wanted(network) }]];
    const config = lab.bridge(network, {
      runtimeConfig: { ipRanges },
      ipam: { ...lab.plugins.ipam([]), routes: [{ dst: "0.0.0.0/0" }] },
    });
    const { container, result } = await addTo(config);
    expect(addresses(result)).toEqual([`${wanted(network)}/24`]);
    await lab.succeed("DEL", container, config);
  });

  test("subnet, rangeStart, rangeEnd and gateway outside of ranges", async () => {
    const network = lab.network();
    const { ranges: _, ...ipam } = lab.plugins.ipam([network.subnet]);
    const at = (last: number) => network.subnet.replace("0/24", String(last));
    const single = { subnet: network.subnet, rangeStart: at(30), rangeEnd: at(31), gateway: at(9) };
    const config = lab.bridge(network, { ipam: { ...ipam, ...single } });
    const { container, result } = await addTo(config);
    expect(result.ips).toMatchObject([{ address: `${at(30)}/24`, gateway: at(9) }]);
    await lab.succeed("DEL", container, config);
  });
});

describe("keys in another case", () => {
  test("mean the same", async () => {
    const network = lab.network();
    const { bridge, isGateway, ipMasq, ipam, name, ...rest } = lab.bridge(network);
    const config = {
      ...rest,
      Name: name,
      BRIDGE: bridge,
      isgateway: isGateway,
      IPMASQ: ipMasq,
      IPAM: ipam,
      MTU: 1400,
    };
    const { container, result } = await addTo(config);
    expect(result.interfaces?.[0]?.name).toBe(network.bridge);
    expect(await lab.hostAddresses(network.bridge)).toHaveLength(1);
    const [link] = await lab.inContainer<{ mtu: number }>(container, "link", "show", "eth0");
    expect(link?.mtu).toBe(1400);
    await lab.succeed("DEL", container, config);
  });

  test("mtu is in the result as it is in the kernel", async () => {
    const config = lab.bridge(lab.network(), { cniVersion: "1.1.0", mtu: 1380 });
    const { container, result } = await addTo(config);
    expect(result.interfaces?.map(({ mtu }) => mtu)).toEqual([1380, 1380, 1380]);
    const [link] = await lab.inContainer<{ mtu: number }>(container, "link", "show", "eth0");
    expect(link?.mtu).toBe(1380);
    await lab.succeed("DEL", container, config);
  });

  test("null and unknown keys are ignored", async () => {
    const config = lab.bridge(lab.network(), {
      mtu: null,
      dns: null,
      runtimeConfig: null,
      "io.example/x": { a: 1 },
    });
    const { container } = await addTo(config);
    await lab.succeed("DEL", container, config);
  });
});
