/**
 * The process-level scenarios of the reference's own integration suite, with the bridge and the IPAM under test in
 * place of `bridge` and `host-local`: basic-bridge, chained bridge + bandwidth, basic-ptp, chained ptp + bandwidth.
 * And the IPAM under test under the reference's interface plugins, dual stack.
 *
 * The reference measures that a shaped transfer takes a second longer. Here the same is seen without a clock: the
 * shaper of the chained container drops what exceeds its burst, the other container loses nothing.
 *
 * Source: containernetworking/plugins, integration/integration_linux_test.go and integration/testdata.
 */
import { canPing, HOST_IPV4, INTERNET_IPV4, inNetns, Lab } from "../support/lab/lab.ts";
import {
  type Attachment,
  type CniResult,
  type Conflist,
  ConflistRunner,
  type PluginConfiguration,
} from "../support/lab/lab-conflist.ts";
import { leftovers } from "../support/lab/lab-leftovers.ts";
import { type PluginsUnderTest, pluginsUnderTest } from "../support/lab/lab-plugins.ts";
import { command, requireTools, tryCommand } from "../support/lab/lab-process.ts";

jest.setTimeout(60_000);

/** 8 kbit/s, in bits; a burst of 2,000 bytes. The spelling of the key is the reference suite's. */
const SHAPED = { ingressRate: 8000, ingressBurst: 16000, egressRate: 8000, egressBurst: 16000 };
const BANDWIDTH: PluginConfiguration = { type: "bandwidth", runtimeConfig: { bandWidth: SHAPED } };

let lab: Lab;
let plugins: PluginsUnderTest;

beforeAll(async () => {
  requireTools("tc");
  lab = await Lab.open("refscn");
  plugins = pluginsUnderTest(lab);
  await plugins.start();
});

afterAll(() => lab.close());

/** The `ipam` section of the reference's test data: one legacy `subnet` key, no routes. */
function legacyIpam(subnet: string): Record<string, unknown> {
  const { ranges: _ranges, routes: _routes, ...rest } = plugins.ipam([subnet]);
  return { ...rest, subnet };
}

function runnerOf(name: string, ...list: readonly PluginConfiguration[]): ConflistRunner {
  const conflist: Conflist = { cniVersion: "0.3.1", name, plugins: list };
  return new ConflistRunner(lab, plugins.cniPath, conflist);
}

async function newAttachment(name: string): Promise<Attachment> {
  return { containerId: name, ifname: "eth0", netns: await lab.addContainer(name) };
}

function addressesOf(result: CniResult): string[] {
  return (result.ips ?? []).map(({ address }) => address.split("/")[0] ?? "");
}

/** How many of five large echo requests the netns at `path` gets answered. */
async function repliesOfLargePings(path: string, target: string): Promise<number> {
  const ping = ["ping", "-n", "-q", "-s", "1400", "-c", "5", "-i", "0.2", "-W", "1", target];
  const { stdout } = await tryCommand(inNetns(path, ...ping));
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? -1);
}

describe("basic-bridge and chained-bridge-bandwidth, both under one network name", () => {
  let basic: ConflistRunner;
  let chained: ConflistRunner;
  let basicContainer: Attachment;
  let chainedContainer: Attachment;

  beforeAll(async () => {
    const bridge = (name: string, subnet: string): PluginConfiguration => ({
      type: plugins.bridgeType,
      bridge: name,
      isDefaultGateway: true,
      ipam: legacyIpam(subnet),
    });
    basic = runnerOf("network-chain-test", bridge("test-bridge-0", "10.11.2.0/24"));
    chained = runnerOf("network-chain-test", bridge("test-bridge-1", "10.12.2.0/24"), BANDWIDTH);
    chainedContainer = await newAttachment("cont1");
    basicContainer = await newAttachment("cont2");
  });

  test("each container has an address of its own list's subnet", async () => {
    const chainedResult = await chained.add(chainedContainer);
    const basicResult = await basic.add(basicContainer);
    expect(addressesOf(chainedResult)).toEqual([expect.stringMatching(/^10\.12\.2\./)]);
    expect(addressesOf(basicResult)).toEqual([expect.stringMatching(/^10\.11\.2\./)]);
    const shown = await command(inNetns(basicContainer.netns, "ip", "addr"));
    expect(shown).toContain(addressesOf(basicResult)[0]);
  });

  test("the chained container has a default route through its gateway", async () => {
    const routes = await command(inNetns(chainedContainer.netns, "ip", "route"));
    expect(routes).toContain("default via 10.12.2.1 dev eth0");
  });

  test("traffic is limited on the chained container's link only", async () => {
    expect(await repliesOfLargePings(basicContainer.netns, "10.11.2.1")).toBe(5);
    const replies = await repliesOfLargePings(chainedContainer.netns, "10.12.2.1");
    expect(replies).toBeGreaterThan(0);
    expect(replies).toBeLessThan(5);
  });

  test("DEL of both leaves nothing, the shaper's devices included", async () => {
    await chained.del(chainedContainer);
    await basic.del(basicContainer);
    const bridges = ["test-bridge-0", "test-bridge-1"];
    const gone = {
      networkName: "network-chain-test",
      bridges,
      addresses: [],
      containerIds: ["cont1", "cont2"],
    };
    expect(await leftovers(lab, plugins, gone)).toEqual([]);
  });
});

describe("the IPAM under test below the reference's ptp", () => {
  const ptp = (subnet: string): PluginConfiguration => ({
    type: "ptp",
    ipMasq: true,
    mtu: 512,
    ipam: { ...legacyIpam(subnet), routes: [{ dst: "0.0.0.0/0" }] },
  });

  test.each([
    ["basic-ptp", "10.1.2.0/24", "10.1.2.", []],
    ["chained-ptp-bandwidth", "10.9.2.0/24", "10.9.2.", [BANDWIDTH]],
  ] as const)("%s", async (...[name, subnet, prefix, chained]) => {
    const runner = runnerOf(name, ptp(subnet), ...chained);
    const container = await newAttachment(name);
    const addresses = addressesOf(await runner.add(container));
    expect(addresses).toEqual([expect.stringContaining(prefix)]);
    expect(await plugins.boundAddresses(name)).toEqual(addresses);
    expect(await canPing(container.netns, HOST_IPV4)).toBe(true);
    expect(await canPing(container.netns, INTERNET_IPV4)).toBe(true);
    await runner.del(container);
    await runner.del({ ...container, netns: "" });
    const bridges = ["test-bridge-0", "test-bridge-1"];
    expect(
      await leftovers(lab, plugins, { networkName: name, bridges, addresses, containerIds: [name] }),
    ).toEqual([]);
  });
});

describe("the IPAM under test below the reference's bridge and macvlan, dual stack", () => {
  const subnets = (number: number) => [`10.77.${number}.0/24`, `fd00:77:${number}::/64`];

  test.each([
    ["bridge", { type: "bridge", bridge: "refbridge0", isGateway: true, ipMasq: true }, 1],
    ["macvlan", { type: "macvlan", master: "macmaster0", mode: "bridge" }, 2],
  ] as const)(
    "two containers on the reference's %s ping each other",
    async (name, interfacePlugin, number) => {
      if (name === "macvlan") await addMacvlanMaster();
      const runner = runnerOf(`ref-${name}`, { ...interfacePlugin, ipam: plugins.ipam(subnets(number)) });
      const [first, second] = [await newAttachment(`${name}-1`), await newAttachment(`${name}-2`)];
      const results = [await runner.add(first), await runner.add(second)];
      const held = results.flatMap(addressesOf);
      expect(await plugins.boundAddresses(`ref-${name}`)).toEqual([...held].sort());
      for (const address of addressesOf(results[1] ?? { cniVersion: "" })) {
        expect([address, await canPing(first.netns, address)]).toEqual([address, true]);
      }
      await runner.del(first);
      await runner.del(second);
      expect(await plugins.boundAddresses(`ref-${name}`)).toEqual([]);
    },
  );

  async function addMacvlanMaster(): Promise<void> {
    await lab.host(["ip", "link", "add", "macmaster0", "type", "veth", "peer", "name", "macpeer0"]);
    await lab.host(["ip", "link", "set", "macmaster0", "up"]);
    await lab.host(["ip", "link", "set", "macpeer0", "up"]);
  }
});
