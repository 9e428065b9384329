/** podman with the CNI back end. It asks every plugin for its VERSION first, and passes its wishes in CNI_ARGS. */

import {
  HOST_IPV4,
  INTERNET_IPV4,
  INTERNET_IPV6,
  inNetns,
  Lab,
  netnsPath,
  pingShellLine,
} from "../support/lab/lab.ts";
import { leftovers } from "../support/lab/lab-leftovers.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  publishingOf,
  stageConflist,
  stagePlugins,
  TEST_SUBNETS,
} from "../support/lab/lab-plugins.ts";
import { tryCommand } from "../support/lab/lab-process.ts";
import { BUSYBOX_IMAGE, SERVE_FOREVER, WEB_PAGE } from "../support/runtimes/images.ts";
import { Podman } from "../support/runtimes/runtimes-podman.ts";

jest.setTimeout(120_000);

const NETWORK = "podnet";
const BRIDGE = "flpod0";
const HOST_PORT = 18080;
const WISHED_ADDRESS = "10.88.0.200";
const WISHED_MAC = "02:11:22:33:44:55";

let lab: Lab;
let plugins: PluginsUnderTest;
let podman: Podman;
/** Every address that a container of this file had. */
const addresses = new Set<string>();
const containerIds: string[] = [];

beforeAll(async () => {
  lab = await Lab.open("podman");
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const network = { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS, ...publishingOf(plugins) };
  podman = await Podman.prepare(lab, {
    pluginFolder: stagePlugins(lab, plugins.cniPath),
    conflistFolder: stageConflist(lab, bridgeConflist(plugins, network)),
    networkName: NETWORK,
  });
  await runContainer("web", "-p", `${HOST_PORT}:80`);
  await runContainer("wish", "--ip", WISHED_ADDRESS, "--mac-address", WISHED_MAC);
});

afterAll(() => lab.close());

async function runContainer(name: string, ...options: readonly string[]): Promise<void> {
  const run = ["run", "-d", "--name", name, "--network", NETWORK, ...options];
  containerIds.push((await podman.run(...run, BUSYBOX_IMAGE, "sh", "-c", SERVE_FOREVER)).trim());
  await addressesOf(name);
}

/** [IPv4, IPv6] of a container, as podman inspects it. */
async function addressesOf(name: string): Promise<[string, string]> {
  const setting = (field: string) => podman.networkSetting(name, NETWORK, field);
  const pair: [string, string] = [await setting("IPAddress"), await setting("GlobalIPv6Address")];
  for (const address of pair) addresses.add(address);
  return pair;
}

/** Exit status of one ping out of a container. */
async function ping(name: string, target: string): Promise<number | null> {
  return (await podman.try("exec", name, "sh", "-c", pingShellLine(target))).status;
}

test("the IPAM holds exactly the addresses that podman reports", async () => {
  const reported = [...(await addressesOf("web")), ...(await addressesOf("wish"))];
  expect(await plugins.boundAddresses(NETWORK)).toEqual(reported.sort());
});

test("the address and the MAC asked for are those given", async () => {
  expect((await addressesOf("wish"))[0]).toBe(WISHED_ADDRESS);
  expect(await podman.networkSetting("wish", NETWORK, "MacAddress")).toBe(WISHED_MAC);
  expect(await podman.run("exec", "wish", "ip", "link", "show", "eth0")).toContain(WISHED_MAC);
});

test("the containers ping each other over both families", async () => {
  for (const target of await addressesOf("web"))
    expect([target, await ping("wish", target)]).toEqual([target, 0]);
  for (const target of await addressesOf("wish"))
    expect([target, await ping("web", target)]).toEqual([target, 0]);
});

test("they reach the host, and the internet through masquerade", async () => {
  for (const target of [HOST_IPV4, INTERNET_IPV4, INTERNET_IPV6]) {
    expect([target, await ping("web", target)]).toEqual([target, 0]);
  }
});

test("a published port leads to the container, from the host and from outside", async () => {
  const wget = ["timeout", "3", "busybox", "wget", "-qO-"];
  expect(await lab.host([...wget, `http://127.0.0.1:${HOST_PORT}/`])).toBe(WEB_PAGE);
  expect(await lab.internet([...wget, `http://${HOST_IPV4}:${HOST_PORT}/`])).toBe(WEB_PAGE);
});

test("its web server and its UDP port are published on the address that was asked for, a range as a range", async () => {
  const options = ["-p", `127.0.0.1:${HOST_PORT + 1}:80`, "-p", `${HOST_PORT + 10}-${HOST_PORT + 12}:80-82`];
  await runContainer("more", ...options, "-p", `${HOST_PORT}:53/udp`);
  const wget = ["timeout", "3", "busybox", "wget", "-qO-"];
  expect(await lab.host([...wget, `http://127.0.0.1:${HOST_PORT + 1}/`])).toBe(WEB_PAGE);
  expect(await lab.internet([...wget, `http://${HOST_IPV4}:${HOST_PORT + 10}/`])).toBe(WEB_PAGE);
  const outside = inNetns(netnsPath(lab.internetNetns), ...wget, `http://${HOST_IPV4}:${HOST_PORT + 1}/`);
  expect((await tryCommand(outside)).status).not.toBe(0);
  await podman.run("rm", "-f", "-t1", "more");
  const rules = await lab.firewallRules();
  for (const port of [HOST_PORT + 1, HOST_PORT + 11]) expect(rules).not.toContain(`${port}`);
});

test("`network reload`, which is DEL and ADD on a live netns, keeps the container reachable", async () => {
  await podman.run("network", "reload", "web");
  const [ipv4, ipv6] = await addressesOf("web");
  expect([await ping("wish", ipv4), await ping("wish", ipv6)]).toEqual([0, 0]);
});

test("and its published port, although podman holds it open all the while", async () => {
  const wget = ["timeout", "3", "busybox", "wget", "-qO-"];
  expect(await lab.internet([...wget, `http://${HOST_IPV4}:${HOST_PORT}/`])).toBe(WEB_PAGE);
});

test("a network disconnected and connected again works", async () => {
  await podman.run("network", "disconnect", NETWORK, "wish");
  await podman.run("network", "connect", NETWORK, "wish");
  const [ipv4] = await addressesOf("wish");
  expect(await ping("web", ipv4)).toBe(0);
});

test("`rm` leaves nothing", async () => {
  await podman.run("rm", "-f", "-t1", "web", "wish");
  const gone = { networkName: NETWORK, bridges: [BRIDGE], addresses: [...addresses], containerIds };
  expect(await leftovers(lab, plugins, gone)).toEqual([]);
});
