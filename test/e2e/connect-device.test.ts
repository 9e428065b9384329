/**
 * Containers on bridges and interfaces of the host with no network object, and Docker's legacy links on the predefined
 * network.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { canPing, INTERNET_IPV4, Lab, netnsPath } from "../support/lab/lab.ts";
import { command, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(60_000);

const own = (name: string): string => `${name}-${process.pid}`;
const BRIDGE = "br1";
/** Of the router that is the other end of the bridge. */
const ROUTER_IPV4 = "192.168.1.1";

let lab: Lab;
let node: FairleadNode;
let router: string;

beforeAll(async () => {
  lab = await Lab.open("device");
  node = await FairleadNode.start(lab);
  router = await lab.addContainer("router");
  await lab.host(["ip", "link", "add", BRIDGE, "type", "bridge"]);
  await lab.host(["ip", "link", "set", BRIDGE, "up"]);
  const name = `${lab.hostNetns}-router`;
  await lab.host(["ip", "link", "add", "tor", "type", "veth", "peer", "name", "eth0", "netns", name]);
  await lab.host(["ip", "link", "set", "tor", "master", BRIDGE, "up"]);
  await command(["ip", "-n", name, "addr", "add", `${ROUTER_IPV4}/24`, "dev", "eth0"]);
  await command(["ip", "-n", name, "link", "set", "eth0", "up"]);
});

afterAll(async () => {
  for (const name of ["piped", "caller", "callee"]) await node?.try("sandbox", "rm", "-f", own(name));
  await lab.close();
});

const cached = (): string[] => readdirSync(join(node.cacheFolder, "results"));
const shown = async (name: string, ...words: string[]): Promise<string> =>
  (await node.exec(name, "ip", ...words)).stdout;

test("a container on a foreign bridge, with an address and a gateway, and off again", async () => {
  const name = own("piped");
  await node.run("sandbox", "create", "--network", "bridge", name);
  const wishes = ["--device", BRIDGE, "--ip", `192.168.1.10/24@${ROUTER_IPV4}`, "--gw-priority", "5"];
  await node.run("network", "connect", ...wishes, name);
  expect(await shown(name, "-br", "addr", "show", "eth1")).toContain("192.168.1.10/24");
  expect(await canPing(netnsPath(name), ROUTER_IPV4)).toBe(true);
  expect(await canPing(router, "192.168.1.10")).toBe(true);
  // The higher priority has the default route.
  expect(await shown(name, "route", "get", "203.0.113.1")).toContain(`via ${ROUTER_IPV4}`);
  const again = await node.try("network", "connect", ...wishes, name);
  expect(again.stderr).toContain(`endpoint with name ${name} already exists in network device-${BRIDGE}`);
  await node.run("network", "disconnect", "--device", BRIDGE, name);
  expect(await shown(name, "-br", "link")).not.toContain("eth1");
  expect(await shown(name, "route", "get", "203.0.113.1")).not.toContain(ROUTER_IPV4);
  expect(await lab.host(["ip", "-br", "link", "show", "master", BRIDGE])).toMatch(/^tor@\S+ .*\n$/);
});

test("a container on an interface of the host, by macvlan", async () => {
  const name = own("piped");
  await node.run("network", "connect", "--device", "eth0", "--ip", "198.51.100.77/24", name);
  expect(await canPing(netnsPath(name), INTERNET_IPV4)).toBe(true);
  expect(await shown(name, "-d", "link", "show", "eth1")).toContain("macvlan");
  await node.run("network", "disconnect", "--device", "eth0", name);
  expect(await shown(name, "-br", "link")).not.toContain("eth1");
});

test.each([
  [BRIDGE, ROUTER_IPV4],
  ["eth0", INTERNET_IPV4],
])(
  "on %s an address that a machine there has is refused, naming its MAC address",
  async (device, address) => {
    const name = own("piped");
    const wishes = ["--device", device, "--ip", `${address}/24`];
    const { status, stderr } = await node.try("network", "connect", ...wishes, name);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/MAC address ([0-9a-f]{2}:){5}[0-9a-f]{2} has it/),
    ]);
    expect(await shown(name, "-br", "link")).not.toContain("eth1");
  },
);

test.each([
  [["--device", "nosuch", "--ip", "192.168.1.10/24"], "find link nosuch"],
  [["--device", BRIDGE, "--ip", "192.168.1.10"], "write ADDRESS/LENGTH[@GATEWAY]"],
  [["--device", BRIDGE, "--ip", "192.168.1.10/24@x"], "invalid address 192.168.1.10/24@x for a device"],
])("%j is refused", async (words, message) => {
  const { status, stderr } = await node.try("network", "connect", ...words, own("piped"));
  expect([status, stderr]).toEqual([1, expect.stringContaining(message)]);
});

test("on the predefined network a name is found by who has a link to it, and by nobody else", async () => {
  const [caller, callee] = [own("caller"), own("callee")];
  await node.run("sandbox", "create", callee);
  await node.run("sandbox", "create", "--network", `bridge,link=${callee}:db`, caller);
  const resolves = async (from: string, name: string): Promise<boolean> =>
    (await node.exec(from, "getent", "ahostsv4", name)).status === 0;
  expect(await waitUntil(() => resolves(caller, "db"), 30_000)).toBe(true);
  expect(await resolves(callee, caller)).toBe(false);
  expect(await resolves(callee, "db")).toBe(false);
  const missing = await node.try("network", "connect", "--link", "nosuch:x", "bridge", own("piped"));
  expect(missing.status).toBe(1);
  await node.run("network", "disconnect", "bridge", caller);
  const unlinked = await node.try("network", "connect", "--link", "nosuch:x", "bridge", caller);
  expect(unlinked.stderr).toContain("could not get container for nosuch: No such container: nosuch");
  const byAlias = await node.try("network", "connect", "--alias", "x", "bridge", caller);
  expect(byAlias.stderr).toContain(
    "network-scoped alias is supported only for containers in user defined networks",
  );
});

test("removing the sandboxes leaves nothing", async () => {
  await node.run("sandbox", "rm", own("piped"), own("caller"), own("callee"));
  expect(cached()).toEqual([]);
  expect(await lab.hostLinks()).toEqual([BRIDGE, "eth0", "fl-bridge0", "tor"]);
});
