/** CHECK fails when anything that ADD made is gone or differs, and only then. */
import { command } from "../support/lab/lab-process.ts";
import {
  type AnyResult,
  type Configuration,
  type Container,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("chk");
});
afterAll(() => lab?.close());

interface Attached {
  readonly network: TestNetwork;
  readonly container: Container;
  readonly config: Configuration;
  readonly result: AnyResult;
  /** Configuration with the result of ADD. */
  readonly check: Configuration;
}

test("an attachment without addresses is in order, whatever gateway and masquerade the keys ask for", async () => {
  const network = lab.network();
  const container = await lab.container();
  const config = lab.bridge(network, { ipam: undefined, isDefaultGateway: true });
  const prevResult = await lab.add(container, config);
  expect(prevResult.ips ?? []).toEqual([]);
  await lab.succeed("CHECK", container, { ...config, prevResult });
  await lab.lab.host(["ip", "link", "set", prevResult.interfaces?.[1]?.name ?? "", "nomaster"]);
  expect(await lab.fail("CHECK", container, { ...config, prevResult })).toMatchObject({ code: 105 });
  await lab.succeed("DEL", container, config);
});

/** One dual-stack attachment with a route of its own, which CHECK has found to be in order. */
async function attach(): Promise<Attached> {
  const network = lab.network();
  const container = await lab.container();
  const ipam = lab.plugins.ipam([network.subnet, network.subnet6]);
  const gw = network.subnet.replace("0/24", "200");
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "192.0.2.0/24", gw }];
  const config = lab.bridge(network, { cniVersion: "1.0.0", ipam: { ...ipam, routes } });
  const result = await lab.add(container, config);
  const check = { ...config, prevResult: result };
  await lab.succeed("CHECK", container, check);
  return { network, container, config, result, check };
}

function inside({ container }: Attached, ...argv: readonly string[]): Promise<string> {
  return command(["ip", "-n", container.netns.slice("/run/netns/".length), ...argv]);
}

function addressOf({ result }: Attached, family: 4 | 6): string {
  const found = result.ips?.find(({ address }) => address.includes(":") === (family === 6));
  if (found === undefined) throw new Error(`no IPv${family} address in ${JSON.stringify(result)}`);
  return found.address;
}

function hostEnd({ result }: Attached): string {
  return result.interfaces?.[1]?.name ?? "";
}

function gateway4({ network }: Attached): string {
  return network.subnet.replace("0/24", "1/24");
}

/** What is broken → how. Every one was in order a moment before. */
const BREAKAGES: readonly (readonly [string, (attached: Attached) => Promise<unknown>])[] = [
  ["the link is gone", (it) => inside(it, "link", "del", "eth0")],
  ["the link is down", (it) => inside(it, "link", "set", "eth0", "down")],
  ["the link has another MAC", (it) => inside(it, "link", "set", "eth0", "address", "02:00:00:00:00:99")],
  ["the IPv4 address is gone", (it) => inside(it, "addr", "del", addressOf(it, 4), "dev", "eth0")],
  ["the IPv6 address is gone", (it) => inside(it, "addr", "del", addressOf(it, 6), "dev", "eth0")],
  ["the default route is gone", (it) => inside(it, "route", "del", "default")],
  ["the IPv6 default route is gone", (it) => inside(it, "-6", "route", "del", "default")],
  ["a configured route is gone", (it) => inside(it, "route", "del", "192.0.2.0/24")],
  [
    "a configured route leads elsewhere",
    async (it) => {
      const elsewhere = it.network.subnet.replace("0/24", "77");
      await inside(it, "route", "replace", "192.0.2.0/24", "via", elsewhere);
    },
  ],
  ["the bridge is gone", (it) => lab.lab.host(["ip", "link", "del", it.network.bridge])],
  ["the host end left the bridge", (it) => lab.lab.host(["ip", "link", "set", hostEnd(it), "nomaster"])],
  [
    "the gateway address is gone",
    (it) => lab.lab.host(["ip", "addr", "del", gateway4(it), "dev", it.network.bridge]),
  ],
  [
    "the masquerade rules are gone",
    async () => {
      await lab.lab.host(["nft", "flush", "ruleset"]);
    },
  ],
  [
    "the lease is gone",
    async ({ config, container }) => {
      const { type } = config["ipam"] as { type: string };
      const answer = await lab.call({ verb: "DEL", container, config, type });
      expectSuccess(answer);
    },
  ],
];

test.each(BREAKAGES)("%s", async (_, breakIt) => {
  const attached = await attach();
  const { container, network, check } = attached;
  await breakIt(attached);
  const error = await lab.fail("CHECK", container, check);
  expect(error).toMatchObject({ cniVersion: "1.0.0", code: 105 });
  // And DEL copes with what is left.
  await lab.succeed("DEL", container, check);
  expect(await lab.containerLinks(container)).toEqual([]);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  expect(await lab.lab.hostLinks()).not.toContain(hostEnd(attached));
});

test("what later plugins of the chain add is tolerated", async () => {
  const attached = await attach();
  await inside(attached, "addr", "add", "203.0.113.9/24", "dev", "eth0");
  await inside(attached, "route", "add", "198.51.100.0/24", "dev", "eth0");
  await inside(attached, "link", "add", "tun0", "type", "veth");
  const { container, check, result } = attached;
  const prevResult = {
    ...result,
    interfaces: [...(result.interfaces ?? []), { name: "tun0", sandbox: container.netns }],
    ips: [...(result.ips ?? []), { address: "203.0.113.10/24", interface: 3 }],
  };
  await lab.succeed("CHECK", container, check);
  await inside(attached, "addr", "add", "203.0.113.10/24", "dev", "tun0");
  await lab.succeed("CHECK", container, { ...check, prevResult });
  await lab.succeed("DEL", container, check);
});

test("CHECK changes nothing", async () => {
  const { container, network, check } = await attach();
  const before = await lab.traces(container, network);
  await lab.succeed("CHECK", container, check);
  expect(await lab.traces(container, network)).toEqual(before);
  await lab.succeed("DEL", container, check);
});

test("without prevResult CHECK is refused", async () => {
  const { container, config, check } = await attach();
  expect(await lab.fail("CHECK", container, config)).toMatchObject({
    code: 7,
    msg: expect.stringContaining("prevResult missing"),
  });
  await lab.succeed("DEL", container, check);
});

test("a prevResult without our interface is refused", async () => {
  const { container, config, check } = await attach();
  await lab.fail("CHECK", container, { ...config, prevResult: { cniVersion: "1.0.0" } });
  await lab.succeed("DEL", container, check);
});
