/**
 * Link reapers: a worker's DEL does not wait for the kernel to forget a link, and is right all the same when reapers are slow,
 * stopped or gone.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { hasEnded, requireTools, waitUntil } from "../support/lab/lab-process.ts";
import { LabWorkers, workerSocketBeside } from "../support/lab/lab-workers.ts";
import { type Configuration, type Container, PluginLab } from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

const PATIENCE_MS = 10_000;

/** strace knows the names only for sockets whose making it has seen. */
const NEWLINK = /nlmsg_type=(RTM_NEWLINK|0x10)\b/;
const DELLINK = /nlmsg_type=(RTM_DELLINK|0x11)\b/;

let lab: PluginLab;
let workers: LabWorkers;

beforeAll(async () => {
  requireTools("strace");
  lab = await PluginLab.open("reapers");
  const { socket } = lab.plugins.ipam([]) as { socket: string };
  const executable = join(FAIRLEAD_DIRECTORY, "fairlead");
  workers = await LabWorkers.start(lab.lab, { executable, socket: workerSocketBeside(socket), count: 2 });
});
afterAll(() => lab?.close());

interface Attached {
  readonly container: Container;
  readonly config: Configuration;
  readonly bridge: string;
}

async function attached(): Promise<Attached> {
  const [container, network] = [await lab.container(), lab.network()];
  const config = lab.bridge(network);
  await lab.add(container, config);
  return { container, config, bridge: network.bridge };
}

async function portsOf({ bridge }: Attached): Promise<number> {
  return (await lab.onHost("link", "show", "master", bridge)).length;
}

const signal = (name: NodeJS.Signals) => {
  for (const pid of workers.reaperPids()) process.kill(pid, name);
};

/** Types of the requests that the processes sent over route netlink while `action` ran. */
async function requestsOf(pids: readonly number[], action: () => Promise<void>): Promise<string> {
  const file = join(lab.lab.directory, "trace-reapers");
  const targets = pids.flatMap((pid) => ["-p", String(pid)]);
  const strace = spawn("strace", ["-f", "-qq", "-e", "trace=sendto", "-s", "64", "-o", file, ...targets]);
  const traced = (pid: number) => !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  expect(await waitUntil(async () => pids.every(traced), PATIENCE_MS)).toBe(true);
  await action();
  const ended = new Promise((resolve) => strace.once("exit", resolve));
  strace.kill("SIGINT");
  await ended;
  return readFileSync(file, "utf8");
}

test("the reaper deletes the link; when DEL answers it is gone, and its name can be used again", async () => {
  const one = await attached();
  const byWorkers = await requestsOf(workers.pids(), async () => {
    await lab.succeed("DEL", one.container, one.config);
    expect([await portsOf(one), await lab.containerLinks(one.container)]).toEqual([0, []]);
    await lab.add(one.container, one.config);
  });
  expect(byWorkers).toMatch(NEWLINK);
  expect(byWorkers).not.toMatch(DELLINK);
  expect(await portsOf(one)).toBe(1);
  const byReapers = await requestsOf(workers.reaperPids(), () =>
    lab.succeed("DEL", one.container, one.config),
  );
  expect(byReapers).toMatch(DELLINK);
});

test("a second DEL finds nothing to do", async () => {
  const one = await attached();
  for (let time = 0; time < 2; time += 1) await lab.succeed("DEL", one.container, one.config);
  expect(await portsOf(one)).toBe(0);
});

test("with reapers that hang a worker waits for the kernel itself; their late work harms nobody", async () => {
  const one = await attached();
  signal("SIGSTOP");
  try {
    await lab.succeed("DEL", one.container, one.config);
    expect([await portsOf(one), await lab.containerLinks(one.container)]).toEqual([0, []]);
    await lab.add(one.container, one.config);
  } finally {
    signal("SIGCONT");
  }
  const two = await attached();
  await lab.succeed("DEL", two.container, two.config);
  expect([await portsOf(one), await portsOf(two)]).toEqual([1, 0]);
  await lab.succeed("DEL", one.container, one.config);
});

test("reapers that are killed are replaced, and nothing is lost meanwhile", async () => {
  const one = await attached();
  const before = workers.reaperPids();
  signal("SIGKILL");
  await lab.succeed("DEL", one.container, one.config);
  expect(await portsOf(one)).toBe(0);
  const replaced = async () =>
    workers.reaperPids().filter((pid) => !before.includes(pid)).length === before.length;
  expect(await waitUntil(replaced, PATIENCE_MS)).toBe(true);
});

describe("requests that wait", () => {
  const PAIRS = 20;
  /** More than any machine has made. */
  const GONE = 1_000_000_000;

  async function pair(ifname: string, ...words: string[]): Promise<void> {
    await lab.lab.host(["ip", "link", "add", ifname, ...words, "type", "veth", "peer", "name", `${ifname}p`]);
  }

  /** A reaper that finds requests for all of these at its start, and no more afterwards. */
  function reap(ifindexes: readonly number[]): { trace: string; log: string } {
    const requests = lab.lab.file("requests", "");
    writeFileSync(requests, new Uint8Array(Int32Array.from(ifindexes).buffer));
    const trace = join(lab.lab.directory, "trace-reaper");
    const strace = ["strace", "-f", "-qq", "-e", "trace=sendto", "-s", "64", "-o", trace];
    const [file = "", ...args] = lab.lab.inHost(
      ...strace,
      join(FAIRLEAD_DIRECTORY, "fairlead"),
      "link-reaper",
    );
    const stdin = openSync(requests, "r");
    const ended = spawnSync(file, args, { stdio: ["ignore", "ignore", "pipe", stdin], timeout: PATIENCE_MS });
    closeSync(stdin);
    expect(ended.status).toBe(0);
    return { trace: readFileSync(trace, "utf8"), log: ended.stderr.toString() };
  }

  const linksNamed = async (start: string) => {
    const links = await lab.onHost<{ ifname: string; ifindex: number }>("link");
    return links.filter(({ ifname }) => ifname.startsWith(start));
  };

  test("are served by one deletion; what is of others stays", async () => {
    await pair("other");
    await pair("othergroup", "group", "7");
    for (let count = 0; count < PAIRS; count += 1) await pair(`reaped${count}`);
    const { trace, log } = reap([GONE, ...(await linksNamed("reaped")).map(({ ifindex }) => ifindex)]);
    expect([await linksNamed("reaped"), log]).toEqual([[], ""]);
    expect(trace.match(new RegExp(DELLINK, "g"))).toHaveLength(1);
    expect(await linksNamed("other")).toHaveLength(4);
  });

  test("are served one by one when something cannot be deleted, which is logged", async () => {
    await pair("reaped");
    const [port, lo] = [await linksNamed("reaped"), await linksNamed("lo")].map(
      ([link]) => link?.ifindex ?? 0,
    );
    const { log } = reap([lo ?? 0, port ?? 0]);
    expect(await linksNamed("reaped")).toEqual([]);
    expect(log).toContain(`delete link ifindex ${lo}: Operation not supported (EOPNOTSUPP)`);
  });
});

test("thirty at once", async () => {
  const all: Attached[] = [];
  for (let count = 0; count < 30; count += 1) all.push(await attached());
  await Promise.all(all.map(({ container, config }) => lab.succeed("DEL", container, config)));
  for (const one of all)
    expect([await portsOf(one), await lab.containerLinks(one.container)]).toEqual([0, []]);
});

test("reapers end with their keeper, however it ends", async () => {
  const pids = [...workers.reaperPids(), ...workers.pids()];
  process.kill(workers.keeperPid, "SIGKILL");
  expect(await waitUntil(async () => pids.every(hasEnded), PATIENCE_MS)).toBe(true);
});
