/** `gatewayPriority`: which of a container's networks has its default route, judged by `ip route get` and by who answers. */
import { canPing } from "../support/lab/lab.ts";
import { command } from "../support/lab/lab-process.ts";
import { MacvlanLab, type Wire } from "../support/lab/macvlan-lab.ts";
import type { AnyResult, Configuration, Container, TestNetwork } from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: MacvlanLab;
beforeAll(async () => {
  lab = await MacvlanLab.open("gwp");
});
afterAll(() => lab?.close());

/** Somewhere behind the default route: an address that each far end has. */
const [FAR, FAR6] = ["203.0.113.1", "2001:db8:cafe::1"] as const;

/** A dual-stack macvlan network whose gateway is the far end of its wire. */
interface RoutedNetwork {
  readonly network: TestNetwork;
  readonly wire: Wire;
}

async function routedNetwork(): Promise<RoutedNetwork> {
  const [network, wire] = [lab.base.network(), await lab.wire()];
  const far = wire.far.slice("/run/netns/".length);
  const gateways = [network.subnet.replace("0/24", "1/24"), network.subnet6.replace("::/64", "::1/64")];
  for (const address of [...gateways, `${FAR}/32`, `${FAR6}/128`]) {
    await command(["ip", "-n", far, "addr", "add", address, "dev", "wire0", "nodad"]);
  }
  return { network, wire };
}

function configOf({ network, wire }: RoutedNetwork, keys: Configuration = {}): Configuration {
  const ipam = lab.base.plugins.ipam([network.subnet, network.subnet6]);
  return lab.config(network, wire, { ipam, ...keys });
}

const at = (container: Container, number: number): Container => ({ ...container, ifname: `eth${number}` });

/** Attaches a container to networks, one after the other, as eth0, eth1, … Returns their results. */
async function attachAll(container: Container, configs: readonly Configuration[]): Promise<AnyResult[]> {
  const results: AnyResult[] = [];
  for (const [number, config] of configs.entries())
    results.push(await lab.add(at(container, number), config));
  return results;
}

/** The interface that the container's packets to everywhere leave by, in both families, which must agree. */
async function wayOut(container: Container): Promise<string | undefined> {
  const look = async (target: string) =>
    (await lab.base.inContainer<{ dev: string }>(container, "route", "get", target))[0]?.dev;
  const ways = [await look(FAR), await look(FAR6)];
  expect(new Set(ways).size).toBe(1);
  return ways[0];
}

/** Pings in both families come back, and they went by this network: without its wire the first family's do not. */
async function expectAnswersFrom({ network, wire }: RoutedNetwork, container: Container): Promise<void> {
  const far = wire.far.slice("/run/netns/".length);
  expect([await canPing(container.netns, FAR), await canPing(container.netns, FAR6)]).toEqual([true, true]);
  await command(["ip", "-n", far, "link", "set", "wire0", "down"]);
  expect(await canPing(container.netns, FAR)).toBe(false);
  await command(["ip", "-n", far, "link", "set", "wire0", "up"]);
  // IPv6 addresses go when a link goes down.
  for (const address of [`${FAR6}/128`, network.subnet6.replace("::/64", "::1/64")]) {
    await command(["ip", "-n", far, "addr", "replace", address, "dev", "wire0", "nodad"]);
  }
}

test("the highest wins, whichever came first; when it goes the next takes over", async () => {
  const networks = [await routedNetwork(), await routedNetwork(), await routedNetwork()] as const;
  const [low, high, middle] = networks;
  const container = await lab.base.container();
  const configs = [
    configOf(low, { gatewayPriority: -3 }),
    configOf(high, { gatewayPriority: 100 }),
    configOf(middle, { gatewayPriority: 99 }),
  ] as const;
  const results = await attachAll(container, configs);
  expect(await wayOut(container)).toBe("eth1");
  await expectAnswersFrom(high, container);
  for (const [number, config] of configs.entries()) {
    await lab.succeed("CHECK", at(container, number), { ...config, prevResult: results[number] });
  }
  await lab.succeed("DEL", at(container, 1), configs[1]);
  expect(await wayOut(container)).toBe("eth2");
  await expectAnswersFrom(middle, container);
  await lab.succeed("DEL", at(container, 2), configs[2]);
  expect(await wayOut(container)).toBe("eth0");
  await expectAnswersFrom(low, container);
  await lab.succeed("DEL", at(container, 0), configs[0]);
});

test("among equals the first stays, also when one between them comes and goes", async () => {
  const networks = [await routedNetwork(), await routedNetwork(), await routedNetwork()] as const;
  const configs = networks.map((each) => configOf(each, { gatewayPriority: 0 }));
  const container = await lab.base.container();
  await attachAll(container, configs);
  expect(await wayOut(container)).toBe("eth0");
  const [, second = {}] = configs;
  await lab.succeed("DEL", at(container, 1), second);
  await lab.add(at(container, 1), second);
  expect(await wayOut(container)).toBe("eth0");
  await lab.succeed("DEL", at(container, 0), configs[0] ?? {});
  // The one that stayed all the time, not the one that came back.
  expect(await wayOut(container)).toBe("eth2");
});

test("the result tells the metrics, and CHECK finds one that is not there any more", async () => {
  const network = await routedNetwork();
  const container = await lab.base.container();
  const config = configOf(network, { gatewayPriority: 5 });
  const result = await lab.add(container, config);
  expect(result.routes).toEqual([
    { dst: "0.0.0.0/0", priority: 999_995_000 },
    { dst: "::/0", priority: 999_995_000 },
  ]);
  const inside = container.netns.slice("/run/netns/".length);
  await command(["ip", "-n", inside, "-6", "route", "del", "default"]);
  const via = network.network.subnet6.replace("::/64", "::1");
  await command(["ip", "-n", inside, "-6", "route", "add", "default", "via", via, "metric", "77"]);
  expect(await lab.fail("CHECK", container, { ...config, prevResult: result })).toMatchObject({ code: 105 });
  await lab.succeed("DEL", container, config);
});

test("args.cni wins over the configuration, and routes that say more are left as they are", async () => {
  const [one, two] = [await routedNetwork(), await routedNetwork()];
  const container = await lab.base.container();
  const ipam = lab.base.plugins.ipam([one.network.subnet, one.network.subnet6]);
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "0.0.0.0/0", priority: 7, table: 100 }];
  const args = { cni: { gatewayPriority: 2 } };
  const [result] = await attachAll(container, [
    configOf(one, { gatewayPriority: -9, args, ipam: { ...ipam, routes } }),
    configOf(two, { gatewayPriority: 1 }),
  ]);
  expect(await wayOut(container)).toBe("eth0");
  expect(result?.routes).toContainEqual({ dst: "0.0.0.0/0", priority: 7, table: 100 });
});

test("bridge networks have it, too, and a network without it is before all that have it", async () => {
  const container = await lab.base.container();
  const dualStack = (network: TestNetwork, keys: Configuration) =>
    lab.base.bridge(network, {
      isDefaultGateway: true,
      ipam: { ...lab.base.plugins.ipam([network.subnet, network.subnet6]), routes: [] },
      ...keys,
    });
  const configs = [
    dualStack(lab.base.network(), { gatewayPriority: 1 }),
    dualStack(lab.base.network(), { gatewayPriority: 2 }),
    dualStack(lab.base.network(), {}),
  ] as const;
  const results: AnyResult[] = [];
  for (const [number, config] of configs.entries()) {
    results.push(await lab.base.add(at(container, number), config));
    expect(await wayOut(container)).toBe(`eth${number}`);
  }
  expect(results[1]?.routes).toMatchObject([{ priority: 999_998_000 }, { priority: 999_998_000 }]);
  expect(results[2]?.routes?.map(({ priority }) => priority)).toEqual([undefined, undefined]);
  for (const [number, config] of configs.entries()) {
    await lab.base.succeed("CHECK", at(container, number), { ...config, prevResult: results[number] });
  }
  await lab.base.succeed("DEL", at(container, 2), configs[2]);
  expect(await wayOut(container)).toBe("eth1");
});
