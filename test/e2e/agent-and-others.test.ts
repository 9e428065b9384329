/** What the agent does about what others have on its node, and did to its networks, with the built executable. Needs root, ip and nft. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AgentLab, CALLER } from "../support/lab/agent-lab.ts";
import { AgentNetworks, bridgeOf } from "../support/lab/agent-networks.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { tryCommand, until } from "../support/lab/lab-process.ts";

jest.setTimeout(240_000);

let node: AgentNetworks;
let under: AgentLab;
beforeEach(async () => {
  node = await AgentNetworks.open();
  under = node.under;
});
afterEach(() => under?.close());

const FAIRLEAD = [join(FAIRLEAD_DIRECTORY, "fairlead")];

test("what others did to it is mended: files, bridge, rules", async () => {
  await node.start();
  const web = await node.create("web");
  const db = await node.create("db");
  const text = readFileSync(node.conflistPath("web"), "utf8");
  writeFileSync(node.conflistPath("web"), text.replace('"isolation": true', '"isolation": false'));
  rmSync(node.conflistPath("db"));
  await under.lab.host(["ip", "link", "del", bridgeOf(db)]);
  await under.lab.host(["nft", "flush", "ruleset"]);
  const isMended = async (): Promise<boolean> => {
    const rules = await node.ruleset();
    return (
      readFileSync(node.conflistPath("web"), "utf8") === text &&
      existsSync(node.conflistPath("db")) &&
      (await node.bridges()).includes(bridgeOf(db)) &&
      [web, db].every((network) => rules.includes(`"${bridgeOf(network)}" comment`)) &&
      rules.includes("chain isolation-forward") &&
      rules.includes(`"${bridgeOf(web)}" . `)
    );
  };
  await until(isMended);
});

test("isolation is back as it was, time after time", async () => {
  await node.start();
  await node.create("web");
  const lines = async (): Promise<string[]> =>
    (await node.ruleset())
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
  await node.start();
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
  expect(existsSync(node.conflistPath("web"))).toBe(false);
  expect(readFileSync(foreign, "utf8")).toContain('"type":"bridge"');
  expect(under.agentLog()).toContain("10-mine.conflist");
  await under.service.removeNetwork({ name: "web" }, CALLER);
  expect((await under.agent.sync()).problems).toEqual([]);
  expect(existsSync(foreign)).toBe(true);
});

test("a bridge with a port outlives its network until the port is gone", async () => {
  await node.start();
  const web = await node.create("web");
  const inHost = (...argv: string[]) => under.lab.host(["ip", ...argv]);
  await inHost("link", "add", "stray", "type", "veth", "peer", "name", "stray2");
  await inHost("link", "set", "stray", "master", bridgeOf(web));
  await under.service.removeNetwork({ name: "web" }, CALLER);
  await under.agent.sync();
  expect(existsSync(node.conflistPath("web"))).toBe(false);
  expect(await node.bridges()).toContain(bridgeOf(web));
  expect(await node.ruleset()).toContain(bridgeOf(web));
  await inHost("link", "del", "stray");
  await until(async () => !(await node.bridges()).includes(bridgeOf(web)));
  await until(async () => !(await node.ruleset()).includes(bridgeOf(web)));
});

test("a bridge of the administrator is used, and stays", async () => {
  await node.start();
  await under.lab.host(["ip", "link", "add", "br-mine", "type", "bridge"]);
  await node.create("web", { options: { "com.docker.network.bridge.name": "br-mine" } });
  expect((await node.links()).find(({ ifname }) => ifname === "br-mine")?.flags).toContain("UP");
  expect(await node.ruleset()).toContain("br-mine");
  await under.service.removeNetwork({ name: "web" }, CALLER);
  await under.agent.sync();
  expect(await node.bridges()).toEqual(["br-mine", "fl-bridge0"]);
  expect(await node.ruleset()).not.toContain("br-mine");
});

test("bridges of another service on the same host are left alone", async () => {
  await under.startServer();
  const alias = `fairlead-network:${"ab".repeat(32)}@01234567`;
  await under.lab.host(["ip", "link", "add", "fl-other", "type", "bridge"]);
  await under.lab.host(["ip", "link", "set", "fl-other", "alias", alias]);
  await under.startAgent();
  await under.agent.sync();
  expect(await node.bridges()).toEqual(["fl-bridge0", "fl-other"]);
  await under.service.createNetwork(
    { name: "web", options: { "com.docker.network.bridge.name": "fl-other" } },
    CALLER,
  );
  expect((await under.agent.sync()).problems).toEqual([
    { severity: "error", object: "web", message: expect.stringContaining("it is kept for network abab") },
  ]);
  expect((await node.links()).find(({ ifname }) => ifname === "fl-other")?.ifalias).toBe(alias);
});

test("a bridge that this service kept for a network of a former store is made anew, unless it has containers", async () => {
  await node.start();
  const alias = (await node.links()).find(({ ifname }) => ifname === "fl-bridge0")?.ifalias ?? "";
  const former = alias.replace(/:[0-9a-f]+@/, `:${"cd".repeat(32)}@`);
  for (const bridge of ["fl-idle", "fl-used"]) {
    await under.lab.host(["ip", "link", "add", bridge, "type", "bridge"]);
    await under.lab.host(["ip", "link", "set", bridge, "alias", former]);
    await under.lab.host(["ip", "addr", "add", "10.250.0.1/24", "dev", bridge]);
  }
  await under.lab.host(["ip", "link", "add", "port", "type", "veth", "peer", "name", "port2"]);
  await under.lab.host(["ip", "link", "set", "port", "master", "fl-used"]);
  const options = (name: string) => ({ options: { "com.docker.network.bridge.name": name } });
  const web = await node.create("web", { subnets: [{ subnet: "10.61.0.0/24" }], ...options("fl-idle") });
  const idle = (await node.links()).find(({ ifname }) => ifname === "fl-idle");
  expect(idle?.ifalias).toBe(alias.replace(/:[0-9a-f]+@/, `:${web.id}@`));
  const addresses = idle?.addr_info.filter(({ scope }) => scope === "global");
  expect(addresses?.map(({ local }) => local)).toEqual(["10.61.0.1"]);
  await under.service.createNetwork({ name: "db", ...options("fl-used") }, CALLER);
  expect((await under.agent.sync()).problems).toEqual([
    { severity: "error", object: "db", message: expect.stringContaining("it is kept for network cdcd") },
  ]);
});

test("a firewall that drops what containers send is told of, and left alone", async () => {
  await node.start();
  const script = "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }";
  await under.lab.host(["nft", "-f", "-"], { input: script });
  const warned = async (): Promise<boolean> => {
    const { parts } = await under.agent.status();
    return parts.some(({ problems }) => problems.some(({ object }) => object === "chain ip filter FORWARD"));
  };
  await until(warned);
  expect(under.agentLog()).toContain("chain ip filter FORWARD drops");
  expect(await node.ruleset()).toMatch(
    /chain FORWARD \{\s+type filter hook forward priority filter; policy drop;\s+\}/,
  );
});
