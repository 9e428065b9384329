/** The bridge behind a plugin that made the interface, and DEL near interfaces that are not its own. */

import { command } from "../support/lab/lab-process.ts";
import {
  type Configuration,
  type Container,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(60_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("adopt");
});
afterAll(() => lab?.close());

const PORT = "made-before";
const gatewayOf = ({ subnet }: TestNetwork) => subnet.replace(".0/24", ".1");
const addressOf = ({ subnet }: TestNetwork) => subnet.replace(".0/24", ".9/24");

/** A pair as some other plugin makes it; returns what that plugin would have answered. */
async function makeBefore(container: Container, network: TestNetwork): Promise<Configuration> {
  const namespace = container.netns.slice("/run/netns/".length);
  const peer = ["peer", "name", container.ifname, "netns", namespace];
  await lab.lab.host(["ip", "link", "add", PORT, "type", "veth", ...peer]);
  await command(["ip", "-n", namespace, "addr", "add", addressOf(network), "dev", container.ifname]);
  await command(["ip", "-n", namespace, "link", "set", container.ifname, "up"]);
  return {
    cniVersion: "1.0.0",
    interfaces: [{ name: PORT }, { name: container.ifname, sandbox: container.netns }],
    ips: [{ address: addressOf(network), gateway: gatewayOf(network), interface: 1 }],
  };
}

const withoutIpam = (network: TestNetwork, keys: Configuration = {}) => {
  const { ipam: _ipam, ...rest } = lab.bridge(network);
  return { ...rest, ...keys };
};

test("an interface that is there becomes a port; the rest is passed on; CHECK and DEL know it", async () => {
  const [network, container] = [lab.network(), await lab.container()];
  const prevResult = await makeBefore(container, network);
  const result = await lab.add(container, withoutIpam(network, { prevResult, hairpinMode: true }));
  const names = result.interfaces?.map(({ name }) => name);
  expect(names).toEqual([PORT, container.ifname, network.bridge]);
  expect(result.ips).toEqual(prevResult["ips"]);
  const [port] = await lab.onHost<{ master?: string }>("link", "show", "dev", PORT);
  expect(port?.master).toBe(network.bridge);
  expect(await lab.hostAddresses(network.bridge)).toEqual([`${gatewayOf(network)}/24`]);
  const later = withoutIpam(network, { prevResult: result });
  await lab.succeed("CHECK", container, later);
  await lab.succeed("DEL", container, later);
  expect(await lab.containerLinks(container)).toEqual([]);
  await lab.succeed("DEL", container, later);
});

test.each([
  ["ipam would give it other addresses", (network: TestNetwork) => lab.bridge(network), undefined],
  ["prevResult names no host interface", (network: TestNetwork) => withoutIpam(network), [1]],
])("refused when %s, and nothing changes", async (_reason, configOf, kept) => {
  const [network, container] = [lab.network(), await lab.container()];
  const made = await makeBefore(container, network);
  const interfaces = made["interfaces"] as unknown[];
  const prevResult = { ...made, ips: [], interfaces: kept ? kept.map((at) => interfaces[at]) : interfaces };
  const before = await lab.traces(container, network);
  const error = await lab.fail("ADD", container, { ...configOf(network), prevResult });
  expect(error).toMatchObject({ code: 7 });
  expect(await lab.traces(container, network)).toEqual(before);
  await lab.lab.host(["ip", "link", "del", PORT]);
});

test("DEL after a failed ADD leaves the interface of another network alone", async () => {
  const [first, second, container] = [lab.network(), lab.network(), await lab.container()];
  await lab.add(container, lab.bridge(first));
  const { code } = await lab.fail("ADD", container, lab.bridge(second));
  expect(code).toBe(100);
  expectSuccess(await lab.call({ verb: "DEL", container, config: lab.bridge(second) }));
  expect(await lab.containerLinks(container)).toEqual([container.ifname]);
  await lab.succeed("DEL", container, lab.bridge(first));
  expect(await lab.containerLinks(container)).toEqual([]);
});

test("a pair that the reference plugin made goes with our DEL, once the configuration is ours", async () => {
  const [network, container] = [lab.network(), await lab.container()];
  const config = withoutIpam(network, { isGateway: false, ipMasq: false });
  await lab.call({ verb: "ADD", container, config: { ...config, type: "bridge" }, type: "bridge" });
  expect(await lab.containerLinks(container)).toEqual([container.ifname]);
  await lab.succeed("DEL", container, config);
  expect(await lab.containerLinks(container)).toEqual([]);
});
