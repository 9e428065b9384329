/** What somebody takes away from an attachment on the host is made again; what cannot be is told. With the built executable. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attachmentLockOffset, openAttachmentLocks } from "../../lib/host/locks/attachments.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { createAgentClient } from "../../lib/rpc/agent-client.ts";
import { createHttpClient } from "../../lib/rpc/http-client.ts";
import { CALLER } from "../support/lab/agent-lab.ts";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { HOST_IPV4, Lab, netnsPath } from "../support/lab/lab.ts";
import { until } from "../support/lab/lab-process.ts";
import { ask, startServer } from "../support/lab/port-lab.ts";

jest.setTimeout(120_000);

const own = (name: string): string => `${name}-${process.pid}`;
const WEB = own("web");

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("mended");
  node = await FairleadNode.start(lab);
  await node.run("network", "create", "--opt", "com.docker.network.driver.mtu=1400", "front");
  await node.run("sandbox", "create", "--network", "front", "--publish", "8080:80", WEB);
  await startServer(lab, `/run/netns/${WEB}`, { name: "web", ports: [80] });
});

afterAll(async () => {
  const { sandboxes: left } = JSON.parse(await node.run("sandbox", "ls", "--json")) as {
    sandboxes: { name: string }[];
  };
  for (const { name } of left) await node.try("sandbox", "rm", "-f", name);
  await lab.close();
});

interface ShownLink {
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly ifalias?: string;
  readonly linkinfo?: {
    readonly info_slave_data?: { readonly hairpin: boolean; readonly isolated: boolean };
  };
}

async function port(alias: RegExp): Promise<ShownLink> {
  const links = JSON.parse(await lab.host(["ip", "-j", "-d", "link"])) as ShownLink[];
  const found = links.find(({ ifalias = "" }) => alias.test(ifalias));
  if (!found) throw new Error(`no link has an alias like ${alias}`);
  return found;
}

const webPort = () => port(/^fairlead:front\//);

async function isWhole(): Promise<boolean> {
  const { master, mtu, flags, linkinfo } = await webPort();
  const { hairpin, isolated } = linkinfo?.info_slave_data ?? {};
  return (
    Boolean(master?.startsWith("fl-")) &&
    mtu === 1400 &&
    flags.includes("UP") &&
    hairpin === true &&
    isolated === false
  );
}

const published = async (): Promise<boolean> =>
  /8080 comment "front\/.* dnat ip to /s.test(await lab.host(["nft", "list", "ruleset"]));

const reached = () => ask(netnsPath(lab.internetNetns), { host: HOST_IPV4, port: 8080 });

async function figures(): Promise<Readonly<Record<string, number>>> {
  const { parts } = await createAgentClient({ socket: node.agentSocket }).status();
  return parts.find(({ name }) => name === "attachments")?.figures ?? {};
}

async function problems(): Promise<readonly AgentProblem[]> {
  const { parts } = await createAgentClient({ socket: node.agentSocket }).status();
  return parts.find(({ name }) => name === "attachments")?.problems ?? [];
}

test.each([
  ["taken off its bridge", ["nomaster"]],
  ["set down", ["down"]],
  ["given another MTU", ["mtu", "1280"]],
  ["without hairpin mode", ["type", "bridge_slave", "hairpin", "off"]],
  ["isolated from its neighbours", ["type", "bridge_slave", "isolated", "on"]],
])("a host end that is %s is as it was", async (_what, change) => {
  expect(await isWhole()).toBe(true);
  const { ifname } = await webPort();
  await lab.host(["ip", "link", "set", ifname, ...change]);
  await until(isWhole);
  expect(await reached()).toMatch(/^web /);
});

test("ports are published again after the ruleset was flushed, and after one element was taken out", async () => {
  for (const damage of [
    ["flush", "ruleset"],
    ["delete", "element", "inet", "fairlead", "portmap4", "{ tcp . 8080 }"],
    ["flush", "chain", "inet", "fairlead", "portmap-dnat"],
  ]) {
    await lab.host(["nft", ...damage]);
    await until(published);
    expect(await reached()).toMatch(/^web /);
  }
});

test("nothing is mended while a call for the attachment is under way, and it is afterwards", async () => {
  const { ifalias = "" } = await webPort();
  const [, networkName = "", containerId = "", ifname = ""] = ifalias.split(/[:/]/);
  const locks = openAttachmentLocks();
  try {
    const offset = attachmentLockOffset({ networkName, containerId, ifname });
    expect(locks.tryLock(offset)).toBe(true);
    const before = (await figures())["postponed"] ?? 0;
    await lab.host(["nft", "delete", "element", "inet", "fairlead", "portmap4", "{ tcp . 8080 }"]);
    await until(async () => ((await figures())["postponed"] ?? 0) > before);
    expect(await published()).toBe(false);
    expect(await problems()).toEqual([]);
  } finally {
    locks.close();
  }
  await until(published);
});

test("source addresses are checked again after the ruleset was flushed, and after the addresses were", async () => {
  const { ifname } = await webPort();
  const isChecked = async (): Promise<boolean> => {
    const rules = await lab.host(["nft", "list", "ruleset"]);
    const own = new RegExp(`set source-own4 \\{[^}]*elements = \\{[^}]*"${ifname}"`, "s");
    return own.test(rules) && rules.includes("@source-own4 accept");
  };
  expect(await isChecked()).toBe(true);
  for (const damage of [
    ["flush", "ruleset"],
    ["flush", "set", "bridge", "fairlead", "source-own4"],
    ["flush", "chain", "bridge", "fairlead", "source-check"],
  ]) {
    await lab.host(["nft", ...damage]);
    await until(isChecked);
  }
});

test("a bridge that was deleted comes back, with its MTU and its port", async () => {
  const { master = "" } = await webPort();
  await lab.host(["ip", "link", "del", master]);
  await until(async () => (await lab.host(["ip", "-br", "link"])).includes(master) && (await isWhole()));
  const bridge = JSON.parse(await lab.host(["ip", "-j", "link", "show", master])) as ShownLink[];
  expect(bridge[0]?.mtu).toBe(1400);
  expect(await reached()).toMatch(/^web /);
});

test("an attachment that is well is no problem, and the status says how many there are", async () => {
  const { parts } = await createAgentClient({ socket: node.agentSocket }).status();
  const part = parts.find(({ name }) => name === "attachments");
  expect(part).toMatchObject({ problems: [], figures: { attachments: 1 } });
  expect(part?.figures["mended"]).toBeGreaterThan(0);
});

test("names that a container cannot ask for are told of, as the container meets it", async () => {
  expect(await problems()).toEqual([]);
  const script =
    "table ip early { chain pre { type filter hook prerouting priority -300; udp dport 53 drop; }; }";
  await lab.host(["nft", "-f", "-"], { input: script });
  expect(await problems()).toEqual([
    {
      severity: "error",
      object: "names on network front",
      message: expect.stringContaining("got no answer"),
    },
  ]);
  await lab.host(["nft", "delete", "table", "ip", "early"]);
  expect(await problems()).toEqual([]);
});

test("disconnecting and connecting again keeps the published ports", async () => {
  await node.run("network", "disconnect", "front", WEB);
  expect(await published()).toBe(false);
  await node.run("network", "connect", "front", WEB);
  expect(await reached()).toMatch(/^web /);
});

test("an interface that is gone, and one whose address is not leased to it, are told of and left alone", async () => {
  const [lost, unbound] = [own("lost"), own("unbound")];
  for (const name of [lost, unbound])
    await node.run(
      "sandbox",
      "create",
      "--network",
      "front",
      "--publish",
      name === lost ? "8081:80" : "8082:80",
      name,
    );
  const { sandboxes } = {
    sandboxes: JSON.parse(await node.run("sandbox", "inspect", lost, unbound)) as { Id: string }[],
  };
  const [lostId = "", unboundId = ""] = sandboxes.map(({ Id }) => Id);
  const service = createHttpClient({ endpoint: { socket: node.socket } });
  await service.release({ key: { networkName: "front", containerId: unboundId, ifname: "eth0" } }, CALLER);
  service.close();
  await lab.host(["ip", "link", "del", (await port(new RegExp(`^fairlead:front/${lostId}/`))).ifname]);
  const { ifname } = await port(new RegExp(`^fairlead:front/${unboundId}/`));
  await lab.host(["ip", "link", "set", ifname, "nomaster"]);
  const told = await problems();
  expect(told.map(({ object, severity }) => [object, severity]).sort()).toEqual(
    [lostId, unboundId].sort().map((id) => [`front/${id}/eth0`, "error"]),
  );
  expect(told.find(({ object }) => object.includes(lostId))?.message).toContain("is gone");
  expect(told.find(({ object }) => object.includes(unboundId))?.message).toContain("left alone");
  expect((await port(new RegExp(`^fairlead:front/${unboundId}/`))).master).toBeUndefined();
  await node.run("sandbox", "rm", "-f", lost, unbound);
  expect(await problems()).toEqual([]);
});

test("a sandbox whose entry in the cache is empty leaves nothing when it is removed", async () => {
  const name = own("empty");
  await node.run("sandbox", "create", "--network", "front", name);
  const [{ Id = "" } = {}] = JSON.parse(await node.run("sandbox", "inspect", name)) as { Id?: string }[];
  const entry = readdirSync(join(node.cacheFolder, "results")).find((file) => file.includes(Id)) ?? "";
  writeFileSync(join(node.cacheFolder, "results", entry), "");
  await node.run("sandbox", "rm", "-f", name);
  expect(await lab.host(["ip", "-d", "link"])).not.toContain(Id);
  const service = createHttpClient({ endpoint: { socket: node.socket } });
  const leases = await service.listLeases({ containerId: Id });
  service.close();
  expect(leases.filter(({ state }) => state === "bound")).toEqual([]);
  expect(readdirSync(join(node.cacheFolder, "results"))).not.toContain(entry);
});
