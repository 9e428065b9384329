/**
 * Pipework's job in one line: any running container on any bridge or interface of the host, with an address that is named
 * by hand and no network object; and the same by a network of the driver macvlan.
 */

import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { canPing, Lab } from "../support/lab/lab.ts";
import { stageConflist } from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";
import { BUSYBOX_IMAGE, SERVE_FOREVER } from "../support/runtimes/images.ts";
import { Podman } from "../support/runtimes/runtimes-podman.ts";
import {
  BEHIND_LAN,
  bridgePorts,
  bridgeState,
  LAN_GATEWAY,
  LAN_HOST,
  makeLan,
} from "../support/traffic/administrators-bridge.ts";

jest.setTimeout(120_000);

/** Sandboxes are namespaces of the whole machine: their names must be unlike those of any other run. */
const own = (name: string): string => `${name}-${process.pid}`;
const BOX = own("pipebox");

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("pipe");
  node = await FairleadNode.start(lab);
  await node.run("sandbox", "create", "--network", "none", BOX);
  lab.defer("remove the sandbox", () => node.try("sandbox", "rm", BOX));
});
afterAll(() => lab?.close());

/** Exit status of a ping out of a sandbox. */
const ping = async (box: string, target: string): Promise<number | null> =>
  (await node.exec(box, "ping", "-n", "-c1", "-W2", target)).status;

/** The interface that a sandbox's packets to a destination leave by. */
async function wayOut(box: string, target = BEHIND_LAN): Promise<string> {
  const { stdout } = await node.exec(box, "ip", "-o", "route", "get", target);
  return /\bdev (\S+)/.exec(stdout)?.[1] ?? stdout;
}

/** A physical interface, as far as the host can tell: `name`, with another machine at the other end of its wire. */
async function wire(name: string, addresses: readonly string[]): Promise<string> {
  const far = `${lab.hostNetns}-${name}`;
  const path = await lab.addNetns(far);
  await lab.host(["ip", "link", "add", name, "type", "veth", "peer", "name", "wire0", "netns", far]);
  await lab.host(["ip", "link", "set", name, "up"]);
  await command(["ip", "-n", far, "link", "set", "wire0", "up"]);
  for (const address of addresses)
    await command(["ip", "-n", far, "addr", "add", address, "dev", "wire0", "nodad"]);
  return path;
}

describe("a bridge of the administrator's", () => {
  let gateway: string;
  let before: unknown;

  beforeAll(async () => {
    gateway = await makeLan(lab, "br1");
    before = await bridgeState(lab, "br1");
    await node.run("network", "connect", "--device", "br1", "--ip", `192.168.1.10/24@${LAN_GATEWAY}`, BOX);
  });

  test("is reached by a sandbox in one line, and what is behind its gateway", async () => {
    for (const target of [LAN_HOST, LAN_GATEWAY, BEHIND_LAN]) {
      expect([target, await ping(BOX, target)]).toEqual([target, 0]);
    }
    expect(await canPing(gateway, "192.168.1.10")).toBe(true);
  });

  test("is as it was, but for one port more", async () => {
    expect(await bridgeState(lab, "br1")).toEqual(before);
    expect(await bridgePorts(lab, "br1")).toHaveLength(2);
  });

  test("takes a second connection of the same container for what it is", async () => {
    const again = ["network", "connect", "--device", "br1", "--ip", "192.168.1.11/24", BOX] as const;
    expect(await node.try(...again)).toMatchObject({ status: 1, stdout: "" });
    expect(await bridgePorts(lab, "br1")).toHaveLength(2);
  });

  test("is as it was after disconnect", async () => {
    await node.run("network", "disconnect", "--device", "br1", BOX);
    expect(await ping(BOX, LAN_GATEWAY)).not.toBe(0);
    expect(await bridgeState(lab, "br1")).toEqual(before);
    expect(await bridgePorts(lab, "br1")).toEqual(["br1p"]);
  });

  test("takes a netns by its path, too", async () => {
    const path = await lab.addContainer("pipe-bare");
    const target = ["--netns", path, "--device", "br1"] as const;
    await node.run(
      "network",
      "connect",
      ...target,
      "--ip",
      "192.168.1.12/24",
      "--mac-address",
      "02:00:00:00:12:12",
    );
    expect(await canPing(path, LAN_GATEWAY)).toBe(true);
    const neighbours = await command([
      "ip",
      "-n",
      path.replace("/run/netns/", ""),
      "link",
      "show",
      "dev",
      "eth0",
    ]);
    expect(neighbours).toContain("02:00:00:00:12:12");
    await node.run("network", "disconnect", ...target);
    expect(await bridgeState(lab, "br1")).toEqual(before);
  });
});

describe("a physical interface", () => {
  test("is reached in both families, by a macvlan over it", async () => {
    const far = await wire("nic1", ["10.5.0.1/24", "fd05::1/64"]);
    const addresses = ["--ip", "10.5.0.10/24@10.5.0.1", "--ip6", "fd05::10/64@fd05::1"] as const;
    await node.run("network", "connect", "--device", "nic1", ...addresses, BOX);
    expect([await ping(BOX, "10.5.0.1"), await ping(BOX, "fd05::1")]).toEqual([0, 0]);
    expect([await canPing(far, "10.5.0.10"), await canPing(far, "fd05::10")]).toEqual([true, true]);
    await node.run("network", "disconnect", "--device", "nic1", BOX);
    expect((await node.exec(BOX, "ip", "-o", "link")).stdout).not.toContain("eth0");
    expect(await lab.hostLinks()).toContain("nic1");
  });

  test("and a bridge at once: the higher --gw-priority has the default route, and the other takes over", async () => {
    await wire("nic2", ["10.6.0.1/24"]);
    const nic = [
      "--device",
      "nic2",
      "--ip",
      "10.6.0.10/24@10.6.0.1",
      "--gw-priority",
      "7",
      "--ifname",
      "nic0",
    ];
    const bridge = ["--device", "br1", "--ip", `192.168.1.13/24@${LAN_GATEWAY}`, "--ifname", "lan0"];
    await node.run("network", "connect", ...bridge, BOX);
    expect(await wayOut(BOX)).toBe("lan0");
    await node.run("network", "connect", ...nic, BOX);
    expect(await wayOut(BOX)).toBe("nic0");
    await node.run("network", "disconnect", "--device", "nic2", BOX);
    expect(await wayOut(BOX)).toBe("lan0");
    expect(await ping(BOX, BEHIND_LAN)).toBe(0);
    await node.run("network", "disconnect", "--device", "br1", BOX);
  });
});

test("a podman container, by its name", async () => {
  const conflist = { cniVersion: "1.0.0", name: "unused", plugins: [{ type: "fairlead-loopback" }] };
  const podman = await Podman.prepare(lab, {
    pluginFolder: node.pluginFolder,
    conflistFolder: stageConflist(lab, conflist),
    networkName: "unused",
  });
  const name = own("piped");
  await podman.run(
    "run",
    "-d",
    "--name",
    name,
    "--network",
    "unused",
    BUSYBOX_IMAGE,
    "sh",
    "-c",
    SERVE_FOREVER,
  );
  const before = await bridgeState(lab, "br1");
  await node.run("network", "connect", "--device", "br1", "--ip", `192.168.1.14/24@${LAN_GATEWAY}`, name);
  for (const target of [LAN_HOST, BEHIND_LAN]) {
    expect((await podman.try("exec", name, "ping", "-c1", "-W2", target)).status).toBe(0);
  }
  await node.run("network", "disconnect", "--device", "br1", name);
  expect((await podman.try("exec", name, "ping", "-c1", "-W1", LAN_HOST)).status).not.toBe(0);
  expect(await bridgeState(lab, "br1")).toEqual(before);
  await podman.run("rm", "-f", "-t0", name);
});

test("a network of the driver macvlan: its containers reach one another, its gateway and what is behind it", async () => {
  const network = own("lan");
  await wire("nic3", ["192.168.7.1/24", `${BEHIND_LAN}/32`]);
  const subnet = ["--subnet", "192.168.7.0/24", "--gateway", "192.168.7.1", "--ip-range", "192.168.7.128/25"];
  await node.run("network", "create", "-d", "macvlan", "-o", "parent=nic3", ...subnet, network);
  const bare = ["--netns", await lab.addContainer("pipe-lan")] as const;
  await node.run("network", "connect", ...bare, "--ip", "192.168.7.200", network);
  const box = own("lanbox");
  await node.run("sandbox", "create", "--network", network, box);
  lab.defer("remove the sandbox on the macvlan network", () => node.try("sandbox", "rm", box));
  for (const target of ["192.168.7.200", "192.168.7.1", BEHIND_LAN]) {
    expect([target, await ping(box, target)]).toEqual([target, 0]);
  }
  const inspected = JSON.parse(await node.run("network", "inspect", network)) as {
    Driver: string;
    Containers: Record<string, { IPv4Address: string }>;
  }[];
  expect(inspected[0]?.Driver).toBe("macvlan");
  const held = Object.values(inspected[0]?.Containers ?? {}).map(({ IPv4Address }) => IPv4Address);
  expect(held.sort()).toContain("192.168.7.200/24");
  await node.run("network", "disconnect", ...bare, network);
  expect(await ping(box, "192.168.7.200")).not.toBe(0);
  await node.run("sandbox", "rm", box);
  await node.run("network", "rm", network);
});

test("a network of the driver macvlan passes over an address that a machine on the LAN has, and says whose it is", async () => {
  const network = own("taken");
  const path = await wire("nic4", ["192.168.8.1/24", "192.168.8.128/32"]);
  const subnet = ["--subnet", "192.168.8.0/24", "--gateway", "192.168.8.1", "--ip-range", "192.168.8.128/25"];
  await node.run("network", "create", "-d", "macvlan", "-o", "parent=nic4", ...subnet, network);
  const box = own("takenbox");
  await node.run("sandbox", "create", "--network", network, box);
  lab.defer("remove the sandbox beside a taken address", () => node.try("sandbox", "rm", box));
  const { stdout } = await node.exec(box, "ip", "-br", "addr", "show", "eth0");
  expect(stdout).toContain("192.168.8.129/24");
  const far = ["ip", "-n", path.replace("/run/netns/", ""), "-j", "link", "show", "wire0"];
  const [link] = JSON.parse(await command(far)) as { address: string }[];
  const leases = await node.run("ipam", "leases", "--state", "quarantined");
  expect(leases).toContain(`in use by ${link?.address}`);
  await node.run("sandbox", "rm", box);
  await node.run("network", "rm", network);
});

test.each([
  [["--device", "no-such0", "--ip", "10.0.0.1/24"], "no-such0"],
  [["--device", "br1", "--ip", "10.0.0.1"], "ADDRESS/LENGTH"],
  [["--device", "br1", "--ip", "10.0.0.1/24@x"], "ADDRESS/LENGTH"],
])("%j is refused, and nothing is made", async (options, message) => {
  const before = await bridgePorts(lab, "br1");
  const { status, stdout, stderr } = await node.try("network", "connect", ...options, BOX);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(message);
  expect(await bridgePorts(lab, "br1")).toEqual(before);
});
