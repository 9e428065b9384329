/**
 * Whoever is on a link can call itself a router. The host and its containers are led by nobody but the host, unless the
 * network is somebody else's.
 */
import { canPing } from "../support/lab/lab.ts";
import { command } from "../support/lab/lab-process.ts";
import {
  type Configuration,
  type Container,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";
import { ADVERTISED_PREFIX, advertiseRouter } from "../support/traffic/router-advertisement.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("ra");
});
afterAll(() => lab?.close());

interface Shown {
  readonly addr_info: readonly { readonly family: string; readonly local: string }[];
}

const sysctlIn = async (netns: string, ...words: readonly string[]) =>
  (await command(["nsenter", `--net=${netns}`, "sysctl", ...words])).trim();

async function ipv6Of(container: Container): Promise<string[]> {
  const [link] = await lab.inContainer<Shown>(container, "-6", "addr", "show", "dev", "eth0");
  return (link?.addr_info ?? []).map(({ local }) => local);
}

const advertised = (addresses: readonly string[]) =>
  addresses.filter((address) => address.startsWith(ADVERTISED_PREFIX));

/** Routes of the host that a router gave it, by a link. */
const hostRoutes = (link: string) => lab.onHost("-6", "route", "show", "dev", link, "proto", "ra");

async function attach(config: Configuration): Promise<{ container: Container; address: string }> {
  const container = await lab.container();
  const { ips = [] } = await lab.add(container, config);
  return { container, address: ips[0]?.address.replace(/\/\d+$/, "") ?? "" };
}

/** Sends the advertisement, and waits until the target has read it: frames of one link stay in order. */
async function advertise({ container }: { container: Container }, target: string): Promise<void> {
  await advertiseRouter(container.netns, "eth0");
  expect(await canPing(container.netns, target)).toBe(true);
}

const gatewayOf = ({ subnet }: TestNetwork) => subnet.replace("0/24", "1");

describe("the host", () => {
  test("gets no route by a bridge that was there before, and by which it takes advertisements", async () => {
    const network = lab.network();
    await lab.lab.host(["ip", "link", "add", network.bridge, "type", "bridge"]);
    await lab.lab.host(["ip", "link", "set", network.bridge, "up"]);
    const rogue = await attach(lab.bridge(network));
    await advertise(rogue, gatewayOf(network));
    expect(await hostRoutes(network.bridge)).toEqual([]);
    const [link] = await lab.onHost<Shown>("-6", "addr", "show", "dev", network.bridge);
    expect(advertised((link?.addr_info ?? []).map(({ local }) => local))).toEqual([]);
  });
});

describe("a container", () => {
  test("of a network without IPv6 has none", async () => {
    const network = lab.network();
    const [victim, rogue] = [await attach(lab.bridge(network)), await attach(lab.bridge(network))];
    await advertise(rogue, victim.address);
    expect(await ipv6Of(victim.container)).toEqual([]);
    expect(await lab.inContainer(victim.container, "-6", "route", "show", "default")).toEqual([]);
  });

  test("of a network with IPv6 has the network's addresses and default route alone", async () => {
    const network = lab.network();
    const config = lab.bridge(network, {
      isDefaultGateway: true,
      ipam: lab.plugins.ipam([network.subnet, network.subnet6]),
    });
    const [victim, rogue] = [await attach(config), await attach(config)];
    await advertise(rogue, victim.address);
    expect(advertised(await ipv6Of(victim.container))).toEqual([]);
    const gateway = network.subnet6.replace("/64", "1");
    expect(await lab.inContainer(victim.container, "-6", "route", "show", "default")).toMatchObject([
      { gateway },
    ]);
  });

  test("is led by the routers of a network that the bridge is not the gateway of, unless it is told not to be", async () => {
    const network = lab.network();
    const ipam = lab.plugins.ipam([network.subnet]);
    const keys = { isGateway: false, ipMasq: false, ipam };
    const follower = await attach(lab.bridge(network, keys));
    const stubborn = await attach(lab.bridge(network, { ...keys, routerAdvertisements: false }));
    const router = await attach(lab.bridge(network, keys));
    for (const { address } of [follower, stubborn]) await advertise(router, address);
    expect(advertised(await ipv6Of(follower.container))).toHaveLength(1);
    expect(await ipv6Of(stubborn.container)).toEqual([]);
  });

  test("of a macvlan is led by its LAN, unless it is told not to be", async () => {
    const network = lab.network();
    await lab.lab.host(["ip", "link", "add", network.bridge, "type", "veth", "peer", `${network.bridge}p`]);
    for (const end of [network.bridge, `${network.bridge}p`])
      await lab.lab.host(["ip", "link", "set", end, "up"]);
    const { bridge: _, isGateway: __, ipMasq: ___, ...rest } = lab.bridge(network);
    const onLan = { ...rest, type: "fairlead-macvlan", master: network.bridge };
    const follower = await attach(onLan);
    const stubborn = await attach({ ...onLan, routerAdvertisements: false });
    const router = await attach(onLan);
    for (const { address } of [follower, stubborn]) await advertise(router, address);
    expect(advertised(await ipv6Of(follower.container))).toHaveLength(1);
    expect(await ipv6Of(stubborn.container)).toEqual([]);
  });
});

test("a route of IPv6 in the list of an IPv4 network is left out, which CHECK finds right", async () => {
  const network = lab.network();
  const ipam = lab.plugins.ipam([network.subnet]);
  const config = lab.bridge(network, { ipam: { ...ipam, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] } });
  const container = await lab.container();
  const result = await lab.add(container, config);
  expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }]);
  expect(await ipv6Of(container)).toEqual([]);
  await lab.succeed("CHECK", container, { ...config, prevResult: result });
});

describe("a namespace that has IPv6 switched off", () => {
  async function closed(): Promise<Container> {
    const container = await lab.container();
    await sysctlIn(container.netns, "-qw", "net.ipv6.conf.all.disable_ipv6=1");
    return container;
  }
  const stateOf = ({ netns }: Container) => sysctlIn(netns, "-n", "net.ipv6.conf.eth0.disable_ipv6");

  test("stays so: of a network with both families the container has IPv4, which CHECK finds right", async () => {
    const network = lab.network();
    const ipam = lab.plugins.ipam([network.subnet, network.subnet6]);
    const config = lab.bridge(network, {
      ipam: { ...ipam, routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] },
    });
    const container = await closed();
    const result = await lab.add(container, config);
    expect(result.ips).toHaveLength(1);
    expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }]);
    expect([await stateOf(container), await ipv6Of(container)]).toEqual(["1", []]);
    await lab.succeed("CHECK", container, { ...config, prevResult: result });
    await lab.succeed("DEL", container, config);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("refuses a network that has nothing but IPv6, and an IPv6 address that was asked for", async () => {
    const network = lab.network();
    const container = await closed();
    const before = await lab.traces(container, network);
    const only6 = lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet6]) });
    expect(await lab.fail("ADD", container, only6)).toMatchObject({
      code: 2,
      msg: expect.stringContaining("IPv6 switched off"),
    });
    expect(await lab.traces(container, network)).toEqual(before);
    const both = lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet, network.subnet6]) });
    const asked = { ...both, args: { cni: { ips: [network.subnet6.replace("/64", "77")] } } };
    expect(await lab.fail("ADD", container, asked)).toMatchObject({ code: 2 });
  });

  test("is not meant by one that only starts new links without IPv6, as container engines do", async () => {
    const network = lab.network();
    const container = await lab.container();
    await sysctlIn(container.netns, "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    const result = await lab.add(
      container,
      lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet6]) }),
    );
    expect(await lab.containerAddresses(container)).toEqual(result.ips?.map(({ address }) => address));
  });
});

test("an IPv6 address stays while the container's link is down, and nothing waits for duplicates", async () => {
  const network = lab.network();
  const { container, address } = await attach(
    lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet6]) }),
  );
  const value = (key: string) => sysctlIn(container.netns, "-n", `net.ipv6.conf.eth0.${key}`);
  expect([await value("keep_addr_on_down"), await value("accept_dad")]).toEqual(["1", "0"]);
  const name = container.netns.slice("/run/netns/".length);
  for (const state of ["down", "up"]) await command(["ip", "-n", name, "link", "set", "eth0", state]);
  expect(await ipv6Of(container)).toContain(address);
});
