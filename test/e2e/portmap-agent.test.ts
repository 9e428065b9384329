/**
 * Published ports on networks that the agent keeps: isolated from each other, with names on their gateways.
 *
 * The conflists are the agent's own.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CreateNetworkRequest } from "../../lib/ipam/api.ts";
import { AgentLab, CALLER } from "../support/lab/agent-lab.ts";
import { HOST_IPV4, HOST_IPV6, INTERNET_IPV4, inNetns, netnsPath } from "../support/lab/lab.ts";
import { type Attachment, type Conflist, ConflistRunner } from "../support/lab/lab-conflist.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";
import { ask, askOnce, NO_ANSWER, startServer } from "../support/lab/port-lab.ts";

jest.setTimeout(120_000);

let under: AgentLab;
let host: string;
let internet: string;
const runners = new Map<string, ConflistRunner>();
const attachments = new Map<string, Attachment>();

async function create(name: string, request: Partial<CreateNetworkRequest> = {}): Promise<void> {
  await under.service.createNetwork({ name, ...request }, CALLER);
  expect((await under.agent.sync()).problems).toEqual([]);
  const file = join(under.cniConfDir, `85-fairlead-${name}.conflist`);
  const conflist = JSON.parse(readFileSync(file, "utf8")) as Conflist;
  runners.set(name, new ConflistRunner(under.lab, [FAIRLEAD_DIRECTORY], conflist));
}

async function attach(network: string, name: string, portMappings: readonly object[] = []): Promise<void> {
  const netns = await under.lab.addContainer(name);
  const attachment = { containerId: `id-${name}`, ifname: "eth0", netns, runtimeConfig: { portMappings } };
  attachments.set(name, attachment);
  await runners.get(network)?.add(attachment);
}

const netnsOf = (name: string): string => attachments.get(name)?.netns ?? "";

/** Addresses that a container is told for a name. */
async function resolve(from: string, server: string, name: string): Promise<string> {
  const dig = ["dig", "+time=2", "+tries=2", "+short", `@${server}`, name];
  return (await command(inNetns(netnsOf(from), ...dig))).trim();
}

beforeAll(async () => {
  under = await AgentLab.open("pagent", { workers: 0 });
  [host, internet] = [netnsPath(under.lab.hostNetns), netnsPath(under.lab.internetNetns)];
  await under.startServer();
  await under.startAgent();
  await create("front", { subnets: [{ subnet: "10.63.1.0/24" }, { subnet: "fd00:63:1::/64" }] });
  await create("back", { subnets: [{ subnet: "10.63.2.0/24" }, { subnet: "fd00:63:2::/64" }] });
  await create("inside", { subnets: [{ subnet: "10.63.3.0/24" }], internal: true });
  await attach("front", "f1", [
    { hostPort: 8080, containerPort: 80, protocol: "tcp" },
    { hostPort: 53, containerPort: 53, protocol: "udp" },
    { hostPort: 53, containerPort: 53, protocol: "tcp" },
  ]);
  await attach("front", "f2");
  await attach("back", "b1");
  await attach("inside", "i1");
  await startServer(under.lab, netnsOf("f1"), { name: "f1", ports: [80, 53] });
});

afterAll(() => under?.close());

test.each([
  ["outside", () => internet],
  ["the host", () => host],
  ["the container itself", () => netnsOf("f1")],
  ["its neighbour", () => netnsOf("f2")],
  ["a container on another, isolated network", () => netnsOf("b1")],
])("a published port is reached from %s", async (_what, from) => {
  for (const address of [HOST_IPV4, HOST_IPV6]) {
    expect([address, await ask(from(), { host: address, port: 8080 })]).toEqual([
      address,
      expect.stringMatching(/^f1 /),
    ]);
  }
});

test("and not from an internal network, which has no way out", async () => {
  expect(await askOnce(netnsOf("i1"), { host: HOST_IPV4, port: 8080 })).toMatch(NO_ANSWER);
  expect(await askOnce(netnsOf("i1"), { host: "10.63.3.1", port: 8080 })).toMatch(NO_ANSWER);
});

test("the container's own port is not reached past the published one from an isolated network", async () => {
  const map = await under.lab.host(["nft", "list", "map", "inet", "fairlead", "portmap4"]);
  const [, address = ""] = /8080 comment "front\/id-f1\/eth0" : ([0-9.]+) \. 80/.exec(map) ?? [];
  expect(address).toMatch(/^10\.63\.1\./);
  expect(await askOnce(netnsOf("b1"), { host: address, port: 80 })).toMatch(NO_ANSWER);
});

test("a port of a container that was killed, for which no DEL came, is taken over; one of a live container is not", async () => {
  const port = [{ hostPort: 8905, containerPort: 80, protocol: "tcp" }];
  await attach("front", "dead", port);
  await expect(attach("front", "waiting", port)).rejects.toThrow(/id-dead/);
  // As when its namespace ends.
  await command(inNetns(netnsOf("dead"), "ip", "link", "del", "eth0"));
  await attach("front", "heir", port);
  const map = await under.lab.host(["nft", "list", "map", "inet", "fairlead", "portmap4"]);
  expect(map).toContain('tcp . 8905 comment "front/id-heir/eth0"');
  expect(map).not.toContain("id-dead");
});

describe("port 53, which the agent serves names on at every gateway", () => {
  test("can be published all the same, and is reached on the host's address", async () => {
    expect(await ask(internet, { protocol: "udp", host: HOST_IPV4, port: 53 })).toBe(`f1 ${INTERNET_IPV4}`);
    expect(await ask(internet, { host: HOST_IPV4, port: 53 })).toBe(`f1 ${INTERNET_IPV4}`);
    expect(await ask(netnsOf("b1"), { protocol: "udp", host: HOST_IPV4, port: 53 })).toMatch(/^f1 /);
  });

  test.each([
    ["its own network", "f2", "10.63.1.1"],
    ["another one", "b1", "10.63.2.1"],
    ["an internal one", "i1", "10.63.3.1"],
  ])("and names are served on the gateway of %s as before", async (_what, name, gateway) => {
    expect(await resolve(name, gateway, `id-${name}`)).toMatch(/^10\.63\.\d\.\d+$/);
    expect(await under.lab.host(["nft", "list", "set", "inet", "fairlead", "portmap-kept4"])).toContain(
      `udp . ${gateway} . 53 comment "fairlead agent"`,
    );
  });

  test("also on that of a network that comes later; and nothing is kept for one that goes", async () => {
    await create("later", { subnets: [{ subnet: "10.63.4.0/24" }] });
    await attach("later", "l1");
    expect(await resolve("l1", "10.63.4.1", "id-l1")).toMatch(/^10\.63\.4\.\d+$/);
    await runners.get("later")?.del(attachments.get("l1") as Attachment);
    await under.service.removeNetwork({ name: "later" }, CALLER);
    await under.agent.sync();
    expect(await under.lab.host(["nft", "list", "ruleset"])).not.toContain("10.63.4.1");
  });

  test("an agent that was killed leaves nothing that the next one does not take over", async () => {
    await under.killAgent();
    await under.service.createNetwork({ name: "fresh", subnets: [{ subnet: "10.63.5.0/24" }] }, CALLER);
    await runners.get("inside")?.del(attachments.get("i1") as Attachment);
    await under.service.removeNetwork({ name: "inside" }, CALLER);
    await under.startAgent();
    expect((await under.agent.sync()).problems).toEqual([]);
    const kept = await under.lab.host(["nft", "list", "set", "inet", "fairlead", "portmap-kept4"]);
    expect([kept.includes("10.63.5.1"), kept.includes("10.63.3.1")]).toEqual([true, false]);
  });
});
