/** containerd through its command line: `ctr run --cni`. Its DEL always comes without a netns. */

import { HOST_IPV4, INTERNET_IPV4, INTERNET_IPV6, Lab, pingShellLine } from "../support/lab/lab.ts";
import { leftovers } from "../support/lab/lab-leftovers.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  stageConflist,
  stagePlugins,
  TEST_SUBNETS,
} from "../support/lab/lab-plugins.ts";
import { command, Daemon, waitUntil } from "../support/lab/lab-process.ts";
import { BUSYBOX_IMAGE, PAUSE_IMAGE, SERVE_FOREVER, WEB_PAGE } from "../support/runtimes/images.ts";
import { Containerd } from "../support/runtimes/runtimes-containerd.ts";

jest.setTimeout(90_000);

const NETWORK = "ctr";
const BRIDGE = "flctr0";

let lab: Lab;
let plugins: PluginsUnderTest;
let containerd: Containerd;
let server: Daemon;
/** Addresses of the first container, IPv4 first. */
let addresses: string[] = [];

beforeAll(async () => {
  lab = await Lab.open("ctr");
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const conflist = bridgeConflist(plugins, { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS });
  containerd = await Containerd.start(lab, {
    pluginFolder: stagePlugins(lab, plugins.cniPath),
    conflistFolder: stageConflist(lab, conflist),
    pauseImage: PAUSE_IMAGE,
  });
  server = Daemon.start(runArgv("server", SERVE_FOREVER), `${lab.directory}/server-container.log`);
  lab.defer("stop ctr", () => server.stop());
  await server.waitUntilReady(async () => (await plugins.boundAddresses(NETWORK)).length === 2);
  addresses = (await plugins.boundAddresses(NETWORK)).sort(
    (a, b) => Number(a.includes(":")) - Number(b.includes(":")),
  );
});

afterAll(() => lab.close());

/** Unlike that of any other run at the same time: cgroups are named after containers. */
function containerName(name: string): string {
  return `${name}-${process.pid}`;
}

/** The command line that runs a shell line in a new container on the network, which goes away when it ends. */
function runArgv(name: string, shellLine: string): string[] {
  const options = ["--rm", "--cni", "--runc-root", `${lab.directory}/runc`];
  return containerd.ctrWithCni([
    "run",
    ...options,
    BUSYBOX_IMAGE,
    containerName(name),
    "sh",
    "-c",
    shellLine,
  ]);
}

test("a second container pings the first over both families and loads its page", async () => {
  const [ipv4 = "", ipv6 = ""] = addresses;
  const line = `${pingShellLine(ipv4)} && ${pingShellLine(ipv6)} && timeout 3 wget -qO- http://${ipv4}/`;
  expect(await command(runArgv("client", line))).toContain(WEB_PAGE);
});

test("it reaches the host, and the internet through masquerade", async () => {
  const targets = [HOST_IPV4, INTERNET_IPV4, INTERNET_IPV6];
  const line = targets.map(pingShellLine).join(" && ");
  const output = await command(runArgv("egress", line));
  expect(output.match(/1 packets received/g)).toHaveLength(targets.length);
});

test("only the first container's addresses are still held", async () => {
  expect(await plugins.boundAddresses(NETWORK)).toEqual([...addresses].sort());
});

test("after it is stopped nothing is left", async () => {
  await containerd.ctr(["tasks", "kill", "-s", "TERM", containerName("server")]);
  expect(await waitUntil(async () => !server.running, 15_000)).toBe(true);
  const gone = {
    networkName: NETWORK,
    bridges: [BRIDGE],
    addresses,
    containerIds: ["server", "client"].map((name) => `default-${containerName(name)}`),
  };
  expect(withoutKnownLeaks(await leftovers(lab, plugins, gone))).toEqual([]);
});

/** The reference removes no masquerade rule when DEL has no netns. Source: containernetworking/plugins issue 810. */
function withoutKnownLeaks(found: readonly string[]): string[] {
  return found.filter((line) => plugins.name === "fairlead" || !line.startsWith("rule "));
}
