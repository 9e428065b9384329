/**
 * What nobody detaches is taken back by the agent, by evidence: an ADD that was killed half-way and never followed by DEL, and
 * published ports of a container that is gone. And a service that is killed between its commit and its answer.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lease } from "../../lib/ipam/api.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { createAgentClient } from "../../lib/rpc/agent-client.ts";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import { until } from "../support/lab/lab-process.ts";
import { type HeldAnswers, startHeldAnswers } from "../support/plugins/held-answers.ts";

jest.setTimeout(180_000);

const NETWORK = `unfinished-${process.pid}`;
const BRIDGE = "flun0";
/** In the answer to an acquire of an address, whoever had it before. */
const ANSWERED = '"created":';

let lab: Lab;
let node: FairleadNode;
let containers = 0;

beforeAll(async () => {
  lab = await Lab.open("unfin");
  node = await FairleadNode.start(lab, { apart: {} });
});
afterAll(() => lab?.close());

interface Container {
  readonly id: string;
  readonly netns: string;
}

async function container(): Promise<Container> {
  containers += 1;
  return { id: `unfinished-${containers}`, netns: await lab.addContainer(`u${containers}`) };
}

interface Called {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly status: number | null; readonly output: string }>;
}

/** Calls the plugin in a process of its own: no worker listens beside this socket. */
function call(verb: string, { id, netns }: Container, keys: object = {}): Called {
  const { socket = node.socket, ...more } = keys as { socket?: string };
  const ipam = {
    type: "fairlead-ipam",
    socket,
    stateDir: node.stateFolder,
    ranges: [[{ subnet: "10.96.0.0/24" }]],
  };
  const config = {
    cniVersion: "1.0.0",
    name: NETWORK,
    type: "fairlead-bridge",
    bridge: BRIDGE,
    isGateway: true,
    ipam,
  };
  const [program = "", ...args] = lab.inHost(join(node.pluginFolder, "fairlead-bridge"));
  const env = {
    PATH: process.env["PATH"] ?? "",
    CNI_COMMAND: verb,
    CNI_CONTAINERID: id,
    CNI_NETNS: netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: node.pluginFolder,
  };
  const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  child.stdin.end(JSON.stringify({ ...config, ...more }));
  const ended = new Promise<{ status: number | null; output: string }>((resolve) =>
    child.on("close", (status) => resolve({ status, output })),
  );
  return { child, ended };
}

async function mustCall(verb: string, which: Container, keys: object = {}): Promise<void> {
  const { status, output } = await call(verb, which, keys).ended;
  if (status !== 0) throw new Error(`${verb}: ${output}`);
}

async function bound(): Promise<readonly string[]> {
  const { leases } = JSON.parse(await node.run("ipam", "leases", "--state", "bound", "--json"));
  return (leases as Lease[]).map(({ containerId }) => containerId);
}

async function ports(): Promise<readonly { readonly ifname: string; readonly ifalias?: string }[]> {
  const links = JSON.parse((await lab.host(["ip", "-j", "link", "show", "type", "veth"])).trim() || "[]");
  return (links as { ifname: string; ifalias?: string }[]).filter(({ ifalias = "" }) =>
    ifalias.includes(NETWORK),
  );
}

/** What the agent's status says of them. */
async function keptRemains(): Promise<readonly AgentProblem[]> {
  const { parts } = await createAgentClient({ socket: node.agentSocket }).status();
  return parts.find(({ name }) => name === "remains")?.problems ?? [];
}

async function cutLinks(): Promise<void> {
  await until(async () => (await ports()).length === 1);
  for (const { ifname } of await ports()) await lab.host(["ip", "link", "del", ifname]);
  await until(async () => (await ports()).length === 0);
}

async function heldAnswers(): Promise<HeldAnswers> {
  const path = join(lab.folder(`held-${containers}`), "ipam.sock");
  const answers = await startHeldAnswers(path, node.socket, ANSWERED);
  lab.defer("close a socket", () => answers.close());
  return answers;
}

/** An ADD that has its lease and its link, and is killed before it hears of the one. */
async function killedAdd(which: Container): Promise<void> {
  const answers = await heldAnswers();
  const { child, ended } = call("ADD", which, { socket: answers.socket });
  await answers.held();
  await until(async () => (await ports()).some(({ ifalias = "" }) => ifalias.includes(which.id)));
  child.kill("SIGKILL");
  await ended;
  answers.breakOff();
}

test("an ADD that was killed is taken back without a DEL: its lease, its link, and the word that it left", async () => {
  const alive = await container();
  await mustCall("ADD", alive);
  const killed = await container();
  await killedAdd(killed);
  await until(async () => (await bound()).join() === alive.id && (await ports()).length === 1);
  expect(readFileSync(join(lab.directory, "agent.log"), "utf8")).toMatch(
    new RegExp(`${killed.id}.*took back what was left|took back what was left.*${killed.id}`),
  );
  await mustCall("DEL", alive);
});

test("an ADD for what is attached, killed, leaves the attachment as it is", async () => {
  const alive = await container();
  await mustCall("ADD", alive);
  const answers = await heldAnswers();
  const { child, ended } = call("ADD", alive, { socket: answers.socket });
  await answers.held();
  child.kill("SIGKILL");
  await ended;
  answers.breakOff();
  const other = await container();
  await killedAdd(other);
  // The round that took the other one's back has looked at all there is.
  await until(async () => !(await bound()).includes(other.id));
  expect(await bound()).toEqual([alive.id]);
  expect(await ports()).toHaveLength(1);
  await mustCall("DEL", alive);
});

test("not while a runtime has a record of it whose namespace is there", async () => {
  const recorded = await container();
  const file = join(lab.folder("cache", "results"), `${NETWORK}-${recorded.id}-eth0`);
  mkdirSync(lab.folder("cache", "results"), { recursive: true });
  const record = {
    kind: "cniCacheV1",
    networkName: NETWORK,
    containerId: recorded.id,
    ifName: "eth0",
    netns: recorded.netns,
  };
  writeFileSync(file, JSON.stringify(record));
  await killedAdd(recorded);
  const other = await container();
  await killedAdd(other);
  await until(async () => !(await bound()).includes(other.id));
  expect(await bound()).toEqual([recorded.id]);
  await until(async () => (await keptRemains()).length > 0);
  expect(await keptRemains()).toEqual([
    {
      severity: "warning",
      object: `${NETWORK}/${recorded.id}/eth0`,
      message: expect.stringContaining(`whose namespace ${recorded.netns} is there`),
    },
  ]);
  rmSync(file);
  await mustCall("DEL", recorded);
  expect(await bound()).toEqual([]);
});

test("published ports of a container that is gone go, when its lease is gone, too, and not before", async () => {
  const gone = await container();
  const published = async () =>
    (await lab.host(["nft", "list", "ruleset"])).includes(`${NETWORK}/${gone.id}/eth0`);
  const runtimeConfig = { portMappings: [{ hostPort: 8085, containerPort: 80, protocol: "tcp" }] };
  await mustCall("ADD", gone, { publishPorts: true, runtimeConfig });
  await cutLinks();
  // Rounds that have seen it without its link, and more than once.
  for (let round = 0; round < 3; round += 1) {
    const other = await container();
    await killedAdd(other);
    await until(async () => !(await bound()).includes(other.id));
  }
  expect(await published()).toBe(true);
  await node.run("ipam", "release", "--stale", "--yes");
  await until(async () => !(await published()));
});

/** The service has granted, and is killed before anybody hears of it. */
async function addOverRestart(which: Container): Promise<Called> {
  const answers = await heldAnswers();
  const called = call("ADD", which, { socket: answers.socket });
  await answers.held();
  await node.kill("server");
  answers.breakOff();
  return called;
}

test("a service that is killed between its commit and its answer grants the same again", async () => {
  const waiting = await container();
  const { ended } = await addOverRestart(waiting);
  await node.startServer();
  expect((await ended).output).toMatch(/"address":"10\.96\.0\.\d+\/24"/);
  expect(await bound()).toEqual([waiting.id]);
  await mustCall("DEL", waiting);
  expect(await bound()).toEqual([]);
});

test("and what an ADD got of it is given back when the ADD fails after all", async () => {
  const failing = await container();
  const { ended } = await addOverRestart(failing);
  await cutLinks();
  await node.startServer();
  expect((await ended).status).toBe(1);
  expect(await bound()).toEqual([]);
});

test("and a DEL of what was killed meanwhile leaves nothing", async () => {
  const killed = await container();
  const { child, ended } = await addOverRestart(killed);
  child.kill("SIGKILL");
  await ended;
  await node.startServer();
  await mustCall("DEL", killed);
  expect(await bound()).toEqual([]);
  expect(await ports()).toEqual([]);
  expect(existsSync(join(node.stateFolder, "release-intents"))).toBe(false);
});
