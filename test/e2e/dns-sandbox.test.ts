/** `sandbox create --dns`: names of the networks stay, the rest is asked at the sandbox's own servers. Needs root. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createAgentClient } from "../../lib/rpc/agent-client.ts";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { INTERNET_IPV4, inNetns, Lab, netnsPath } from "../support/lab/lab.ts";
import { Daemon, hasEnded, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

const OWN_PORT = "5353";
const OWN = `${INTERNET_IPV4}#${OWN_PORT}`;
const own = (name: string): string => `${name}-${process.pid}`;

/** A name server of the tests. */
interface Server {
  /** Names that it was asked for. */
  asked(): string[];
}

let lab: Lab;
let node: FairleadNode;
/** Whom the node asks. */
let nodes: Server;
/** Whom sandboxes ask by --dns: beyond the host, and on its loopback. */
let beyond: Server;
let onLoopback: Server;

const agentSettings = { reaper: { enabled: false }, dns: { upstreams: [INTERNET_IPV4] } };

beforeAll(async () => {
  lab = await Lab.open("dns-sandbox");
  nodes = await startServer(lab.internetNetns, INTERNET_IPV4);
  beyond = await startServer(lab.internetNetns, INTERNET_IPV4, OWN_PORT);
  onLoopback = await startServer(lab.hostNetns, "127.0.0.53");
  node = await FairleadNode.start(lab, { reaper: false });
  await node.kill("agent");
  await node.startAgent(agentSettings);
  await node.run("network", "create", "front");
  await node.run("network", "create", "back");
  await node.run("network", "create", "--internal", "vault");
  await node.run("sandbox", "create", "--network", "front", "--network", "vault", own("db"));
});

afterAll(async () => {
  const left = (await node?.try("sandbox", "ls", "--json"))?.stdout ?? '{"sandboxes":[]}';
  const { sandboxes } = JSON.parse(left) as { sandboxes: { name: string }[] };
  for (const { name } of sandboxes) await node.try("sandbox", "rm", "-f", name);
  await lab?.close();
});

async function startServer(netns: string, address: string, port = "53"): Promise<Server> {
  const script = join(__dirname, "../support/dns/dns-upstream.ts");
  const argv = inNetns(netnsPath(netns), process.execPath, "--no-warnings", script, address, port);
  const log = join(lab.directory, `upstream-${address}-${port}.log`);
  const daemon = Daemon.start(argv, log);
  lab.defer("stop a name server", () => daemon.stop());
  await daemon.waitUntilReady(async () => daemon.logTail().includes("ready"));
  return { asked: () => [...new Set(readFileSync(log, "utf8").split("\n"))] };
}

/** By the C library, from the sandbox's own resolv.conf: the address, or "" for none. */
async function look(sandbox: string, name: string): Promise<string> {
  const { stdout } = await node.exec(sandbox, "getent", "ahostsv4", name);
  return stdout.split(/\s+/)[0] ?? "";
}

/** Who of the servers was asked for a name. */
const askedFor = (name: string): boolean[] =>
  [nodes, beyond, onLoopback].map((server) => server.asked().includes(name));

const nameservers = async (sandbox: string): Promise<string[]> =>
  (await node.exec(sandbox, "cat", "/etc/resolv.conf")).stdout
    .split("\n")
    .filter((line) => line.startsWith("nameserver"));

const wishes = (): string[] => {
  const folder = join(lab.directory, "run/upstreams");
  return existsSync(folder) ? readdirSync(folder) : [];
};

async function create(name: string, ...options: readonly string[]): Promise<string> {
  return (await node.run("sandbox", "create", ...options, own(name))).trim();
}

test("names are kept, the rest is asked at the given server; another sandbox asks whom the node asks", async () => {
  const id = await create("app", "--network", "front", "--dns", OWN);
  await create("other", "--network", "front");
  const database = await look(own("other"), own("db"));
  expect(database).not.toBe("");
  expect(await look(own("app"), own("db"))).toBe(database);
  expect(await look(own("app"), `${own("db")}.front`)).toBe(database);
  expect(await look(own("app"), "app.example.com")).toBe("192.0.2.80");
  expect(askedFor("app.example.com")).toEqual([false, true, false]);
  expect(await look(own("other"), "other.example.com")).toBe("192.0.2.80");
  expect(askedFor("other.example.com")).toEqual([true, false, false]);
  expect(await nameservers(own("app"))).toEqual(await nameservers(own("other")));
  expect(wishes()).toEqual([`${id}.json`]);
  // Not a word of the networks' names went out.
  for (const name of [own("db"), `${own("db")}.front`]) expect(askedFor(name)).toEqual([false, false, false]);
});

test("on another network, too, and after it left the first", async () => {
  await node.run("network", "connect", "back", own("app"));
  await node.run("network", "disconnect", "front", own("app"));
  expect(await look(own("app"), "moved.example.com")).toBe("192.0.2.80");
  expect(askedFor("moved.example.com")).toEqual([false, true, false]);
  expect(await look(own("app"), own("db"))).toBe("");
});

test("over a restart of the agent", async () => {
  const pidOfNames = async (): Promise<number> => {
    const { parts } = await createAgentClient({ socket: node.agentSocket }).status();
    return parts.find(({ name }) => name === "dns")?.figures["pid"] ?? 0;
  };
  const before = await pidOfNames();
  await node.kill("agent");
  await node.startAgent(agentSettings);
  // From then on the new agent's process alone answers.
  expect(await waitUntil(async () => hasEnded(before), 30_000)).toBe(true);
  expect(await look(own("app"), "again.example.com")).toBe("192.0.2.80");
  expect(askedFor("again.example.com")).toEqual([false, true, false]);
  expect(await look(own("other"), "other2.example.com")).toBe("192.0.2.80");
  expect(askedFor("other2.example.com")).toEqual([true, false, false]);
});

test("a server on loopback is the host's; on the predefined bridge it is the same", async () => {
  await create("stub", "--dns", "127.0.0.53");
  expect(await look(own("stub"), "stub.example.com")).toBe("192.0.2.80");
  expect(askedFor("stub.example.com")).toEqual([false, false, true]);
  await node.run("sandbox", "rm", own("stub"));
});

test("a gateway as a server means whom the node asks", async () => {
  const [line = ""] = await nameservers(own("other"));
  await create("self", "--network", "front", "--dns", line.replace("nameserver ", ""));
  expect(await look(own("self"), "self.example.com")).toBe("192.0.2.80");
  expect(askedFor("self.example.com")).toEqual([true, false, false]);
  await node.run("sandbox", "rm", own("self"));
});

test("from internal networks only, nobody is asked; a network with a way out changes that", async () => {
  await create("safe", "--network", "vault", "--dns", OWN);
  expect(await look(own("safe"), own("db"))).not.toBe("");
  expect(await look(own("safe"), "safe.example.com")).toBe("");
  expect(askedFor("safe.example.com")).toEqual([false, false, false]);
  await node.run("network", "connect", "back", own("safe"));
  expect(await look(own("safe"), "safe.example.com")).toBe("192.0.2.80");
  expect(askedFor("safe.example.com")).toEqual([false, true, false]);
  await node.run("sandbox", "rm", own("safe"));
});

test("without a network that serves names the server is in resolv.conf, until there is one", async () => {
  await create("alone", "--network", "none", "--dns", "127.0.0.53");
  expect(await nameservers(own("alone"))).toEqual(["nameserver 127.0.0.53"]);
  await node.run("network", "disconnect", "none", own("alone"));
  await node.run("network", "connect", "front", own("alone"));
  expect(await nameservers(own("alone"))).toEqual(await nameservers(own("other")));
  expect(await look(own("alone"), own("db"))).not.toBe("");
  expect(await look(own("alone"), "alone.example.com")).toBe("192.0.2.80");
  expect(askedFor("alone.example.com")).toEqual([false, false, true]);
  await node.run("sandbox", "rm", own("alone"));
});

test("what cannot be is refused, and nothing is left of it, nor of what is removed", async () => {
  const before = wishes();
  const refused = await node.try("sandbox", "create", "--network", "none", "--dns", OWN, own("no"));
  expect([refused.status, refused.stderr]).toEqual([
    2,
    `fairlead: --dns ${OWN}: a server on another port than 53 needs a network that serves names\n`,
  ]);
  for (const text of ["db", "10.0.0.300", "10.0.0.1#0", ""]) {
    const { status, stderr } = await node.try("sandbox", "create", "--dns", text, own("no"));
    expect([status, stderr]).toEqual([2, `fairlead: ${text} is not an ip address\n`]);
  }
  expect(await node.try("sandbox", "inspect", own("no"))).toMatchObject({ status: 4 });
  expect(existsSync(netnsPath(own("no")))).toBe(false);
  expect(wishes()).toEqual(before);
  await node.run("sandbox", "rm", own("app"));
  expect(wishes()).toEqual([]);
});
