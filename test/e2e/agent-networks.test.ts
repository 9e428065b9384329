/** What the agent makes of networks on a node, with the built executable. Needs root, ip and nft. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AgentLab, CALLER } from "../support/lab/agent-lab.ts";
import { AgentNetworks, bridgeOf } from "../support/lab/agent-networks.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { Daemon, tryCommand, until, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(240_000);

let node: AgentNetworks;
let under: AgentLab;
beforeEach(async () => {
  node = await AgentNetworks.open();
  under = node.under;
});
afterEach(() => under?.close());

const FAIRLEAD = [join(FAIRLEAD_DIRECTORY, "fairlead")];

test("a network is on the node when a sync answers, and gone when it is removed", async () => {
  await node.start();
  expect(readdirSync(under.cniConfDir)).toEqual(["80-fairlead-bridge.conflist"]);
  expect(await node.bridges()).toEqual(["fl-bridge0"]);
  const shown = await tryCommand([...FAIRLEAD, "agent", "--status", "--config", under.agentConfigFile]);
  expect([shown.status, shown.stdout]).toEqual([0, expect.stringMatching(/^networks +ok/m)]);
  const web = await node.create("web", { subnets: [{ subnet: "10.61.0.0/24" }, { subnet: "fd00:61::/64" }] });
  const conflist = JSON.parse(readFileSync(node.conflistPath("web"), "utf8"));
  expect(conflist).toMatchObject({ name: "web", fairlead: { networkId: web.id } });
  const link = (await node.links()).find(({ ifname }) => ifname === bridgeOf(web));
  expect(link?.flags).toContain("UP");
  const addresses = link?.addr_info.filter(({ scope }) => scope === "global");
  expect(addresses?.map(({ local, prefixlen }) => `${local}/${prefixlen}`)).toEqual([
    "10.61.0.1/24",
    "fd00:61::1/64",
  ]);
  const rules = await node.ruleset();
  expect(rules).toContain(`"${bridgeOf(web)}" . 10.61.0.0/24 : goto masq-`);
  expect(rules).toContain(`"${bridgeOf(web)}" . 10.61.0.1`);
  expect(await under.lab.host(["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])).toBe(
    "1\n1\n",
  );

  await under.service.removeNetwork({ name: "web" }, CALLER);
  expect((await under.agent.sync()).problems).toEqual([]);
  expect(readdirSync(under.cniConfDir)).toEqual(["80-fairlead-bridge.conflist"]);
  expect(await node.bridges()).toEqual(["fl-bridge0"]);
  expect(await node.ruleset()).not.toContain(bridgeOf(web));
});

test("a network of the same name right after is the new one", async () => {
  await node.start();
  const first = await node.create("web");
  await under.service.removeNetwork({ name: "web" }, CALLER);
  const second = await node.create("web");
  expect(second.id).not.toBe(first.id);
  expect(JSON.parse(readFileSync(node.conflistPath("web"), "utf8")).fairlead.networkId).toBe(second.id);
  expect(await node.bridges()).toEqual([bridgeOf(second), "fl-bridge0"].sort());
  const rules = await node.ruleset();
  expect([rules.includes(bridgeOf(first)), rules.includes(bridgeOf(second))]).toEqual([false, true]);
});

test("what changed while the agent was dead is right after its start", async () => {
  await node.start();
  const old = await node.create("old");
  const kept = await node.create("kept");
  await under.killAgent();
  await under.service.removeNetwork({ name: "old" }, CALLER);
  const fresh = await under.service.createNetwork({ name: "fresh" }, CALLER);
  expect(existsSync(node.conflistPath("old"))).toBe(true);
  await under.startAgent();
  expect((await under.agent.sync()).problems).toEqual([]);
  expect([existsSync(node.conflistPath("old")), existsSync(node.conflistPath("fresh"))]).toEqual([
    false,
    true,
  ]);
  expect(await node.bridges()).toEqual([bridgeOf(kept), bridgeOf(fresh), "fl-bridge0"].sort());
  expect(await node.ruleset()).not.toContain(bridgeOf(old));
});

test("a server that knows nothing of them is no reason to remove networks, unless its log says so", async () => {
  await under.startServer({ predefinedNetworks: false });
  await under.startAgent();
  const [web, old] = [await node.create("web"), await node.create("old")];
  await under.killAgent();
  await under.service.removeNetwork({ name: "old" }, CALLER);
  await under.startAgent();
  await under.agent.sync();
  expect([existsSync(node.conflistPath("web")), existsSync(node.conflistPath("old"))]).toEqual([true, false]);
  expect(await node.bridges()).toEqual([bridgeOf(web)]);
  await under.stopServer();
  // Another store: its log is another, and the agent must tell what is here and list everything anew.
  await under.startServer({ predefinedNetworks: false, stateDir: under.lab.folder("another") });
  expect(await waitUntil(async () => !(await under.service.info()).recovering, 20_000)).toBe(true);
  await node.create("fresh");
  expect([existsSync(node.conflistPath("web")), existsSync(node.conflistPath("fresh"))]).toEqual([
    true,
    true,
  ]);
  expect(await node.bridges()).toContain(bridgeOf(web));
  expect(await node.bridges()).not.toContain(bridgeOf(old));
});

test("after many changes at once the node is what the service says", async () => {
  await node.start();
  const names = Array.from({ length: 40 }, (_, n) => `churn${n}`);
  await Promise.all(
    names.map(async (name, n) => {
      await under.service.createNetwork({ name, internal: n % 3 === 0 }, CALLER);
      if (n % 2 === 0) await under.service.removeNetwork({ name }, CALLER);
      if (n % 4 === 0) await under.service.createNetwork({ name }, CALLER);
    }),
  );
  expect((await under.agent.sync()).problems).toEqual([]);
  const networks = (await under.service.listNetworks()).filter(({ driver }) => driver === "bridge");
  expect(networks).toHaveLength(1 + 30);
  const made = networks.filter(({ origin }) => origin === "api");
  expect(await node.bridges()).toEqual([...made.map(bridgeOf), "fl-bridge0"].sort());
  for (const { id, name } of made) {
    expect(JSON.parse(readFileSync(node.conflistPath(name), "utf8")).fairlead.networkId).toBe(id);
  }
  expect(readdirSync(under.cniConfDir)).toHaveLength(networks.length);
});

test("a service that restarts is followed on", async () => {
  await node.start();
  await under.stopServer();
  expect((await under.agent.status()).service).toMatchObject({ connected: false });
  await under.startServer();
  await node.create("later");
  expect(existsSync(node.conflistPath("later"))).toBe(true);
  expect((await under.agent.status()).service).toMatchObject({ connected: true, reason: "" });
});

test("an agent that starts before its service gets there", async () => {
  await under.startAgent();
  await expect(under.agent.sync()).rejects.toMatchObject({ code: "unavailable" });
  await under.startServer();
  await node.create("web");
  expect(existsSync(node.conflistPath("web"))).toBe(true);
});

test.each([["while the agent runs"], ["while no agent runs"]])(
  "a network that a conflist declared takes its bridge and rules along when it is removed %s",
  async (when) => {
    await node.start();
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
    await node.plugin("ADD", conflist);
    await node.plugin("DEL", conflist);
    expect([
      (await node.bridges()).includes("br-own"),
      (await node.ruleset()).includes("10.90.0.0/24"),
    ]).toEqual([true, true]);
    if (when === "while no agent runs") await under.killAgent();
    await under.service.removeNetwork({ name: "own" }, CALLER);
    if (when === "while no agent runs") await under.startAgent();
    expect((await under.agent.sync()).problems).toEqual([]);
    await until(async () => !(await node.bridges()).includes("br-own"));
    await until(async () => !/br-own|10\.90\.0\.0/.test(await node.ruleset()));
  },
);

test("a macvlan network whose parent is missing is told of, until it is there", async () => {
  await node.start();
  await under.lab.host(["ip", "link", "add", "parent0", "type", "veth", "peer", "name", "parent1"]);
  await node.create("lan", {
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

test("after a reboot everything comes back, also when an ADD was first", async () => {
  await node.start();
  const web = await node.create("web");
  const conflist = JSON.parse(readFileSync(node.conflistPath("web"), "utf8"));
  await under.killAgent();
  await under.lab.host(["nft", "flush", "ruleset"]);
  for (const bridge of await node.bridges()) await under.lab.host(["ip", "link", "del", bridge]);
  await node.plugin("ADD", conflist);
  expect((await node.links()).find(({ ifname }) => ifname === bridgeOf(web))?.ifalias).toBe("fairlead:web");
  await under.startAgent();
  expect((await under.agent.sync()).problems).toEqual([]);
  expect((await node.links()).find(({ ifname }) => ifname === bridgeOf(web))?.ifalias).toMatch(
    new RegExp(`^fairlead-network:${web.id}@[0-9a-f]{8}$`),
  );
  expect(await node.bridges()).toContain("fl-bridge0");
  await node.plugin("DEL", conflist);
  // The runtime's garbage collection leaves what the agent keeps.
  await node.plugin("GC", { ...conflist, cniVersion: "1.1.0" });
  expect(await node.bridges()).toContain(bridgeOf(web));
  expect(await node.ruleset()).toContain(`"${bridgeOf(web)}" comment`);
});

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
  await node.create("web");
  expect(existsSync(node.conflistPath("web"))).toBe(true);
  process.kill(dev.pid, "SIGTERM");
  expect(await waitUntil(async () => !dev.running, 10_000)).toBe(true);
  expect(readFileSync(log, "utf8")).toContain("fairlead dev: ended");
  // What it made stays.
  expect(existsSync(node.conflistPath("web"))).toBe(true);
  expect(await node.bridges()).toContain("fl-bridge0");
  expect([existsSync(socket), existsSync(agentSocket)]).toEqual([false, false]);
});
