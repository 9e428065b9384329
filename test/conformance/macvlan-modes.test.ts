/** `fairlead-macvlan` by packets: who reaches whom in which mode, and what its keys change. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { canPing, INTERNET_IPV4, inNetns } from "../support/lab/lab.ts";
import { command, waitUntil } from "../support/lab/lab-process.ts";
import { MACVLAN, MacvlanLab, type Wire } from "../support/lab/macvlan-lab.ts";
import {
  type AnyResult,
  type Configuration,
  type Container,
  expectSuccess,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";
import { ANNOUNCEMENT_SNIFFER } from "../support/traffic/announcements.ts";

jest.setTimeout(120_000);

let lab: MacvlanLab;
beforeAll(async () => {
  lab = await MacvlanLab.open("mvm");
});
afterAll(() => lab?.close());

const namespaceOf = (path: string) => path.slice("/run/netns/".length);
const bare = (address: string) => address.replace(/\/.*/, "");

interface Attached {
  readonly container: Container;
  readonly result: AnyResult;
  /** One of each family. */
  readonly addresses: readonly string[];
}

async function attach(config: Configuration): Promise<Attached> {
  const container = await lab.base.container();
  const result = await lab.add(container, config);
  return { container, result, addresses: result.ips?.map(({ address }) => bare(address)) ?? [] };
}

/** A dual-stack configuration, with the far end of the wire as its gateway. */
async function dualStack(network: TestNetwork, wire: Wire, keys: Configuration): Promise<Configuration> {
  const gateways = [network.subnet.replace("0/24", "1/24"), network.subnet6.replace("::/64", "::1/64")];
  for (const address of gateways) {
    await command(["ip", "-n", namespaceOf(wire.far), "addr", "add", address, "dev", "wire0", "nodad"]);
  }
  const ipam = lab.base.plugins.ipam([network.subnet, network.subnet6]);
  return lab.config(network, wire, { ipam, ...keys });
}

/** One try each, where nothing shall come back. */
async function reaches(from: Container, targets: readonly string[]): Promise<boolean[]> {
  return Promise.all(targets.map((target) => canPing(from.netns, target)));
}

test.each([
  ["bridge", true],
  ["private", false],
  ["vepa", false],
])("mode %s: the wire is reached; each other: %s", async (mode, eachOther) => {
  const [network, wire] = [lab.base.network(), await lab.wire()];
  const config = await dualStack(network, wire, { mode });
  const [one, two] = [await attach(config), await attach(config)];
  const gateways = [network.subnet.replace("0/24", "1"), network.subnet6.replace("::/64", "::1")];
  expect(await reaches(one.container, gateways)).toEqual([true, true]);
  expect(await reaches(two.container, gateways)).toEqual([true, true]);
  expect(await reaches(one.container, two.addresses)).toEqual([eachOther, eachOther]);
  // The far end reaches both, and the host neither: the kernel keeps a master and its macvlans apart.
  for (const address of [...one.addresses, ...two.addresses])
    expect(await canPing(wire.far, address)).toBe(true);
  const host = `/run/netns/${lab.base.lab.hostNetns}`;
  await lab.base.lab.host([
    "ip",
    "addr",
    "add",
    network.subnet.replace("0/24", "222/24"),
    "dev",
    wire.master,
  ]);
  expect(await canPing(host, one.addresses[0] ?? "")).toBe(false);
  for (const { container } of [one, two]) await lab.succeed("DEL", container, config);
});

test("mode vepa: each other, by a switch that sends frames back", async () => {
  const [network, wire] = [lab.base.network(), await lab.wire()];
  const far = namespaceOf(wire.far);
  await command(["ip", "-n", far, "link", "add", "sw0", "type", "bridge"]);
  await command(["ip", "-n", far, "link", "set", "sw0", "up"]);
  await command(["ip", "-n", far, "link", "set", "wire0", "master", "sw0"]);
  await command(["ip", "-n", far, "link", "set", "wire0", "type", "bridge_slave", "hairpin", "on"]);
  const config = lab.config(network, wire, { mode: "vepa" });
  const [one, two] = [await attach(config), await attach(config)];
  expect(await reaches(one.container, two.addresses)).toEqual([true]);
});

test("mode passthru: one alone, with the MAC of the master", async () => {
  const [network, wire] = [lab.base.network(), await lab.wire()];
  const config = await dualStack(network, wire, { mode: "passthru" });
  const { container, result } = await attach(config);
  const [master] = await lab.base.onHost<{ address: string }>("link", "show", wire.master);
  expect(result.interfaces?.[0]?.mac).toBe(master?.address);
  expect(await lab.base.mac(container)).toBe(master?.address);
  expect(await canPing(container.netns, network.subnet.replace("0/24", "1"))).toBe(true);
  await lab.succeed("CHECK", container, { ...config, prevResult: result });
  const second = await lab.fail("ADD", await lab.base.container(), config);
  expect(second).toMatchObject({ code: 104, msg: expect.stringContaining("passthru") });
  await lab.succeed("DEL", container, config);
});

test("an address that is asked for is announced on the wire, in both families", async () => {
  const [network, wire] = [lab.base.network(), await lab.wire()];
  const wished = [network.subnet.replace("0/24", "77"), network.subnet6.replace("::/64", "::77")];
  const config = await dualStack(network, wire, { runtimeConfig: { ips: wished } });
  const [program = "", ...args] = inNetns(wire.far, "python3", "-c", ANNOUNCEMENT_SNIFFER, "wire0");
  const sniffer: ChildProcess = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let seen = "";
    sniffer.stdout?.on("data", (data) => {
      seen += data;
    });
    if (sniffer.stdout) await once(sniffer.stdout, "data");
    const { container, addresses } = await attach(config);
    expect(addresses).toEqual(wished);
    const wanted = [`arp ${await lab.base.mac(container)} ${wished[0]}\n`, `na ${wished[1]}\n`];
    await waitUntil(async () => wanted.every((line) => seen.includes(line)), 20_000);
    for (const line of wanted) expect(seen).toContain(line);
  } finally {
    sniffer.kill();
  }
});

test("an IPv6 address is usable at once", async () => {
  const [network, wire] = [lab.base.network(), await lab.wire()];
  const { container } = await attach(await dualStack(network, wire, {}));
  const [link] = await lab.base.inContainer<{ addr_info: { scope: string; tentative?: boolean }[] }>(
    container,
    "-6",
    "addr",
    "show",
    "dev",
    "eth0",
  );
  const global = link?.addr_info.filter(({ scope }) => scope === "global") ?? [];
  expect(global.map(({ tentative }) => tentative)).toEqual([undefined]);
});

test("without master it is on the link of the default route, which may have the name of the container's", async () => {
  const addresses = [{ address: "198.51.100.77/24", gateway: INTERNET_IPV4 }];
  const config: Configuration = {
    cniVersion: "1.0.0",
    name: "uplink",
    type: MACVLAN,
    isDefaultGateway: true,
    ipam: { type: "fairlead-static", addresses },
  };
  const { container, result } = await attach(config);
  expect(result.routes).toEqual([{ dst: "0.0.0.0/0", gw: INTERNET_IPV4 }]);
  const [uplink] = await lab.base.onHost<{ ifindex: number }>("link", "show", "eth0");
  const [link] = await lab.base.inContainer<{ link_index: number }>(container, "link", "show", "eth0");
  expect(link?.link_index).toBe(uplink?.ifindex);
  expect(await canPing(container.netns, INTERNET_IPV4)).toBe(true);
  await lab.succeed("CHECK", container, { ...config, prevResult: result });
  await lab.succeed("DEL", container, config);
  expect(await lab.base.lab.hostLinks()).toContain("eth0");
});

test("the master may be in the container", async () => {
  const network = lab.base.network();
  const container = await lab.base.container();
  const inside = namespaceOf(container.netns);
  await command(["ip", "-n", inside, "link", "add", "in0", "type", "veth", "peer", "name", "in1"]);
  await command(["ip", "-n", inside, "link", "set", "in0", "up"]);
  const config = lab.config(network, { master: "in0" }, { linkInContainer: true });
  const result = await lab.add(container, config);
  const [link] = await lab.base.inContainer<{ link: string }>(container, "link", "show", "eth0");
  expect(link?.link).toBe("in0");
  await lab.succeed("CHECK", container, { ...config, prevResult: result });
  await lab.succeed("DEL", container, config);
  expect((await lab.base.containerLinks(container)).sort()).toEqual(["in0", "in1"]);
});

describe("keys", () => {
  let wire: Wire;
  beforeAll(async () => {
    wire = await lab.wire();
  });
  const [A, B, C, D] = ["0a", "0b", "0c", "0d"].map((byte) => `02:00:00:00:00:${byte}`);

  test.each([
    ["the key", { mac: A }, "", A],
    ["CNI_ARGS before the key", { mac: A }, `MAC=${B}`, B],
    ["args.cni before CNI_ARGS", { mac: A, args: { cni: { mac: C } } }, `MAC=${B}`, C],
    [
      "runtimeConfig before all",
      { mac: A, args: { cni: { mac: C } }, runtimeConfig: { mac: D } },
      `MAC=${B}`,
      D,
    ],
  ])("MAC address: %s", async (...[_, keys, args, expected]) => {
    const container = { ...(await lab.base.container()), ...(args !== "" && { args }) };
    const config = lab.config(lab.base.network(), wire, keys);
    await lab.add(container, config);
    expect(await lab.base.mac(container)).toBe(expected);
    await lab.succeed("DEL", container, config);
  });

  test("without any it follows from the attachment", async () => {
    const config = lab.config(lab.base.network(), wire);
    const { container } = await attach(config);
    const mac = await lab.base.mac(container);
    await lab.succeed("DEL", container, config);
    await lab.add(container, config);
    expect(await lab.base.mac(container)).toBe(mac);
  });

  test("mtu and bcqueuelen are the link's", async () => {
    const config = lab.config(lab.base.network(), wire, { mtu: 1280, bcqueuelen: 321 });
    const { container, result } = await attach(config);
    expect(result.interfaces?.[0]?.mtu).toBe(1280);
    expect(await lab.link(container)).toMatchObject({
      mtu: 1280,
      linkinfo: { info_data: { bcqueuelen: 321 } },
    });
  });

  test("the dns of IPAM is kept, unless the configuration says something", async () => {
    const network = lab.base.network();
    const resolvConf = lab.base.lab.file("macvlan-resolv.conf", "nameserver 192.0.2.53\n");
    const ipam = { ...lab.base.plugins.ipam([network.subnet]), resolvConf };
    expect((await attach(lab.config(network, wire, { ipam }))).result.dns).toEqual({
      nameservers: ["192.0.2.53"],
    });
    const dns = { domain: "own.example" };
    expect((await attach(lab.config(network, wire, { ipam, dns }))).result.dns).toEqual(dns);
  });

  test("without ipam it is a layer 2 network", async () => {
    const config = lab.config(lab.base.network(), wire, { ipam: {} });
    const { container, result } = await attach(config);
    expect(result).not.toHaveProperty("ips");
    expect(await lab.base.containerAddresses(container)).toEqual([]);
    expect(await lab.link(container)).toMatchObject({ flags: expect.arrayContaining(["UP"]) });
    await lab.succeed("CHECK", container, { ...config, prevResult: result });
    await lab.succeed("DEL", container, config);
  });

  test("another IPAM plugin is executed", async () => {
    const dataDir = lab.base.lab.folder("host-local");
    const ipam = { type: "host-local", dataDir, subnet: "10.44.0.0/24", routes: [{ dst: "0.0.0.0/0" }] };
    const config = lab.config(lab.base.network(), wire, { ipam });
    const container = await lab.base.container();
    const added = await lab.base.call({ verb: "ADD", container, config, type: MACVLAN });
    expectSuccess(added);
    expect(await lab.base.containerAddresses(container)).toEqual(["10.44.0.2/24"]);
    await lab.succeed("DEL", container, config);
    expect(await lab.base.containerLinks(container)).toEqual([]);
  });
});
