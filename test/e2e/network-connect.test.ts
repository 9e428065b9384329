/**
 * `fairlead network connect` and `disconnect` on containers of every kind, by a hand-written conflist: sandboxes, podman's,
 * containerd's, a bare netns, a process.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { canPing, Lab } from "../support/lab/lab.ts";
import { command, waitUntil } from "../support/lab/lab-process.ts";
import { BUSYBOX_IMAGE, PAUSE_IMAGE, SERVE_FOREVER } from "../support/runtimes/images.ts";
import { Containerd } from "../support/runtimes/runtimes-containerd.ts";
import { Podman } from "../support/runtimes/runtimes-podman.ts";

jest.setTimeout(120_000);

const NETWORK = "byhand";
const OTHER = "byhand2";
/** Sandboxes are namespaces of the whole machine: their names must be unlike those of any other run. */
const own = (name: string): string => `${name}-${process.pid}`;

let lab: Lab;
let node: FairleadNode;
let podman: Podman;
let containerd: Containerd;
let podmanId: string;

beforeAll(async () => {
  lab = await Lab.open("connect");
  node = await FairleadNode.start(lab, { reaper: false });
  for (const [name, subnet] of [
    [NETWORK, "10.91.0.0/24"],
    [OTHER, "10.92.0.0/24"],
  ] as const)
    lab.file(`net.d/10-${name}.conflist`, JSON.stringify(conflist(name, subnet)));
  podman = await Podman.prepare(lab, {
    pluginFolder: node.pluginFolder,
    conflistFolder: node.conflistFolder,
    networkName: OTHER,
  });
  podmanId = (
    await podman.run(
      "run",
      "-d",
      "--name",
      "pod1",
      "--network",
      OTHER,
      BUSYBOX_IMAGE,
      "sh",
      "-c",
      SERVE_FOREVER,
    )
  ).trim();
  containerd = await Containerd.start(lab, {
    pluginFolder: node.pluginFolder,
    conflistFolder: node.conflistFolder,
    pauseImage: PAUSE_IMAGE,
  });
  node.useContainerd(containerd.socket);
  await runInContainerd(own("ctr1"));
  await node.run("sandbox", "create", "--network", NETWORK, own("box1"));
});

afterAll(() => lab.close());

function conflist(name: string, subnet: string): object {
  const ipam = {
    type: "fairlead-ipam",
    socket: node.socket,
    stateDir: join(lab.directory, "state"),
    ranges: [[{ subnet }]],
  };
  return {
    cniVersion: "1.0.0",
    cniVersions: ["0.4.0", "1.0.0", "1.1.0"],
    name,
    plugins: [
      {
        type: "fairlead-bridge",
        bridge: `fl${name}`,
        isGateway: true,
        isDefaultGateway: true,
        gatewayPriority: 0,
        capabilities: { ips: true, mac: true },
        ipam,
      },
    ],
  };
}

function runInContainerd(name: string): Promise<string> {
  const options = ["--runc-root", join(lab.directory, "runc"), "-d"];
  return command(
    lab.inHost(
      "ctr",
      "-a",
      containerd.socket,
      "run",
      ...options,
      BUSYBOX_IMAGE,
      name,
      "sh",
      "-c",
      SERVE_FOREVER,
    ),
  );
}

/** Address of a container on a network, as the service has it. */
async function addressOf(name: string, networkName = NETWORK): Promise<string> {
  const endpoints = (await endpointsOf(networkName)).filter((endpoint) => endpoint.name === name);
  return endpoints[0]?.addresses[0]?.address.replace(/\/\d+$/, "") ?? "none";
}

interface EndpointRow {
  readonly name: string;
  readonly containerId: string;
  readonly addresses: readonly { readonly address: string }[];
}

async function endpointsOf(networkName: string): Promise<readonly EndpointRow[]> {
  const script =
    "import socket,sys\ns=socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])\n" +
    "s.sendall(b'GET '+sys.argv[2].encode()+b' HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n')\n" +
    "d=b''\nwhile True:\n c=s.recv(65536)\n if not c: break\n d+=c\nprint(d.split(b'\\r\\n\\r\\n',1)[1].decode())";
  const path = `/v1/endpoints?networkName=${networkName}`;
  const { endpoints } = JSON.parse(await command(["python3", "-c", script, node.socket, path]));
  return endpoints;
}

const fromBox = async (target: string): Promise<number | null> =>
  (await node.exec(own("box1"), "ping", "-n", "-c1", "-W2", target)).status;

test("a podman container is connected by name, reached, and disconnected by the beginning of its ID", async () => {
  await node.run("network", "connect", NETWORK, "pod1");
  expect(await podman.run("exec", "pod1", "ip", "-o", "link")).toContain("eth1");
  expect(await fromBox(await addressOf("pod1"))).toBe(0);
  expect((await endpointsOf(NETWORK)).map(({ containerId }) => containerId)).toContain(podmanId);
  await node.run("network", "disconnect", NETWORK, podmanId.slice(0, 10));
  expect(await podman.run("exec", "pod1", "ip", "-o", "link")).not.toContain("eth1");
  expect(await addressOf("pod1")).toBe("none");
});

test("a containerd container is connected by name, with an address and a MAC address", async () => {
  const name = own("ctr1");
  const wishes = ["--ip", "10.91.0.77", "--mac-address", "02:00:00:00:00:77"];
  await node.run("network", "connect", ...wishes, NETWORK, name);
  expect(await addressOf(name)).toBe("10.91.0.77");
  expect(await fromBox("10.91.0.77")).toBe(0);
  const exec = ["tasks", "exec", "--exec-id", "look", name, "ip", "link", "show", "eth0"];
  expect(await containerd.ctr(exec)).toContain("02:00:00:00:00:77");
  const [entry] = (await endpointsOf(NETWORK)).filter((endpoint) => endpoint.name === name);
  expect(entry?.containerId).toBe(`default-${name}`);
  await node.run("network", "disconnect", NETWORK, `containerd:default/${name}`);
  expect(await addressOf(name)).toBe("none");
});

test("a netns by its path, a process by its number", async () => {
  const path = await lab.addContainer("bare");
  await node.run("network", "connect", "--netns", path, "--ip", "10.91.0.80", NETWORK);
  expect(await canPing(path, "10.91.0.1")).toBe(true);
  await node.run("network", "disconnect", "--netns", path, NETWORK);
  expect(await canPing(path, "10.91.0.1")).toBe(false);
  const pid = (await podman.run("inspect", "-f", "{{.State.Pid}}", "pod1")).trim();
  await node.run("network", "connect", "--pid", pid, "--ip", "10.91.0.81", NETWORK);
  expect(await fromBox("10.91.0.81")).toBe(0);
  await node.run("network", "disconnect", "--pid", pid, NETWORK);
});

test("a container that was restarted is connected again, with the address that it had", async () => {
  await node.run("network", "connect", NETWORK, "pod1");
  const before = await addressOf("pod1");
  await podman.run("restart", "-t0", "pod1");
  expect(await podman.run("exec", "pod1", "ip", "-o", "link")).not.toContain("eth1");
  await node.run("network", "connect", NETWORK, "pod1");
  expect(await podman.run("exec", "pod1", "ip", "-o", "link")).toContain("eth1");
  const mine = (await endpointsOf(NETWORK)).filter(({ name }) => name === "pod1");
  expect(mine).toHaveLength(1);
  expect(await addressOf("pod1")).toBe(before);
  expect(await fromBox(await addressOf("pod1"))).toBe(0);
  await node.run("network", "disconnect", NETWORK, "pod1");
});

test("what podman attached itself can be disconnected, and the cache entries have libcni's keys", async () => {
  await node.run("network", "connect", NETWORK, "pod1");
  const keysOf = (file: string): string[] => Object.keys(JSON.parse(readFileSync(file, "utf8"))).sort();
  const theirs = keysOf(join("/var/lib/cni/results", `${OTHER}-${podmanId}-eth0`));
  const ours = keysOf(join(node.cacheFolder, "results", `${NETWORK}-${podmanId}-eth1`));
  // podman passes arguments; libcni writes the netns since 1.2.
  const common = (keys: string[]) =>
    keys.filter((key) => !["fairlead", "netns", "cniArgs", "capabilityArgs"].includes(key));
  expect(common(ours)).toEqual(common(theirs));
  const cached = ["--cni-cache-dir", "/var/lib/cni"];
  await node.run("network", "disconnect", ...cached, OTHER, "pod1");
  expect(await podman.run("exec", "pod1", "ip", "-o", "link")).not.toContain("eth0");
  expect(await addressOf("pod1")).not.toBe("none");
  await node.run("network", "disconnect", NETWORK, "pod1");
});

test.each([
  [["network", "connect", "nosuch", "pod1"], "network nosuch not found"],
  [["network", "connect", NETWORK, "nosuch"], "No such container: nosuch"],
  [
    ["network", "connect", NETWORK, own("box1")],
    `endpoint with name ${own("box1")} already exists in network ${NETWORK}`,
  ],
  [["network", "disconnect", NETWORK, "pod1"], `is not connected to network ${NETWORK}`],
  [["network", "connect", "--mac-address", "x", NETWORK, "pod1"], "invalid MAC address: x"],
])("%j is refused: %s", async (words, message) => {
  const { status, stdout, stderr } = await node.try(...words);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(message);
});

test("a process on the host's network is refused", async () => {
  const { status, stderr } = await node.try("network", "connect", "--pid", String(node.pid), NETWORK);
  expect([status, stderr]).toEqual([1, expect.stringContaining("cannot be connected to any other network")]);
});

test("an address that somebody has is refused in Docker's words", async () => {
  const taken = await addressOf(own("box1"));
  const { status, stderr } = await node.try("network", "connect", "--ip", taken, NETWORK, "pod1");
  expect([status, stderr]).toEqual([1, "fairlead: Address already in use\n"]);
  expect(await podman.run("exec", "pod1", "ip", "-o", "link")).not.toContain("eth1");
});

test("a container that is gone is disconnected by its name", async () => {
  const name = own("ctr2");
  await runInContainerd(name);
  await node.run("network", "connect", NETWORK, name);
  await containerd.ctr(["tasks", "kill", "-s", "KILL", name]);
  await waitUntil(async () => (await containerd.ctr(["tasks", "ls"])).includes("STOPPED"), 10_000);
  await containerd.ctr(["tasks", "rm", name]).catch(() => {});
  await containerd.ctr(["containers", "rm", name]);
  expect((await node.try("network", "connect", OTHER, name)).stderr).toContain("No such container");
  await node.run("network", "disconnect", NETWORK, name);
  expect(await addressOf(name)).toBe("none");
});

test("a stopped container is refused by connect", async () => {
  await podman.run("create", "--name", "idle", "--network", "none", BUSYBOX_IMAGE, "sh");
  const { status, stderr } = await node.try("network", "connect", NETWORK, "idle");
  expect([status, stderr]).toEqual([1, expect.stringMatching(/Container [0-9a-f]{64} is not running/)]);
});

test("a container on the host's network is refused", async () => {
  await podman.run(
    "run",
    "-d",
    "--name",
    "hostly",
    "--network",
    "host",
    BUSYBOX_IMAGE,
    "sh",
    "-c",
    "sleep 60",
  );
  const { status, stderr } = await node.try("network", "connect", NETWORK, "hostly");
  expect([status, stderr]).toEqual([1, expect.stringContaining("cannot be connected to any other network")]);
});

test("removing the sandbox leaves nothing", async () => {
  await node.run("sandbox", "rm", own("box1"));
  expect(await endpointsOf(NETWORK)).toEqual([]);
  expect(readdirSync(join(node.cacheFolder, "results"))).toEqual([]);
  expect(await lab.hostLinks()).toEqual(["eth0", "fl-bridge0", `fl${NETWORK}`, `fl${OTHER}`]);
});
