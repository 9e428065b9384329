/**
 * A network that the reference plugins have served is changed to ours while its containers run: nothing that they have is
 * given to anybody else, and their DEL takes away what the reference made.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MOST_FOUND } from "../../lib/ipam/api.ts";
import { canPing, HOST_IPV4, INTERNET_IPV4, netnsPath } from "../support/lab/lab.ts";
import { FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";
import { MACVLAN } from "../support/lab/macvlan-lab.ts";
import { holdersOf, leasesOf } from "../support/lab/network-leases.ts";
import {
  type AnyResult,
  type Configuration,
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(180_000);

let lab: PluginLab;
let dataDir: string;
beforeAll(async () => {
  lab = await PluginLab.open("migrate");
  dataDir = lab.lab.folder("host-local");
});
afterAll(() => lab?.close());

const OURS = { CNI_PATH: `${FAIRLEAD_DIRECTORY}:${REFERENCE_DIRECTORY}` };
const THEIRS = { CNI_PATH: REFERENCE_DIRECTORY };
const bare = (address: string | undefined) => address?.replace(/\/.*/, "") ?? "";
const addressesOf = ({ ips = [] }: AnyResult) => ips.map(({ address }) => bare(address));
const rangesOf = ({ subnet, subnet6 }: TestNetwork) => [[{ subnet }], [{ subnet: subnet6 }]];

/** The network as the reference has it, and as ours have it after a change of two words. */
function theirs(network: TestNetwork, keys: Configuration = {}): Configuration {
  const ipam = { type: "host-local", dataDir, ranges: rangesOf(network) };
  return lab.bridge(network, { type: "bridge", ipam, ...keys });
}

function ours(network: TestNetwork, keys: Configuration = {}): Configuration {
  const ipam = { ...lab.plugins.ipam([network.subnet, network.subnet6]), dataDir, routes: undefined };
  return lab.bridge(network, { ipam, ...keys });
}

interface Old {
  readonly container: Container;
  readonly result: AnyResult;
  readonly addresses: readonly string[];
}

let nextPort = 26_000;

/** A container that the reference has attached, with a published port. */
async function attachOld(network: TestNetwork, wrapper: readonly string[] = []): Promise<Old> {
  const container = await lab.container();
  const call = { verb: "ADD", container, env: THEIRS, wrapper };
  const added = await lab.call({ ...call, type: "bridge", config: theirs(network) });
  expectSuccess(added);
  const result = JSON.parse(added.stdout) as AnyResult;
  nextPort += 1;
  const portMappings = [{ hostPort: nextPort, containerPort: 80, protocol: "tcp" }];
  const portmap = { cniVersion: "1.0.0", name: network.name, type: "portmap", prevResult: result };
  const config = { ...portmap, runtimeConfig: { portMappings } };
  expectSuccess(await lab.call({ ...call, type: "portmap", config }));
  return { container, result, addresses: addressesOf(result) };
}

/** Rules of iptables about a container, of both families, as iptables-nft has made them. */
async function iptablesAbout({ container: { containerId } }: Old): Promise<string[]> {
  const dumps = await Promise.all([lab.lab.host(["iptables-save"]), lab.lab.host(["ip6tables-save"])]);
  return dumps
    .join("\n")
    .split("\n")
    .filter((line) => line.includes(`id: \\"${containerId}\\"`));
}

async function chainsOfReference(): Promise<string[]> {
  const ruleset = await lab.lab.host(["nft", "list", "ruleset"]);
  return [...ruleset.matchAll(/chain (CNI-(?:DN-)?[0-9a-f]{16,})/g)].map(([, name = ""]) => name);
}

const hostLocalFiles = (network: TestNetwork, directory = dataDir) =>
  readdirSync(join(directory, network.name)).filter((name) => /^[0-9a-f]+[.:]/.test(name));

/** One more container in a netns of its own on a bridge, which nobody has attached by any plugin. */
async function attachByHand(bridge: string, name: string, addresses: readonly string[]): Promise<void> {
  const netns = await lab.lab.addContainer(name);
  const peer = ["type", "veth", "peer", "name", "net0", "netns", netns.slice("/run/netns/".length)];
  await lab.lab.host(["ip", "link", "add", name, ...peer]);
  await lab.lab.host(["ip", "link", "set", name, "master", bridge, "up"]);
  const ip = ["ip", "-n", netns.slice("/run/netns/".length)];
  for (const address of addresses) await command([...ip, "addr", "add", address, "dev", "net0"]);
  await command([...ip, "link", "set", "net0", "up"]);
}

describe("containers of the reference, on a network that is ours by now", () => {
  let network: TestNetwork;
  let old: [Old, Old];
  let fresh: { container: Container; result: AnyResult }[];

  beforeAll(async () => {
    network = lab.network();
    old = [await attachOld(network), await attachOld(network)];
    const containers = [await lab.container(), await lab.container()];
    // The very first two, at once.
    fresh = await Promise.all(
      containers.map(async (container) => ({ container, result: await lab.add(container, ours(network)) })),
    );
  });

  test("keep their addresses, which are theirs in the service, too", async () => {
    const holders = await holdersOf(lab, network);
    for (const { container, addresses } of old) {
      for (const address of addresses)
        expect([address, holders[address]]).toEqual([address, container.containerId]);
    }
    const all = [
      ...old.flatMap(({ addresses }) => addresses),
      ...fresh.flatMap(({ result }) => addressesOf(result)),
    ];
    expect(new Set(all).size).toBe(8);
    expect(Object.keys(holders).sort()).toEqual(all.sort());
  });

  test("are reached by new ones and reach them, and the internet", async () => {
    const [one] = fresh;
    for (const address of old[0].addresses)
      expect(await canPing(one?.container.netns ?? "", address)).toBe(true);
    for (const address of addressesOf(one?.result ?? { cniVersion: "" })) {
      expect([address, await canPing(old[0].container.netns, address)]).toEqual([address, true]);
    }
    const gateway = network.subnet.replace("0/24", "1");
    const { netns } = old[0].container;
    await command(["ip", "-n", netns.slice("/run/netns/".length), "route", "add", "default", "via", gateway]);
    expect(await canPing(netns, INTERNET_IPV4)).toBe(true);
    expect(await canPing(netns, HOST_IPV4)).toBe(true);
  });

  test("DEL takes away link, rules, chains and files of the one, and nothing of the other", async () => {
    const [going, staying] = old;
    const before = await iptablesAbout(staying);
    expect(before.length).toBeGreaterThan(0);
    expect(await iptablesAbout(going)).not.toEqual([]);
    await lab.succeed("DEL", going.container, ours(network, { prevResult: going.result }));
    expect(await lab.containerLinks(going.container)).toEqual([]);
    expect(await iptablesAbout(going)).toEqual([]);
    expect(hostLocalFiles(network).sort()).toEqual([...staying.addresses].sort());
    expect(Object.values(await holdersOf(lab, network))).not.toContain(going.container.containerId);
    expect(await iptablesAbout(staying)).toEqual(before);
    expect(await chainsOfReference()).toHaveLength(4);
    expect(await lab.containerLinks(staying.container)).toEqual(["eth0"]);
  });

  test("DEL after the namespace went, without prevResult, takes away the rest, and may be repeated", async () => {
    const [, going] = old;
    const container = { ...going.container, netns: "" };
    await lab.lab.host(["ip", "link", "del", going.result.interfaces?.[1]?.name ?? ""]);
    for (let round = 0; round < 2; round += 1) {
      await lab.succeed("DEL", container, ours(network));
      expect(await iptablesAbout(going)).toEqual([]);
      expect(await chainsOfReference()).toEqual([]);
      expect(hostLocalFiles(network)).toEqual([]);
    }
    for (const { container: own } of fresh) await lab.succeed("DEL", own, ours(network));
    expect(await holdersOf(lab, network)).toEqual({});
  });
});

test("leases at host-local's own place count, where the configuration names none any more", async () => {
  const script = `mkdir -p /var/lib/cni && mount --bind ${lab.lab.folder("cni")} /var/lib/cni && exec "$@"`;
  const wrapper = ["unshare", "-m", "sh", "-c", script, "sh"];
  const network = lab.network();
  const container = await lab.container();
  const ipam = { type: "host-local", ranges: rangesOf(network) };
  const config = theirs(network, { ipam });
  expectSuccess(await lab.call({ verb: "ADD", type: "bridge", container, config, env: THEIRS, wrapper }));
  const next = await lab.container();
  const changed = ours(network, { ipam: { ...(ours(network)["ipam"] as object), dataDir: undefined } });
  const added = await lab.call({ verb: "ADD", container: next, config: changed, wrapper });
  expectSuccess(added);
  expect(addressesOf(JSON.parse(added.stdout) as AnyResult)).toEqual([
    network.subnet.replace("0/24", "3"),
    network.subnet6.replace("/64", "3"),
  ]);
  expectSilence(await lab.call({ verb: "DEL", container, config: changed, wrapper }));
  expect(hostLocalFiles(network, join(lab.lab.directory, "cni", "networks"))).toEqual([]);
  await lab.succeed("DEL", next, changed);
});

test("whoever is on the bridge without any plugin is quarantined, with the place where he was seen", async () => {
  const network = lab.network();
  const [four, six] = [network.subnet.replace(".0/24", ""), network.subnet6.replace("::/64", "")];
  await lab.lab.host(["ip", "link", "add", network.bridge, "type", "bridge"]);
  await lab.lab.host(["ip", "link", "set", network.bridge, "up"]);
  await attachByHand(network.bridge, "byhand0", [`${four}.2/24`, `${six}::2/64`, "192.0.2.9/24"]);
  for (const [address, state] of [
    [`${four}.3`, "stale"],
    [`${six}::3`, "reachable"],
    [`${four}.4`, "failed"],
    ["192.0.2.77", "reachable"],
  ] as const) {
    const entry = [address, "dev", network.bridge, "lladdr", "02:00:00:00:00:77", "nud", state];
    await lab.lab.host(["ip", "neigh", "replace", ...entry]);
  }
  const container = await lab.container();
  const result = await lab.add(container, ours(network));
  expect(addressesOf(result)).toEqual([`${four}.4`, `${six}::4`]);
  const shown = (await leasesOf(lab, network)).map(({ address, state, reason }) => [address, state, reason]);
  const port = expect.stringMatching(/in use before .* behind port byhand0 of bridge/);
  const neighbour = expect.stringMatching(/in use before .* neighbour of bridge .* 02:00:00:00:00:77/);
  expect(shown).toEqual([
    [`${four}.2`, "quarantined", port],
    [`${four}.3`, "quarantined", neighbour],
    [`${four}.4`, "bound", ""],
    [`${six}::2`, "quarantined", port],
    [`${six}::3`, "quarantined", neighbour],
    [`${six}::4`, "bound", ""],
  ]);
  await lab.succeed("DEL", container, ours(network));
});

test("a range set that the conflist gets later is looked for, too", async () => {
  const [network, more] = [lab.network(), lab.network()];
  const first = await lab.container();
  const config = (subnets: readonly string[]) => lab.bridge(network, { ipam: lab.plugins.ipam(subnets) });
  await lab.add(first, config([network.subnet]));
  await attachByHand(network.bridge, "byhand1", [more.subnet.replace("0/24", "2/24")]);
  const second = await lab.container();
  const result = await lab.add(second, config([network.subnet, more.subnet]));
  expect(addressesOf(result)).toEqual([
    network.subnet.replace("0/24", "3"),
    more.subnet.replace("0/24", "3"),
  ]);
  for (const container of [first, second]) await lab.succeed("DEL", container, config([network.subnet]));
});

test("fairlead-ipam behind the reference bridge takes over, too", async () => {
  const network = lab.network();
  const old = await attachOld(network);
  const container = await lab.container();
  const config = ours(network, { type: "bridge" });
  const call = { type: "bridge", config, env: OURS };
  const added = await lab.call({ ...call, verb: "ADD", container });
  expectSuccess(added);
  expect(addressesOf(JSON.parse(added.stdout) as AnyResult)).not.toEqual(old.addresses);
  expect(await holdersOf(lab, network)).toMatchObject({
    [old.addresses[0] ?? ""]: old.container.containerId,
  });
  for (const each of [old.container, container]) {
    expectSilence(await lab.call({ ...call, verb: "DEL", container: each }));
  }
  expect(hostLocalFiles(network)).toEqual([]);
  expect(await holdersOf(lab, network)).toEqual({});
});

/** A lease of host-local's, as its file is. */
function writeLease(network: TestNetwork, name: string, content: string): void {
  mkdirSync(join(dataDir, network.name), { recursive: true });
  writeFileSync(join(dataDir, network.name, name), content);
}

test("files of every kind that host-local has made, and others, are read", async () => {
  const network = lab.network();
  const address = (host: number) => network.subnet.replace("0/24", String(host));
  writeLease(network, address(2), "old-format");
  writeLease(network, address(3), "unix\neth1");
  writeLease(network, address(4), "bad id/\r\neth0");
  writeLease(network, "10.255.255.1", "elsewhere\r\neth0");
  writeLease(network, "last_reserved_ip.0", address(9));
  writeLease(network, "lock", "");
  const container = await lab.container();
  const config = lab.bridge(network, { ipam: { ...lab.plugins.ipam([network.subnet]), dataDir } });
  expect(addressesOf(await lab.add(container, config))).toEqual([address(5)]);
  expect(
    (await leasesOf(lab, network)).map(({ address, state, containerId }) => [address, state, containerId]),
  ).toEqual([
    [address(2), "bound", "old-format"],
    [address(3), "bound", "unix"],
    [address(4), "quarantined", ""],
    [address(5), "bound", container.containerId],
  ]);
  await lab.succeed("DEL", { ...container, containerId: "old-format", netns: "" }, config);
  expect(hostLocalFiles(network)).not.toContain(address(2));
  await lab.succeed("GC", undefined, { ...config, cniVersion: "1.1.0", "cni.dev/valid-attachments": [] });
  expect(hostLocalFiles(network).sort()).toEqual(["10.255.255.1", address(4)].sort());
});

test("more than can be taken over is refused, and nothing is granted", async () => {
  const network = lab.network();
  const wide = network.subnet.replace(/\.\d+\.0\/24/, ".0.0/16").replace(/^10/, "11");
  const prefix = wide.replace(".0.0/16", "");
  for (let at = 0; at <= MOST_FOUND; at += 1)
    writeLease(network, `${prefix}.${(at >> 8) + 1}.${at & 255}`, `c${at}\r\neth0`);
  const container = await lab.container();
  const config = lab.bridge(network, { ipam: { ...lab.plugins.ipam([wide]), dataDir } });
  const error = await lab.fail("ADD", container, config);
  expect(error).toMatchObject({
    code: 7,
    msg: expect.stringContaining(`${MOST_FOUND + 1} of its addresses`),
  });
  expect(await leasesOf(lab, network)).toEqual([]);
  expect(await lab.containerLinks(container)).toEqual([]);
});

test("macvlan, which has no bridge, goes by host-local's leases", async () => {
  const network = lab.network();
  const address = (host: number) => network.subnet.replace("0/24", String(host));
  writeLease(network, address(2), "old-macvlan\r\neth0");
  const container = await lab.container();
  const ipam = { ...lab.plugins.ipam([network.subnet]), dataDir };
  const config = { cniVersion: "1.0.0", name: network.name, type: MACVLAN, master: "eth0", ipam };
  const added = await lab.call({ verb: "ADD", type: MACVLAN, container, config });
  expectSuccess(added);
  expect(addressesOf(JSON.parse(added.stdout) as AnyResult)).toEqual([address(3)]);
  const old = { containerId: "old-macvlan", netns: netnsPath("none"), ifname: "eth0" };
  for (const each of [old, container]) {
    expectSilence(await lab.call({ verb: "DEL", type: MACVLAN, container: each, config }));
  }
  expect(hostLocalFiles(network)).toEqual([]);
  expect(await holdersOf(lab, network)).toEqual({});
});

/** Rules as version 1.6 of the reference makes them with its nftables back ends, which no package here has. */
const nativeRules = (network: string, container: string) => `
table inet cni_plugins_masquerade {
  chain masq_checks {
    ip saddr 10.0.0.2 masquerade comment "${`1111111111111111-2222222222222222, net: ${network}, if: eth0, id: ${container}`.slice(0, 128)}"
    ip saddr 10.0.0.3 masquerade comment "1111111111111111-3333333333333333, net: ${network}, if: eth1, id: native"
    ip saddr 10.0.0.4 masquerade comment "net: ${network}, if: eth0, id: native"
  }
}
table ip cni_hostport {
  chain hostports {
    tcp dport 8080 accept comment "${container}"
    tcp dport 8081 accept comment "another"
  }
  chain masquerading {
    ip saddr 10.0.0.2 masquerade comment "${container}"
  }
}
table ip6 cni_hostport {
  chain hostip_hostports {
    tcp dport 8080 accept comment "${container}"
  }
}
`;

test("rules of the reference's nftables back ends go with their container", async () => {
  const network = lab.network();
  const containerId = `native-${"c".repeat(80)}`;
  writeLease(network, network.subnet.replace("0/24", "2"), `${containerId}\r\neth0`);
  await lab.lab.host(["nft", "-f", lab.lab.file("native.nft", nativeRules(network.name, containerId))]);
  const old = { containerId, netns: "", ifname: "eth0" };
  await lab.succeed("DEL", old, ours(network));
  const left = await lab.lab.host(["nft", "list", "ruleset"]);
  const sources = [...left.matchAll(/ip saddr 10\.0\.0\.(\d)|dport (\d+) accept/g)].map(([all]) => all);
  expect(sources).toEqual(["ip saddr 10.0.0.3", "ip saddr 10.0.0.4", "dport 8081 accept"]);
});

test("a table of iptables-legacy is out of reach, and the log says what to look for", async () => {
  const network = lab.network();
  writeLease(network, network.subnet.replace("0/24", "2"), "legacy\r\neth0");
  await lab.lab.host(["iptables-legacy", "-t", "nat", "-N", "CNI-0123456789abcdef01234567"]);
  const old = { containerId: "legacy", netns: "", ifname: "eth0" };
  const answer = await lab.call({ verb: "DEL", container: old, config: ours(network) });
  expectSilence(answer);
  expect(answer.stderr).toContain(`name: "${network.name}" id: "legacy"`);
  await lab.lab.host(["iptables-legacy", "-t", "nat", "-X", "CNI-0123456789abcdef01234567"]);
});

test("a pair that cannot be told to be this network's is left, and so are its rules", async () => {
  const network = lab.network();
  const old = await attachOld(network);
  const stranger = { ...old.container, containerId: "stranger", netns: "" };
  await lab.succeed("DEL", stranger, ours(network));
  expect(await iptablesAbout(old)).not.toEqual([]);
  expect(await lab.containerLinks(old.container)).toEqual(["eth0"]);
  expectFailure(await lab.call({ verb: "ADD", container: old.container, config: ours(network) }));
  expect(await holdersOf(lab, network)).toMatchObject({
    [old.addresses[0] ?? ""]: old.container.containerId,
  });
  await lab.succeed("DEL", old.container, ours(network));
  expect(await iptablesAbout(old)).toEqual([]);
});
