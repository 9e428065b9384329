/**
 * The classic scenario of Docker's networks, with sandboxes, podman's and containerd's containers at once on the same two
 * networks.
 *
 *     ins01 ── frontend ── ins02 ── backend ── ins03        and the same for every kind of container
 *
 * Everybody finds and reaches exactly those with whom it shares a network, by name; by address, nothing crosses; and after
 * ins02 has left backend, it finds and reaches nobody there.
 */
import { join } from "node:path";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import { type CommandOutcome, command, tryCommand } from "../support/lab/lab-process.ts";
import { BUSYBOX_IMAGE, PAUSE_IMAGE, SERVE_FOREVER } from "../support/runtimes/images.ts";
import { Containerd } from "../support/runtimes/runtimes-containerd.ts";
import { Podman } from "../support/runtimes/runtimes-podman.ts";

jest.setTimeout(180_000);

const KINDS = ["sandbox", "podman", "containerd"] as const;
type Kind = (typeof KINDS)[number];

/** What a ping by name or address comes to. */
type Verdict = "ok" | "unknown name" | "no answer";

/** Of every kind: which networks each is on once all is connected. */
const NETWORKS_OF: Readonly<Record<string, readonly string[]>> = {
  ins01: ["frontend", "frontend"],
  ins02: ["frontend", "backend"],
  ins03: ["backend", "backend"],
};
const ROLES = Object.keys(NETWORKS_OF);

let lab: Lab;
let node: FairleadNode;
let podman: Podman;
let containerd: Containerd;
let execs = 0;

/** Unlike that of any other run: sandboxes and cgroups are the whole machine's. */
function nameOf(kind: Kind, role: string): string {
  return `${role}-${kind.slice(0, 3)}${process.pid}`;
}

beforeAll(async () => {
  lab = await Lab.open("classic");
  node = await FairleadNode.start(lab);
  await node.run("network", "create", "frontend");
  await node.run("network", "create", "backend");
  const runtime = { pluginFolder: node.pluginFolder, conflistFolder: node.conflistFolder };
  podman = await Podman.prepare(lab, { ...runtime, networkName: "frontend" });
  containerd = await Containerd.start(lab, { ...runtime, pauseImage: PAUSE_IMAGE });
  node.useContainerd(containerd.socket);
  for (const kind of KINDS) for (const role of ROLES) await start(kind, role);
  // The step that the scenario is about: a running container joins one more network.
  for (const kind of KINDS) await node.run("network", "connect", "backend", nameOf(kind, "ins02"));
});

afterAll(async () => {
  for (const role of ROLES) await node?.try("sandbox", "rm", "-f", nameOf("sandbox", role));
  await lab.close();
});

async function start(kind: Kind, role: string): Promise<void> {
  const name = nameOf(kind, role);
  const [network = ""] = NETWORKS_OF[role] ?? [];
  const idle = ["sh", "-c", SERVE_FOREVER];
  if (kind === "sandbox") await node.run("sandbox", "create", "--network", network, name);
  else if (kind === "podman")
    await podman.run("run", "-d", "--name", name, "--network", network, BUSYBOX_IMAGE, ...idle);
  else {
    await startInContainerd(name, network, idle);
    await node.run("network", "connect", network, name);
  }
}

/** `ctr` gives a container no resolv.conf: it is mounted, as people do it. */
async function startInContainerd(name: string, network: string, idle: readonly string[]): Promise<void> {
  const gateway = await gatewayOf(network);
  const file = lab.file(`${network}-resolv.conf`, `nameserver ${gateway}\noptions ndots:0\n`);
  const mount = `type=bind,src=${file},dst=/etc/resolv.conf,options=rbind:ro`;
  const options = ["-d", "--runc-root", join(lab.directory, "runc"), "--mount", mount];
  await command(lab.inHost("ctr", "-a", containerd.socket, "run", ...options, BUSYBOX_IMAGE, name, ...idle));
}

interface InspectedNetwork {
  readonly IPAM: { readonly Config: readonly { readonly Gateway: string }[] };
  readonly Containers: Readonly<Record<string, { readonly Name: string; readonly IPv4Address: string }>>;
}

async function inspectNetwork(network: string): Promise<InspectedNetwork> {
  const [found] = JSON.parse(await node.run("network", "inspect", network)) as InspectedNetwork[];
  if (found === undefined) throw new Error(`no network ${network}`);
  return found;
}

async function gatewayOf(network: string): Promise<string> {
  return (await inspectNetwork(network)).IPAM.Config[0]?.Gateway.replace(/\/\d+$/, "") ?? "";
}

/** Address of a container on a network, as the network tells it. */
async function addressOf(network: string, kind: Kind, role: string): Promise<string> {
  const { Containers } = await inspectNetwork(network);
  const own = Object.values(Containers).find(({ Name }) => Name === nameOf(kind, role));
  return own?.IPv4Address.replace(/\/\d+$/, "") ?? `no address of ${role} on ${network}`;
}

/** Runs a command in a container. */
function run(kind: Kind, role: string, argv: readonly string[]): Promise<CommandOutcome> {
  const name = nameOf(kind, role);
  if (kind === "sandbox") return node.exec(name, ...argv);
  if (kind === "podman") return podman.try("exec", name, ...argv);
  execs += 1;
  return tryCommand([
    "ctr",
    "-a",
    containerd.socket,
    "tasks",
    "exec",
    "--exec-id",
    `e${execs}`,
    name,
    ...argv,
  ]);
}

/** One ping, and a second when the first had no answer: a neighbour may still be unknown. */
async function ping(kind: Kind, role: string, target: string): Promise<Verdict> {
  const once = async (): Promise<Verdict> => {
    const outcome = await run(kind, role, ["ping", "-c1", "-W1", target]);
    if (outcome.status === 0) return "ok";
    // busybox, iputils with getaddrinfo's EAI_NONAME and EAI_NODATA.
    const isUnknown = /bad address|Name or service not known|No address associated/.test(
      outcome.stdout + outcome.stderr,
    );
    return isUnknown ? "unknown name" : "no answer";
  };
  const first = await once();
  return first === "no answer" ? once() : first;
}

/** Who gets what when it pings whom by name; the rows of the matrix as text. */
async function matrixByName(from: Kind, to: Kind): Promise<string[]> {
  const pairs = ROLES.flatMap((a) => ROLES.filter((b) => a !== b).map((b) => [a, b] as const));
  const lines: string[] = [];
  for (const [a, b] of pairs) lines.push(`${a} → ${b}: ${await ping(from, a, nameOf(to, b))}`);
  return lines;
}

const CLASSIC = [
  "ins01 → ins02: ok",
  "ins01 → ins03: unknown name",
  "ins02 → ins01: ok",
  "ins02 → ins03: ok",
  "ins03 → ins01: unknown name",
  "ins03 → ins02: ok",
];

const EVERY_PAIR = KINDS.flatMap((from) => KINDS.map((to) => [from, to] as const));

test.each(EVERY_PAIR)("by name, from %s to %s", async (from, to) => {
  expect(await matrixByName(from, to)).toEqual(CLASSIC);
});

test.each(EVERY_PAIR)("by address nothing crosses, from %s to %s", async (from, to) => {
  const ins03 = await addressOf("backend", to, "ins03");
  const ins02OnBackend = await addressOf("backend", to, "ins02");
  const ins01 = await addressOf("frontend", to, "ins01");
  const verdicts = await Promise.all([
    ping(from, "ins01", ins03),
    ping(from, "ins01", ins02OnBackend),
    ping(from, "ins03", ins01),
    // The control: where a network is shared, the same addresses answer.
    ping(from, "ins02", ins03),
    ping(from, "ins02", ins01),
  ]);
  expect(verdicts).toEqual(["no answer", "no answer", "no answer", "ok", "ok"]);
});

test("a container reaches no gateway but that of its own network", async () => {
  const [frontend, backend] = [await gatewayOf("frontend"), await gatewayOf("backend")];
  for (const kind of KINDS) {
    expect([kind, await ping(kind, "ins01", frontend), await ping(kind, "ins01", backend)]).toEqual([
      kind,
      "ok",
      "no answer",
    ]);
  }
});

test("after ins02 left backend, it neither finds nor reaches anybody there, and frontend goes on", async () => {
  const addresses = await Promise.all(KINDS.map((kind) => addressOf("backend", kind, "ins03")));
  for (const kind of KINDS) await node.run("network", "disconnect", "backend", nameOf(kind, "ins02"));
  for (const [index, from] of KINDS.entries()) {
    for (const to of KINDS) {
      expect([from, to, await ping(from, "ins02", nameOf(to, "ins03"))]).toEqual([from, to, "unknown name"]);
      expect([from, to, await ping(from, "ins02", nameOf(to, "ins01"))]).toEqual([from, to, "ok"]);
      expect([from, to, await ping(from, "ins03", nameOf(to, "ins02"))]).toEqual([from, to, "unknown name"]);
    }
    expect(await ping(from, "ins02", addresses[index] ?? "")).toBe("no answer");
  }
});

test("after everything is removed the networks can be, and nothing is left on the host", async () => {
  for (const kind of KINDS.filter((each) => each !== "podman"))
    for (const role of ROLES) {
      const name = nameOf(kind, role);
      if (kind === "sandbox") await node.run("sandbox", "rm", name);
      else await node.run("network", "disconnect", NETWORKS_OF[role]?.[0] ?? "", name);
    }
  await podman.run("rm", "-af", "-t0");
  await node.run("network", "rm", "frontend", "backend");
  expect(await lab.hostLinks()).toEqual(["eth0", "fl-bridge0"]);
});
