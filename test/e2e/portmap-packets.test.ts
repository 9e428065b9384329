/**
 * Published ports, seen from every side with packets: two networks, dual stack. On one the bridge publishes by itself, on the
 * other fairlead-portmap does behind it.
 *
 *     internet 198.51.100.1 ── host 198.51.100.2 ─┬─ bridge flpma0 ── a1, a2      (network ports-a)
 *                                                 └─ bridge flpmb0 ── b1          (network ports-b)
 */
import { join } from "node:path";
import {
  HOST_IPV4,
  HOST_IPV6,
  INTERNET_IPV4,
  INTERNET_IPV6,
  inNetns,
  Lab,
  netnsPath,
} from "../support/lab/lab.ts";
import { type Attachment, type CniResult, ConflistRunner } from "../support/lab/lab-conflist.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  portmapOf,
  publishingOf,
} from "../support/lab/lab-plugins.ts";
import { command, Daemon, waitUntil } from "../support/lab/lab-process.ts";
import { ask, askOnce, NO_ANSWER, startServer } from "../support/lab/port-lab.ts";

jest.setTimeout(120_000);

const SUBNETS = {
  a: ["10.91.0.0/24", "fd00:91::/64"],
  b: ["10.92.0.0/24", "fd00:92::/64"],
} as const;

let lab: Lab;
let plugins: PluginsUnderTest;
let networks: { a: ConflistRunner; b: ConflistRunner };
let host: string;
let internet: string;
const addresses = new Map<string, { v4: string; v6: string }>();

type Mappings = readonly Readonly<Record<string, unknown>>[];

/** Attachments by container, in order. */
const attachments = new Map<string, Attachment>();

async function attach(network: "a" | "b", name: string, portMappings: Mappings = []): Promise<CniResult> {
  const known = attachments.get(name)?.netns;
  const netns = known ?? (await lab.addContainer(name));
  const ifname = known ? "eth1" : "eth0";
  const attachment: Attachment = {
    containerId: `id-${name}`,
    ifname,
    netns,
    runtimeConfig: { portMappings },
  };
  const result = await networks[network].add(attachment);
  attachments.set(known ? `${name}/eth1` : name, attachment);
  const [v4 = "", v6 = ""] = (result.ips ?? []).map(({ address }) => address.split("/")[0] ?? "");
  addresses.set(known ? `${name}/eth1` : name, { v4, v6 });
  return result;
}

function netnsOf(name: string): string {
  return attachments.get(name)?.netns ?? "";
}

function addressOf(name: string, family: "v4" | "v6" = "v4"): string {
  return addresses.get(name)?.[family] ?? "";
}

beforeAll(async () => {
  lab = await Lab.open("ports");
  [host, internet] = [netnsPath(lab.hostNetns), netnsPath(lab.internetNetns)];
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const runner = (name: "a" | "b") => {
    const network = {
      name: `ports-${name}`,
      bridge: `flpm${name}0`,
      subnets: SUBNETS[name],
      ...(name === "a" ? publishingOf(plugins) : { chained: [portmapOf(plugins)] }),
    };
    return new ConflistRunner(lab, plugins.cniPath, bridgeConflist(plugins, network));
  };
  networks = { a: runner("a"), b: runner("b") };
  await attach("a", "a1", [
    { hostPort: 8080, containerPort: 80, protocol: "tcp" },
    { HostPort: 8053, ContainerPort: 53, Protocol: "UDP", HostIP: "" },
    { hostPort: 8081, containerPort: 80, protocol: "tcp", hostIP: "127.0.0.1" },
    { hostPort: 8082, containerPort: 80, protocol: "tcp", hostIP: HOST_IPV4 },
    { hostPort: 8083, containerPort: 80, protocol: "tcp", hostIP: HOST_IPV6 },
    { hostPort: 9000, containerPort: 9100, protocol: "tcp", range: 3 },
    { hostPort: 8084, containerPort: 80, protocol: "sctp" },
    { hostPort: 0, containerPort: 81, protocol: "tcp" },
  ]);
  await attach("a", "a2");
  await attach("b", "b1");
  await startServer(lab, netnsOf("a1"), { name: "a1", ports: [80, 53, 9100, 9101, 9102] });
});

afterAll(() => lab.close());

describe("a client outside reaches the container, which sees the client as who it is", () => {
  test.each([
    ["TCP", { host: HOST_IPV4, port: 8080 }, INTERNET_IPV4],
    ["TCP over IPv6", { host: HOST_IPV6, port: 8080 }, INTERNET_IPV6],
    ["UDP", { protocol: "udp", host: HOST_IPV4, port: 8053 }, INTERNET_IPV4],
    ["UDP over IPv6", { protocol: "udp", host: HOST_IPV6, port: 8053 }, INTERNET_IPV6],
    ["one address", { host: HOST_IPV4, port: 8082 }, INTERNET_IPV4],
    ["one address of IPv6", { host: HOST_IPV6, port: 8083 }, INTERNET_IPV6],
    ["first of a range", { host: HOST_IPV4, port: 9000 }, INTERNET_IPV4],
    ["last of a range", { host: HOST_IPV6, port: 9002 }, INTERNET_IPV6],
  ] as const)("%s", async (_what, question, client) => {
    expect(await ask(internet, question)).toBe(`a1 ${client}`);
  });

  test.each([
    ["a port that is not published", { host: HOST_IPV4, port: 8079 }],
    ["the loopback's from outside", { host: HOST_IPV4, port: 8081 }],
    ["one address's by the other family", { host: HOST_IPV6, port: 8082 }],
    ["TCP's by UDP", { protocol: "udp", host: HOST_IPV4, port: 8080 }],
    ["beyond a range", { host: HOST_IPV4, port: 9003 }],
  ] as const)("but not %s", async (_what, question) => {
    expect(await askOnce(internet, question)).toMatch(NO_ANSWER);
  });
});

describe("the host reaches the container", () => {
  test.each([
    ["on 127.0.0.1", { host: "127.0.0.1", port: 8080 }],
    ["on 127.0.0.1 by UDP", { protocol: "udp", host: "127.0.0.1", port: 8053 }],
    ["on another loopback address", { host: "127.8.9.10", port: 8080 }],
    ["on its own address", { host: HOST_IPV4, port: 8080 }],
    ["on its own address of IPv6", { host: HOST_IPV6, port: 8080 }],
    ["where only the loopback has it", { host: "127.0.0.1", port: 8081 }],
    ["on a gateway address", { host: "10.92.0.1", port: 8080 }],
  ] as const)("%s", async (_what, question) => {
    expect(await ask(host, question)).toMatch(/^a1 /);
  });

  test("not on the loopback what is another address's", async () => {
    expect(await askOnce(host, { host: "127.0.0.1", port: 8082 })).toMatch(NO_ANSWER);
  });
});

describe("containers reach it by the host's address", () => {
  test.each([
    ["itself", "a1", HOST_IPV4],
    ["itself over IPv6", "a1", HOST_IPV6],
    ["another one on the bridge", "a2", HOST_IPV4],
    ["another one on the bridge over IPv6", "a2", HOST_IPV6],
    ["another one by its gateway", "a2", "10.91.0.1"],
    ["one on another network", "b1", HOST_IPV4],
    ["one on another network over IPv6", "b1", HOST_IPV6],
  ])("%s", async (_what, name, address) => {
    expect(await ask(netnsOf(name), { host: address, port: 8080 })).toMatch(/^a1 /);
    expect(await ask(netnsOf(name), { protocol: "udp", host: address, port: 8053 })).toMatch(/^a1 /);
  });
});

test("SCTP is translated: a chunk that is sent to the host's port arrives at the container's", async () => {
  // This kernel has no SCTP sockets; packets need none.
  const listen = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132); s.settimeout(20); print("ready", flush=True)
packet, peer = s.recvfrom(2000); head = (packet[0] & 15) * 4
print(int.from_bytes(packet[head + 2:head + 4], "big"), peer[0])`;
  const send = `
import socket, struct
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8): crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
init = struct.pack("!BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
packet = struct.pack("!HHII", 7777, 8084, 0, 0) + init
packet = packet[:8] + struct.pack("<I", crc32c(packet)) + packet[12:]
socket.socket(socket.AF_INET, socket.SOCK_RAW, 132).sendto(packet, ("${HOST_IPV4}", 0))`;
  const listening = inNetns(netnsOf("a1"), "python3", "-c", listen);
  const listener = Daemon.start(listening, join(lab.directory, "sctp.log"));
  await listener.waitUntilReady(async () => listener.logTail() === "ready\n");
  await command(inNetns(internet, "python3", "-c", send));
  expect(await waitUntil(async () => !listener.running, 30_000)).toBe(true);
  expect(listener.logTail()).toBe(`ready\n80 ${INTERNET_IPV4}\n`);
});

test("route_localnet lets no container to what the host serves on its loopback alone", async () => {
  await startServer(lab, host, { name: "host", ports: [7007] });
  const { netns } = attachments.get("a2") as Attachment;
  await command(inNetns(netns, "sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1"));
  await command(inNetns(netns, "ip", "route", "add", "127.9.9.9/32", "via", "10.91.0.1"));
  const attack = () => askOnce(netns, { host: "127.9.9.9", port: 7007 });
  expect(await attack()).toMatch(NO_ANSWER);
  // The control: the filter is what keeps it out.
  const saved = await lab.host(["nft", "list", "chain", "inet", "fairlead", "portmap-loopback"]);
  await lab.host(["nft", "flush", "chain", "inet", "fairlead", "portmap-loopback"]);
  expect(await attack()).toMatch(/^host /);
  await lab.host(["nft", "-f", "-"], { input: saved });
  expect(await attack()).toMatch(NO_ANSWER);
});

describe("a port that is taken is refused", () => {
  const ports = (hostPort: number, hostIP = ""): Mappings => [
    { hostPort: 8099, containerPort: 99, protocol: "tcp" },
    { hostPort, hostIP, containerPort: 80, protocol: "tcp" },
  ];

  test.each([
    ["on every address", "late", ""],
    ["on one address", "later", "127.0.0.1"],
  ])("by another container, which is named, %s", async (_what, name, hostIP) => {
    await expect(attach("b", name, ports(8080, hostIP))).rejects.toMatchObject({
      code: 104,
      message: expect.stringContaining(
        "container id-a1 (interface eth0, network ports-a) has tcp/0.0.0.0:8080",
      ),
    });
    expect(await ask(host, { host: "127.0.0.1", port: 8080 })).toMatch(/^a1 /);
    expect(await askOnce(host, { host: "127.0.0.1", port: 8099 })).toMatch(NO_ANSWER);
  });

  test("by a program of the host, which is named", async () => {
    await startServer(lab, host, { name: "squatter", ports: [7070] });
    await expect(attach("b", "latest", ports(7070))).rejects.toMatchObject({
      code: 104,
      message: expect.stringMatching(
        /publish port tcp\/0\.0\.0\.0:7070: node \(process \d+\) listens on \[::\]:7070/,
      ),
    });
    expect(await ask(host, { host: "127.0.0.1", port: 7070 })).toMatch(/^squatter /);
  });
});

describe("a UDP client that never stops sending from one port", () => {
  const question = { protocol: "udp", host: HOST_IPV4, port: 6000, from: 34567 } as const;
  const mapping: Mappings = [{ hostPort: 6000, containerPort: 6000, protocol: "udp" }];

  test("reaches the container that comes, not the nobody that was before, and the next one after that", async () => {
    expect(await askOnce(internet, question)).toMatch(NO_ANSWER);
    await attach("a", "u1", mapping);
    await startServer(lab, netnsOf("u1"), { name: "u1", ports: [6000] });
    expect(await ask(internet, question)).toBe(`u1 ${INTERNET_IPV4}`);
    await networks.a.del(attachments.get("u1") as Attachment);
    expect(await askOnce(internet, question)).toMatch(NO_ANSWER);
    await attach("b", "u2", mapping);
    await startServer(lab, netnsOf("u2"), { name: "u2", ports: [6000] });
    expect(await ask(internet, question)).toBe(`u2 ${INTERNET_IPV4}`);
  });

  test("and its connections elsewhere, to the same port, are left alone", async () => {
    const tracked = async () =>
      (
        await lab.host([
          "conntrack",
          "-L",
          "-p",
          "udp",
          "--orig-port-dst",
          "6001",
          "--orig-dst",
          INTERNET_IPV4,
        ])
      )
        .split("\n")
        .filter((line) => line.startsWith("udp")).length;
    await ask(host, { protocol: "udp", host: INTERNET_IPV4, port: 6001 });
    expect(await tracked()).toBeGreaterThan(0);
    await attach("a", "u3", [{ hostPort: 6001, containerPort: 6001, protocol: "udp" }]);
    expect(await tracked()).toBeGreaterThan(0);
  });
});

describe("one container on two networks", () => {
  test("each publishes its own port, and DEL of one keeps the other's", async () => {
    await attach("a", "t1", [{ hostPort: 5001, containerPort: 80, protocol: "tcp" }]);
    await attach("b", "t1", [{ hostPort: 5002, containerPort: 80, protocol: "tcp" }]);
    await startServer(lab, netnsOf("t1"), { name: "t1", ports: [80] });
    for (const port of [5001, 5002]) expect(await ask(host, { host: "127.0.0.1", port })).toMatch(/^t1 /);
    await networks.b.del(attachments.get("t1/eth1") as Attachment);
    expect(await ask(host, { host: "127.0.0.1", port: 5001 })).toMatch(/^t1 /);
    expect(await askOnce(host, { host: "127.0.0.1", port: 5002 })).toMatch(NO_ANSWER);
    await networks.a.del(attachments.get("t1") as Attachment);
  });

  test("the same port on both, as podman asks for it: it stays while one of the two does", async () => {
    const mapping: Mappings = [{ hostPort: 5003, containerPort: 80, protocol: "tcp" }];
    await attach("a", "t2", mapping);
    await attach("b", "t2", mapping);
    await startServer(lab, netnsOf("t2"), { name: "t2", ports: [80] });
    expect(await ask(host, { host: "127.0.0.1", port: 5003 })).toMatch(/^t2 /);
    await networks.a.del(attachments.get("t2") as Attachment);
    expect(await ask(host, { host: "127.0.0.1", port: 5003 })).toMatch(/^t2 /);
    await networks.b.del(attachments.get("t2/eth1") as Attachment);
    expect(await askOnce(host, { host: "127.0.0.1", port: 5003 })).toMatch(NO_ANSWER);
  });
});

test("behind the reference's bridge it works alike, and takes its network's bridge for the link", async () => {
  const bridge = {
    type: "bridge",
    bridge: "flref0",
    isGateway: true,
    ipMasq: true,
    ipam: plugins.ipam(["10.93.0.0/24", "fd00:93::/64"]),
  };
  const conflist = { cniVersion: "1.0.0", name: "ports-ref", plugins: [bridge, portmapOf(plugins)] };
  const runner = new ConflistRunner(lab, plugins.cniPath, conflist);
  const attachment = {
    containerId: "id-ref",
    ifname: "eth0",
    netns: await lab.addContainer("ref"),
    runtimeConfig: { portMappings: [{ hostPort: 4000, containerPort: 80, protocol: "tcp" }] },
  };
  await runner.add(attachment);
  await startServer(lab, attachment.netns, { name: "ref", ports: [80] });
  expect(await ask(internet, { host: HOST_IPV4, port: 4000 })).toBe(`ref ${INTERNET_IPV4}`);
  for (const address of ["127.0.0.1", HOST_IPV4, HOST_IPV6]) {
    expect(await ask(host, { host: address, port: 4000 })).toMatch(/^ref /);
  }
  expect(await ask(netnsOf("b1"), { host: HOST_IPV4, port: 4000 })).toMatch(/^ref /);
  await runner.check(attachment);
  await runner.del(attachment);
  expect(await askOnce(host, { host: "127.0.0.1", port: 4000 })).toMatch(NO_ANSWER);
});

test("[::1] is the one address that does not answer, as with the reference", async () => {
  expect(await askOnce(host, { host: "::1", port: 8080 })).toMatch(NO_ANSWER);
});

test("after DEL the port is gone and free for the next; DEL needs no netns, result or runtimeConfig", async () => {
  const first = attachments.get("a1") as Attachment;
  await networks.a.check(first);
  const { runtimeConfig: _, ...bare } = first;
  const rules = () => lab.host(["nft", "-s", "list", "table", "inet", "fairlead"]);
  const forgetful = new ConflistRunner(lab, plugins.cniPath, networks.a.conflist);
  await forgetful.del({ ...bare, netns: "" });
  await forgetful.del({ ...bare, netns: "" });
  await networks.a.del(first);
  for (const trace of ["id-a1", "8080", addressOf("a1")]) expect(await rules()).not.toContain(trace);
  expect(await askOnce(internet, { host: HOST_IPV4, port: 8080 })).toMatch(NO_ANSWER);
  await attach("b", "next", [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }]);
  await startServer(lab, netnsOf("next"), { name: "next", ports: [80] });
  expect(await ask(internet, { host: HOST_IPV4, port: 8080 })).toBe(`next ${INTERNET_IPV4}`);
});
