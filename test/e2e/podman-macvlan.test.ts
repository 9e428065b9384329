/** podman on a macvlan network of the host's, by a conflist with the packaged `fairlead-macvlan`. */

import { canPing, Lab } from "../support/lab/lab.ts";
import {
  type PluginsUnderTest,
  pluginsUnderTest,
  stageConflist,
  stagePlugins,
} from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";
import { BUSYBOX_IMAGE, SERVE_FOREVER } from "../support/runtimes/images.ts";
import { Podman } from "../support/runtimes/runtimes-podman.ts";

jest.setTimeout(120_000);

const NETWORK = "podmac";
const SUBNET = "10.89.0.0/24";
const [GATEWAY, WISHED] = ["10.89.0.1", "10.89.0.200"] as const;
const WISHED_MAC = "02:11:22:33:44:66";

let lab: Lab;
let plugins: PluginsUnderTest;
let podman: Podman;
/** Path of the netns at the other end of the master's wire. */
let far: string;

beforeAll(async () => {
  lab = await Lab.open("podmac");
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const name = `${lab.hostNetns}-far`;
  far = await lab.addNetns(name);
  await lab.host(["ip", "link", "add", "nic0", "type", "veth", "peer", "name", "wire0", "netns", name]);
  await lab.host(["ip", "link", "set", "nic0", "up"]);
  await command(["ip", "-n", name, "link", "set", "wire0", "up"]);
  await command(["ip", "-n", name, "addr", "add", `${GATEWAY}/24`, "dev", "wire0"]);
  const type = plugins.name === "fairlead" ? "fairlead-macvlan" : "macvlan";
  const capabilities = { ips: true, mac: true };
  const plugin = { type, master: "nic0", capabilities, ipam: plugins.ipam([SUBNET]) };
  podman = await Podman.prepare(lab, {
    pluginFolder: stagePlugins(lab, plugins.cniPath),
    conflistFolder: stageConflist(lab, { cniVersion: "1.0.0", name: NETWORK, plugins: [plugin] }),
    networkName: NETWORK,
  });
  const run = (...options: string[]) =>
    podman.run("run", "-d", "--network", NETWORK, ...options, BUSYBOX_IMAGE, "sh", "-c", SERVE_FOREVER);
  await run("--name", "one");
  await run("--name", "two", "--ip", WISHED, "--mac-address", WISHED_MAC);
});
afterAll(() => lab?.close());

const ping = async (name: string, target: string): Promise<number | null> =>
  (await podman.try("exec", name, "ping", "-c1", "-W3", target)).status;

test("containers reach one another and the network of the link, and are reached from there", async () => {
  expect(await podman.networkSetting("two", NETWORK, "IPAddress")).toBe(WISHED);
  expect(await podman.networkSetting("two", NETWORK, "MacAddress")).toBe(WISHED_MAC);
  expect([await ping("one", WISHED), await ping("one", GATEWAY)]).toEqual([0, 0]);
  expect(await canPing(far, WISHED)).toBe(true);
});

test("`network reload`, which is DEL and ADD on a live netns, keeps the container reachable", async () => {
  await podman.run("network", "reload", "two");
  expect(await ping("one", WISHED)).toBe(0);
});

test("`rm` leaves nothing", async () => {
  await podman.run("rm", "-f", "-t1", "one", "two");
  expect(await plugins.boundAddresses(NETWORK)).toEqual([]);
  expect(await lab.hostLinks()).toEqual(["eth0", "nic0"]);
});
