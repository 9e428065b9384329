/** What the agent makes of networks on a node, with the built executable. Needs root, ip and nft. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Network } from "../../lib/ipam/api.ts";
import { AgentLab, CALLER } from "../support/agent-lab.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab-plugins.ts";
import { command, Daemon, labEnvironment, tryCommand, until, waitUntil } from "../support/lab-process.ts";

jest.setTimeout(120_000);

let under: AgentLab;
beforeEach(async () => {
  under = await AgentLab.open("agent", { dns: { enabled: false }, workers: 0, firewall: { accept: "off" } });
});
afterEach(() => under?.close());

async function start(): Promise<void> {
  await under.startServer();
  await under.startAgent();
  await under.agent.sync();
}

async function create(name: string, request: object = {}): Promise<Network> {
  const network = await under.service.createNetwork({ name, ...request }, CALLER);
  expect((await under.agent.sync()).problems).toEqual([]);
  return network;
}

const FAIRLEAD = [join(FAIRLEAD_DIRECTORY, "fairlead")];
const bridgeOf = ({ id }: Network) => `fl-${id.slice(0, 12)}`;
const conflistPath = (name: string) => join(under.cniConfDir, `85-fairlead-${name}.conflist`);

interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly ifalias?: string;
  readonly address: string;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

async function links(): Promise<ShownLink[]> {
  return JSON.parse(await under.lab.host(["ip", "-j", "-d", "addr"])) as ShownLink[];
}

async function bridges(): Promise<string[]> {
  const shown = JSON.parse(
    await under.lab.host(["ip", "-j", "link", "show", "type", "bridge"]),
  ) as ShownLink[];
  return shown.flatMap(({ ifname }) => ifname ?? []).sort();
}

const ruleset = () => under.lab.host(["nft", "list", "ruleset"]);

test("a network is on the node when a sync answers, and gone when it is removed", async () => {
  await start();
  expect(readdirSync(under.cniConfDir)).toEqual(["80-fairlead-bridge.conflist"]);
  expect(await bridges()).toEqual(["fl-bridge0"]);
  const shown = await tryCommand([...FAIRLEAD, "agent", "--status", "--config", under.agentConfigFile]);
  expect([shown.status, shown.stdout]).toEqual([0, expect.stringMatching(/^networks +ok/m)]);
  const web = await create("web", { subnets: [{ subnet: "10.61.0.0/24" }, { subnet: "fd00:61::/64" }] });
  const conflist = JSON.parse(readFileSync(conflistPath("web"), "utf8"));
  expect(conflist).toMatchObject({ name: "web", fairlead: { networkId: web.id } });
  const link = (await links()).find(({ ifname }) => ifname === bridgeOf(web));
  expect(link?.flags).toContain("UP");
  const addresses = link?.addr_info.filter(({ scope }) => scope === "global");
  expect(addresses?.map(({ local, prefixlen }) => `${local}/${prefixlen}`)).toEqual([
    "10.61.0.1/24",
    "fd00:61::1/64",
  ]);
  const rules = await ruleset();
  expect(rules).toContain(`"${bridgeOf(web)}" . 10.61.0.0/24 : goto masq-`);
  expect(rules).toContain(`"${bridgeOf(web)}" . 10.61.0.1`);
  expect(await under.lab.host(["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])).toBe(
    "1\n1\n",
  );

  await under.service.removeNetwork("web", CALLER);
  expect((await under.agent.sync()).problems).toEqual([]);
  expect(readdirSync(under.cniConfDir)).toEqual(["80-fairlead-bridge.conflist"]);
  expect(await bridges()).toEqual(["fl-bridge0"]);
  expect(await ruleset()).not.toContain(bridgeOf(web));
});

test("a network of the same name right after is the new one", async () => {
  await start();
  const first = await create("web");
  await under.service.removeNetwork("web", CALLER);
  const second = await create("web");
  expect(second.id).not.toBe(first.id);
  expect(JSON.parse(readFileSync(conflistPath("web"), "utf8")).fairlead.networkId).toBe(second.id);
  expect(await bridges()).toEqual([bridgeOf(second), "fl-bridge0"].sort());
  const rules = await ruleset();
  expect([rules.includes(bridgeOf(first)), rules.includes(bridgeOf(second))]).toEqual([false, true]);
});

test("what changed while the agent was dead is right after its start", async () => {
  await start();
  const old = await create("old");
  const kept = await create("kept");
  await under.killAgent();
  await under.service.removeNetwork("old", CALLER);
  const fresh = await under.service.createNetwork({ name: "fresh" }, CALLER);
  expect(existsSync(conflistPath("old"))).toBe(true);
  await under.startAgent();
  expect((await under.agent.sync()).problems).toEqual([]);
  expect([existsSync(conflistPath("old")), existsSync(conflistPath("fresh"))]).toEqual([false, true]);
  expect(await bridges()).toEqual([bridgeOf(kept), bridgeOf(fresh), "fl-bridge0"].sort());
  expect(await ruleset()).not.toContain(bridgeOf(old));
});

test("a server that knows nothing of them is no reason to remove networks, unless its log says so", async () => {
  await under.startServer({ predefinedNetworks: false });
  await under.startAgent();
  const [web, old] = [await create("web"), await create("old")];
  await under.killAgent();
  await under.service.removeNetwork("old", CALLER);
  await under.startAgent();
  await under.agent.sync();
  expect([existsSync(conflistPath("web")), existsSync(conflistPath("old"))]).toEqual([true, false]);
  expect(await bridges()).toEqual([bridgeOf(web)]);
  await under.stopServer();
  // Another store: its log is another, and the agent must tell what is here and list everything anew.
  await under.startServer({ predefinedNetworks: false, stateDir: under.lab.folder("another") });
  expect(await waitUntil(async () => !(await under.service.info()).recovering, 20_000)).toBe(true);
  await create("fresh");
  expect([existsSync(conflistPath("web")), existsSync(conflistPath("fresh"))]).toEqual([true, true]);
  expect(await bridges()).toContain(bridgeOf(web));
  expect(await bridges()).not.toContain(bridgeOf(old));
});

test("after many changes at once the node is what the service says", async () => {
  await start();
  const names = Array.from({ length: 40 }, (_, n) => `churn${n}`);
  await Promise.all(
    names.map(async (name, n) => {
      await under.service.createNetwork({ name, internal: n % 3 === 0 }, CALLER);
      if (n % 2 === 0) await under.service.removeNetwork(name, CALLER);
      if (n % 4 === 0) await under.service.createNetwork({ name }, CALLER);
    }),
  );
  expect((await under.agent.sync()).problems).toEqual([]);
  const networks = (await under.service.listNetworks()).filter(({ driver }) => driver === "bridge");
  expect(networks).toHaveLength(1 + 30);
  const made = networks.filter(({ origin }) => origin === "api");
  expect(await bridges()).toEqual([...made.map(bridgeOf), "fl-bridge0"].sort());
  for (const { id, name } of made) {
    expect(JSON.parse(readFileSync(conflistPath(name), "utf8")).fairlead.networkId).toBe(id);
  }
  expect(readdirSync(under.cniConfDir)).toHaveLength(networks.length);
});

test("a service that restarts is followed on", async () => {
  await start();
  await under.stopServer();
  expect((await under.agent.status()).service).toMatchObject({ connected: false });
  await under.startServer();
  await create("later");
  expect(existsSync(conflistPath("later"))).toBe(true);
  expect((await under.agent.status()).service).toMatchObject({ connected: true, reason: "" });
});

test("an agent that starts before its service gets there", async () => {
  await under.startAgent();
  await expect(under.agent.sync()).rejects.toMatchObject({ code: "unavailable" });
  await under.startServer();
  await create("web");
  expect(existsSync(conflistPath("web"))).toBe(true);
});

test("what others did to it is mended: files, bridge, rules", async () => {
  await start();
  const web = await create("web");
  const db = await create("db");
  const text = readFileSync(conflistPath("web"), "utf8");
  writeFileSync(conflistPath("web"), text.replace('"isolation": true', '"isolation": false'));
  rmSync(conflistPath("db"));
  await under.lab.host(["ip", "link", "del", bridgeOf(db)]);
  await under.lab.host(["nft", "flush", "ruleset"]);
  const isMended = async (): Promise<boolean> => {
    const rules = await ruleset();
    return (
      readFileSync(conflistPath("web"), "utf8") === text &&
      existsSync(conflistPath("db")) &&
      (await bridges()).includes(bridgeOf(db)) &&
      [web, db].every((network) => rules.includes(`"${bridgeOf(network)}" comment`)) &&
      rules.includes("chain isolation-forward") &&
      rules.includes(`"${bridgeOf(web)}" . `)
    );
  };
  await until(isMended);
});

test("isolation is back as it was, time after time", async () => {
  await start();
  await create("web");
  const lines = async (): Promise<string[]> =>
    (await ruleset())
      .replaceAll(/packets \d+ bytes \d+/g, "")
      .split("\n")
      .sort();
  const before = await lines();
  for (const damage of ["flush ruleset", "flush chain inet fairlead isolation-forward", "flush ruleset"]) {
    await under.lab.host(["nft", ...damage.split(" ")]);
    const isBack = async (): Promise<boolean> => (await lines()).join() === before.join();
    await until(isBack);
  }
});

test("a file of somebody else is kept, and what that means is said", async () => {
  mkdirSync(under.cniConfDir, { recursive: true });
  const foreign = join(under.cniConfDir, "10-mine.conflist");
  writeFileSync(foreign, '{"cniVersion":"1.0.0","name":"web","plugins":[{"type":"bridge"}]}');
  await start();
  await under.service.createNetwork({ name: "web" }, CALLER);
  const { problems } = await under.agent.sync();
  expect(problems).toEqual([
    { severity: "error", object: "web", message: expect.stringContaining("10-mine.conflist") },
  ]);
  expect((await under.agent.status()).parts[0]).toMatchObject({ name: "networks", problems });
  const shown = await tryCommand([...FAIRLEAD, "agent", "--status", "--config", under.agentConfigFile]);
  expect([shown.status, shown.stdout]).toEqual([
    1,
    expect.stringMatching(/^networks +error +web +.*10-mine/m),
  ]);
  expect(existsSync(conflistPath("web"))).toBe(false);
  expect(readFileSync(foreign, "utf8")).toContain('"type":"bridge"');
  expect(under.agentLog()).toContain("10-mine.conflist");
  await under.service.removeNetwork("web", CALLER);
  expect((await under.agent.sync()).problems).toEqual([]);
  expect(existsSync(foreign)).toBe(true);
});

test("a bridge with a port outlives its network until the port is gone", async () => {
  await start();
  const web = await create("web");
  const inHost = (...argv: string[]) => under.lab.host(["ip", ...argv]);
  await inHost("link", "add", "stray", "type", "veth", "peer", "name", "stray2");
  await inHost("link", "set", "stray", "master", bridgeOf(web));
  await under.service.removeNetwork("web", CALLER);
  await under.agent.sync();
  expect(existsSync(conflistPath("web"))).toBe(false);
  expect(await bridges()).toContain(bridgeOf(web));
  expect(await ruleset()).toContain(bridgeOf(web));
  await inHost("link", "del", "stray");
  await until(async () => !(await bridges()).includes(bridgeOf(web)));
  await until(async () => !(await ruleset()).includes(bridgeOf(web)));
});

test("a bridge of the administrator is used, and stays", async () => {
  await start();
  await under.lab.host(["ip", "link", "add", "br-mine", "type", "bridge"]);
  await create("web", { options: { "com.docker.network.bridge.name": "br-mine" } });
  expect((await links()).find(({ ifname }) => ifname === "br-mine")?.flags).toContain("UP");
  expect(await ruleset()).toContain("br-mine");
  await under.service.removeNetwork("web", CALLER);
  await under.agent.sync();
  expect(await bridges()).toEqual(["br-mine", "fl-bridge0"]);
  expect(await ruleset()).not.toContain("br-mine");
});

test.each([["while the agent runs"], ["while no agent runs"]])(
  "a network that a conflist declared takes its bridge and rules along when it is removed %s",
  async (when) => {
    await start();
    const ipam = { type: "fairlead-ipam", socket: under.socket, ranges: [[{ subnet: "10.90.0.0/24" }]] };
    const bridge = {
      type: "fairlead-bridge",
      bridge: "br-own",
      isGateway: true,
      ipMasq: true,
      isolation: true,
      ipam,
    };
    const conflist = { cniVersion: "1.0.0", name: "own", plugins: [bridge] };
    await plugin("ADD", conflist);
    await plugin("DEL", conflist);
    expect([(await bridges()).includes("br-own"), (await ruleset()).includes("10.90.0.0/24")]).toEqual([
      true,
      true,
    ]);
    if (when === "while no agent runs") await under.killAgent();
    await under.service.removeNetwork("own", CALLER);
    if (when === "while no agent runs") await under.startAgent();
    expect((await under.agent.sync()).problems).toEqual([]);
    await until(async () => !(await bridges()).includes("br-own"));
    await until(async () => !/br-own|10\.90\.0\.0/.test(await ruleset()));
  },
);

test("a macvlan network whose parent is missing is told of, until it is there", async () => {
  await start();
  await under.lab.host(["ip", "link", "add", "parent0", "type", "veth", "peer", "name", "parent1"]);
  await create("lan", {
    driver: "macvlan",
    options: { parent: "parent0" },
    subnets: [{ subnet: "10.91.0.0/24" }],
  });
  await under.lab.host(["ip", "link", "del", "parent0"]);
  const told = async (): Promise<boolean> =>
    (await under.agent.status()).parts.some(({ problems }) =>
      problems.some(({ object, message }) => object === "lan" && message.includes("no link parent0")),
    );
  await until(told);
  await under.lab.host(["ip", "link", "add", "parent0", "type", "veth", "peer", "name", "parent1"]);
  await until(async () => !(await told()));
});

test("bridges of another service on the same host are left alone", async () => {
  await under.startServer();
  const alias = `fairlead-network:${"ab".repeat(32)}@01234567`;
  await under.lab.host(["ip", "link", "add", "fl-other", "type", "bridge"]);
  await under.lab.host(["ip", "link", "set", "fl-other", "alias", alias]);
  await under.startAgent();
  await under.agent.sync();
  expect(await bridges()).toEqual(["fl-bridge0", "fl-other"]);
  await under.service.createNetwork(
    { name: "web", options: { "com.docker.network.bridge.name": "fl-other" } },
    CALLER,
  );
  expect((await under.agent.sync()).problems).toEqual([
    { severity: "error", object: "web", message: expect.stringContaining("it is kept for network abab") },
  ]);
  expect((await links()).find(({ ifname }) => ifname === "fl-other")?.ifalias).toBe(alias);
});

test("a bridge that this service kept for a network of a former store is made anew, unless it has containers", async () => {
  await start();
  const alias = (await links()).find(({ ifname }) => ifname === "fl-bridge0")?.ifalias ?? "";
  const former = alias.replace(/:[0-9a-f]+@/, `:${"cd".repeat(32)}@`);
  for (const bridge of ["fl-idle", "fl-used"]) {
    await under.lab.host(["ip", "link", "add", bridge, "type", "bridge"]);
    await under.lab.host(["ip", "link", "set", bridge, "alias", former]);
    await under.lab.host(["ip", "addr", "add", "10.250.0.1/24", "dev", bridge]);
  }
  await under.lab.host(["ip", "link", "add", "port", "type", "veth", "peer", "name", "port2"]);
  await under.lab.host(["ip", "link", "set", "port", "master", "fl-used"]);
  const options = (name: string) => ({ options: { "com.docker.network.bridge.name": name } });
  const web = await create("web", { subnets: [{ subnet: "10.61.0.0/24" }], ...options("fl-idle") });
  const idle = (await links()).find(({ ifname }) => ifname === "fl-idle");
  expect(idle?.ifalias).toBe(alias.replace(/:[0-9a-f]+@/, `:${web.id}@`));
  const addresses = idle?.addr_info.filter(({ scope }) => scope === "global");
  expect(addresses?.map(({ local }) => local)).toEqual(["10.61.0.1"]);
  await under.service.createNetwork({ name: "db", ...options("fl-used") }, CALLER);
  expect((await under.agent.sync()).problems).toEqual([
    { severity: "error", object: "db", message: expect.stringContaining("it is kept for network cdcd") },
  ]);
});

test("after a reboot everything comes back, also when an ADD was first", async () => {
  await start();
  const web = await create("web");
  const conflist = JSON.parse(readFileSync(conflistPath("web"), "utf8"));
  await under.killAgent();
  await under.lab.host(["nft", "flush", "ruleset"]);
  for (const bridge of await bridges()) await under.lab.host(["ip", "link", "del", bridge]);
  await plugin("ADD", conflist);
  expect((await links()).find(({ ifname }) => ifname === bridgeOf(web))?.ifalias).toBe("fairlead:web");
  await under.startAgent();
  expect((await under.agent.sync()).problems).toEqual([]);
  expect((await links()).find(({ ifname }) => ifname === bridgeOf(web))?.ifalias).toMatch(
    new RegExp(`^fairlead-network:${web.id}@[0-9a-f]{8}$`),
  );
  expect(await bridges()).toContain("fl-bridge0");
  await plugin("DEL", conflist);
  // The runtime's garbage collection leaves what the agent keeps.
  await plugin("GC", { ...conflist, cniVersion: "1.1.0" });
  expect(await bridges()).toContain(bridgeOf(web));
  expect(await ruleset()).toContain(`"${bridgeOf(web)}" comment`);
});

test("a firewall that drops what containers send is told of, and left alone", async () => {
  await start();
  const script = "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }";
  await under.lab.host(["nft", "-f", "-"], { input: script });
  const warned = async (): Promise<boolean> => {
    const { parts } = await under.agent.status();
    return parts.some(({ problems }) => problems.some(({ object }) => object === "chain ip filter FORWARD"));
  };
  await until(warned);
  expect(under.agentLog()).toContain("chain ip filter FORWARD drops");
  expect(await ruleset()).toMatch(
    /chain FORWARD \{\s+type filter hook forward priority filter; policy drop;\s+\}/,
  );
});

/** Runs the first plugin of a conflist as a runtime does, for a container of its own. */
async function plugin(
  verb: string,
  conflist: { plugins: object[]; [key: string]: unknown },
): Promise<string> {
  const netns = `${under.lab.hostNetns}-c`;
  if (verb === "ADD") await under.lab.addContainer("c");
  const { name, cniVersion, plugins } = conflist;
  const attachments = verb === "GC" ? { "cni.dev/valid-attachments": [] } : {};
  return command(under.lab.inHost(join(FAIRLEAD_DIRECTORY, "fairlead-bridge")), {
    env: {
      ...labEnvironment(),
      CNI_COMMAND: verb,
      CNI_PATH: FAIRLEAD_DIRECTORY,
      ...(verb !== "GC" && { CNI_CONTAINERID: "c1", CNI_NETNS: `/run/netns/${netns}`, CNI_IFNAME: "eth0" }),
    },
    input: JSON.stringify({ ...plugins[0], name, cniVersion, ...attachments }),
  });
}

test("fairlead dev is both, with one process and no configuration", async () => {
  const { socket, stateDir, cniConfDir, agentSocket } = under;
  const flags = { socket, "state-dir": stateDir, "cni-conf-dir": cniConfDir, "agent-socket": agentSocket };
  const argv = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const log = join(under.lab.directory, "dev.log");
  const dev = Daemon.start(under.lab.inHost(...FAIRLEAD, "dev", ...argv), log);
  under.lab.defer("stop dev", () => dev.stop());
  await dev.waitUntilReady(async () => readFileSync(log, "utf8").includes("Fairlead runs on this machine"));
  expect(readFileSync(log, "utf8")).toContain(cniConfDir);
  expect(existsSync(join(cniConfDir, "80-fairlead-bridge.conflist"))).toBe(true);
  await create("web");
  expect(existsSync(conflistPath("web"))).toBe(true);
  process.kill(dev.pid, "SIGTERM");
  expect(await waitUntil(async () => !dev.running, 10_000)).toBe(true);
  expect(readFileSync(log, "utf8")).toContain("fairlead dev: ended");
  // What it made stays.
  expect(existsSync(conflistPath("web"))).toBe(true);
  expect(await bridges()).toContain("fl-bridge0");
  expect([existsSync(socket), existsSync(agentSocket)]).toEqual([false, false]);
});
