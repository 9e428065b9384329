/**
 * Resident workers: that plugins hand their work over, that nobody can tell the difference, and that nothing is lost when one
 * of both, or both, come to grief on the way.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type SlowIpam, startSlowIpam } from "../support/ipam/slow-ipam.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { command, hasEnded, requireTools, waitUntil } from "../support/lab/lab-process.ts";
import { LabWorkers, workerSocketBeside } from "../support/lab/lab-workers.ts";
import {
  type Answer,
  type Configuration,
  type Container,
  expectFailure,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(240_000);

const WORKERS = 2;
/** Longest until workers notice that their keeper is gone, or are replaced. */
const PATIENCE_MS = 30_000;

/** Only for requests that hang: it takes some seconds. */
const LOAD_LIMIT_MS = 100_000;

let lab: PluginLab;
let workers: LabWorkers;

beforeAll(async () => {
  requireTools("strace");
  lab = await PluginLab.open("resident");
  workers = await startWorkers();
});
afterAll(() => lab?.close());

function startWorkers(count = WORKERS): Promise<LabWorkers> {
  return LabWorkers.start(lab.lab, {
    executable: join(FAIRLEAD_DIRECTORY, "fairlead"),
    socket: workerSocket(),
    count,
  });
}

function workerSocket(): string {
  const { socket } = lab.plugins.ipam([]) as { socket: string };
  return workerSocketBeside(socket);
}

/** A network whose addresses come late, or never. */
async function slowNetwork(
  delayMs: number | null,
): Promise<{ slow: SlowIpam; network: TestNetwork; config: Configuration }> {
  const network = lab.network();
  const { socket } = lab.plugins.ipam([]) as { socket: string };
  const slow = await startSlowIpam(join(lab.lab.directory, `slow-${network.name}.sock`), socket, delayMs);
  lab.lab.defer("close the slow service", () => slow.close());
  const ipam = { ...lab.plugins.ipam([network.subnet]), socket: slow.socket, timeoutSeconds: 3 };
  return { slow, network, config: lab.bridge(network, { ipam }) };
}

async function ports(network: TestNetwork): Promise<number> {
  const links = await lab.onHost<{ master?: string }>("link");
  return links.filter(({ master }) => master === network.bridge).length;
}

/** An ADD that is killed once somebody has asked the slow service for it. */
async function killedAdd(slow: SlowIpam, container: Container, config: Configuration): Promise<Answer> {
  const asked = slow.asked;
  const pidFile = join(lab.lab.directory, "pid");
  const wrapper = ["sh", "-c", 'echo $$ >"$0"; exec "$@"', pidFile];
  const answer = lab.call({ verb: "ADD", container, config, wrapper });
  expect(await waitUntil(async () => slow.asked > asked, PATIENCE_MS)).toBe(true);
  process.kill(Number(readFileSync(pidFile, "latin1")), "SIGKILL");
  return answer;
}

/** Kinds of sockets that a plugin opens itself. */
async function socketsOf(
  verb: string,
  container: Container,
  { config, wrapper = [] }: { config: Configuration; wrapper?: string[] },
): Promise<string[]> {
  const file = join(lab.lab.directory, `trace-${verb}`);
  const strace = ["strace", "-f", "-qq", "-e", "trace=socket", "-o", file];
  expectSuccess(await lab.call({ verb, container, config, wrapper: [...wrapper, ...strace] }));
  return [...readFileSync(file, "utf8").matchAll(/socket\((AF_\w+)/g)].map(([, family = ""]) => family);
}

test("a plugin opens one socket, the worker's; without a worker it opens its own", async () => {
  const [container, config] = [await lab.container(), lab.bridge(lab.network())];
  expect(await socketsOf("ADD", container, { config })).toEqual(["AF_UNIX"]);
  expect(await socketsOf("DEL", container, { config })).toEqual(["AF_UNIX"]);
  const { socket } = config["ipam"] as { socket: string };
  const elsewhere = join(lab.lab.folder("elsewhere"), "ipam.sock");
  await command(["ln", "-sf", socket, elsewhere]);
  const alone = { ...config, ipam: { ...(config["ipam"] as object), socket: elsewhere } };
  expect(await socketsOf("ADD", container, { config: alone })).toContain("AF_NETLINK");
  await lab.succeed("DEL", container, alone);
});

test("the result is the same with and without a worker, but for names and addresses that are new each time", async () => {
  const [container, network] = [await lab.container(), lab.network()];
  const config = lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet, network.subnet6]) });
  const byWorker = await lab.add(container, config);
  await lab.succeed("CHECK", container, { ...config, prevResult: byWorker });
  await lab.succeed("DEL", container, config);
  // Another mount namespace makes the worker decline.
  const answer = await lab.call({ verb: "ADD", container, config, wrapper: ["unshare", "-m"] });
  const alone = JSON.parse(answer.stdout) as typeof byWorker;
  await lab.succeed("DEL", container, config);
  const shape = ({ ips = [], ...rest }: typeof byWorker) => ({
    ...rest,
    ips: ips.map(({ address, ...other }) => ({ ...other, length: address.split("/")[1] })),
  });
  expect(shape(byWorker)).toEqual(shape(alone));
});

test.each([
  ["another mount namespace", ["unshare", "-m"]],
  ["another PID namespace", ["unshare", "--pid", "--fork", "--mount-proc"]],
  ["another root directory", ["unshare", "-m", "chroot", "/proc/self/root"]],
])("a plugin in %s does its work itself", async (_, wrapper) => {
  const [container, config] = [await lab.container(), lab.bridge(lab.network())];
  expect(await socketsOf("ADD", container, { config, wrapper })).toContain("AF_NETLINK");
  expectSuccess(await lab.call({ verb: "DEL", container, config, wrapper }));
});

test("IPAM by another plugin is declined: it might hang", async () => {
  const container = await lab.container();
  const config = lab.bridge(lab.network(), {
    ipam: { type: "host-local", subnet: "10.99.0.0/24", dataDir: lab.lab.folder("hl") },
  });
  expect(await socketsOf("ADD", container, { config })).toContain("AF_NETLINK");
  await lab.succeed("DEL", container, config);
});

test("a GC ends with its client: no list of who is valid outlives who made it", async () => {
  const [container, network] = [await lab.container(), lab.network()];
  const config = { ...lab.bridge(network), cniVersion: "1.1.0" };
  await lab.add(container, config);
  const valid = [{ containerID: container.containerId, ifname: container.ifname }];
  const withList = { ...config, "cni.dev/valid-attachments": valid };
  expect(await socketsOf("GC", container, { config: withList })).toContain("AF_NETLINK");
  await lab.succeed("DEL", container, config);
});

test("a client that is killed while a worker attaches: the attachment is taken back", async () => {
  const container = await lab.container();
  const { slow, network, config } = await slowNetwork(700);
  expect((await killedAdd(slow, container, config)).status).not.toBe(0);
  // Acquired late, undone later still.
  expect(await waitUntil(async () => slow.asked >= 2 && (await ports(network)) === 0, PATIENCE_MS)).toBe(
    true,
  );
  expect(
    await waitUntil(async () => (await lab.plugins.boundAddresses(network.name)).length === 0, PATIENCE_MS),
  ).toBe(true);
  // The worker tells when all is undone, which shows a moment before.
  expect(await waitUntil(async () => workers.log().includes("taking back"), PATIENCE_MS)).toBe(true);
  expect(await lab.containerLinks(container)).toEqual([]);
});

test("a service that is away for a moment: an ADD waits for it", async () => {
  const [container, network] = [await lab.container(), lab.network()];
  const socket = join(lab.lab.directory, "restarted.sock");
  // A folder of the service tells that there is one, or was.
  const ipam = { ...lab.plugins.ipam([network.subnet]), socket, stateDir: lab.lab.folder("state") };
  const call = lab.call({ verb: "ADD", container, config: lab.bridge(network, { ipam }) });
  // It has asked, in vain, and goes on with what needs no address.
  expect(await waitUntil(async () => (await ports(network)) === 1, PATIENCE_MS)).toBe(true);
  const { socket: target } = lab.plugins.ipam([]) as { socket: string };
  const back = await startSlowIpam(socket, target, 0);
  lab.lab.defer("close the restarted service", () => back.close());
  expectSuccess(await call);
  expect(await lab.plugins.boundAddresses(network.name)).toHaveLength(1);
  await lab.succeed("DEL", container, lab.bridge(network, { ipam }));
});

test("an ADD that was given up is late: DEL and the next ADD wait for it, and keep what is theirs", async () => {
  const container = await lab.container();
  const { slow, network, config } = await slowNetwork(700);
  const plain = { ...config, ipam: lab.plugins.ipam([network.subnet]) };
  for (let round = 0; round < 3; round += 1) {
    expect((await killedAdd(slow, container, config)).status).not.toBe(0);
    await lab.succeed("DEL", container, plain);
    const result = await lab.add(container, plain);
    // Whatever the first one still does, it has done before the second began.
    const addresses = (result.ips ?? []).map(({ address }) => address.split("/")[0]);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual(addresses);
    expect(await ports(network)).toBe(1);
    await lab.succeed("CHECK", container, { ...plain, prevResult: result });
    await lab.succeed("DEL", container, plain);
  }
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
});

test.each(["ADD", "DEL"])("a worker that is killed during %s", async (verb) => {
  const container = await lab.container();
  const { slow, network, config } = await slowNetwork(null);
  const plain = { ...config, ipam: lab.plugins.ipam([network.subnet]) };
  if (verb === "DEL") await lab.add(container, plain);
  const call = lab.call({ verb, container, config });
  expect(await waitUntil(async () => slow.asked > 0, PATIENCE_MS)).toBe(true);
  if (verb === "ADD")
    expect(await waitUntil(async () => (await ports(network)) === 1, PATIENCE_MS)).toBe(true);
  for (const pid of workers.pids()) process.kill(pid, "SIGKILL");
  const answer = await call;
  if (verb === "ADD") {
    expect(expectFailure(answer)).toMatchObject({
      code: 11,
      msg: expect.stringContaining("ended before it answered"),
    });
    expect(await ports(network)).toBe(1);
  } else {
    // Done again in the plugin's own process, which left a release intent.
    expectSuccess(answer);
    expect(lab.nodeFiles()).toHaveLength(1);
  }
  expect(await waitUntil(async () => workers.pids().length === WORKERS, PATIENCE_MS)).toBe(true);
  await lab.succeed("DEL", container, plain);
  expect(await ports(network)).toBe(0);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  // The next ADD brings the intent to the service.
  await lab.add(container, plain);
  await lab.succeed("DEL", container, plain);
  expect(lab.nodeFiles()).toEqual([]);
});

test("workers that hang: the plugin does its work itself, and they do not do it again when they wake", async () => {
  const [container, network] = [await lab.container(), lab.network()];
  const config = lab.bridge(network);
  for (const pid of workers.pids()) process.kill(pid, "SIGSTOP");
  const result = await lab.add(container, config);
  for (const pid of workers.pids()) process.kill(pid, "SIGCONT");
  await lab.succeed("STATUS", undefined, { ...config, cniVersion: "1.1.0" });
  await lab.succeed("STATUS", undefined, { ...config, cniVersion: "1.1.0" });
  await lab.succeed("CHECK", container, { ...config, prevResult: result });
  expect(await ports(network)).toBe(1);
  await lab.succeed("DEL", container, config);
});

test.each([
  ["nothing", ""],
  ["half a request", "FLR1\x10\0\0\0\0\0\0\0{"],
  ["a request without end", "FLR1\xff\xff\xff\xff\xff\xff\xff\xff"],
  ["another protocol", "GET / HTTP/1.1\r\n\r\n"],
  ["more than a request", `FLR1\x02\0\0\0\0\0\0\0{}${"x".repeat(200_000)}`],
])("a client that sends %s delays others at most, and does no harm", async (_, bytes) => {
  const pids = workers.pids();
  const sockets = pids.map(() => {
    const socket = connect(workers.socket).on("error", () => {});
    socket.write(Buffer.from(bytes, "latin1"));
    return socket;
  });
  const config = { ...lab.bridge(lab.network()), cniVersion: "1.1.0" };
  await lab.succeed("STATUS", undefined, config);
  for (const socket of sockets) socket.destroy();
  expect(workers.pids()).toEqual(pids);
});

test("nothing of a plugin's environment or directory reaches a worker", async () => {
  const [container, config] = [await lab.container(), lab.bridge(lab.network())];
  const hostile = lab.lab.folder("hostile");
  const env = {
    BUN_OPTIONS: "--preload=./x.js",
    NODE_OPTIONS: "--require ./x.js",
    TMPDIR: hostile,
    HOME: hostile,
    SECRET: "1",
  };
  expectSuccess(await lab.call({ verb: "ADD", container, config, env, wrapper: ["env", "-C", hostile] }));
  for (const pid of workers.pids()) {
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
    const names = readFileSync(`/proc/${pid}/environ`, "latin1")
      .split("\0")
      .map((entry) => entry.split("=")[0]);
    expect(names.filter((name) => name && !name.startsWith("BUN_JSC_"))).toEqual(["PATH"]);
  }
  await lab.succeed("DEL", container, config);
});

test("only root reaches the socket", () => {
  expect(statSync(workers.socket).mode & 0o777).toBe(0o600);
});

test("2,000 requests: memory stays, and so does the network namespace of every thread", async () => {
  const container = await lab.container();
  const load = (count: number) =>
    lab.lab.host(
      [
        ...[process.execPath, "--experimental-ffi", "--no-warnings"],
        ...["--import", join(__dirname, "../support/register-no-bun-ffi.ts")],
        join(__dirname, "../support/plugins/resident-load-process.ts"),
        ...[
          readFileSync(join(FAIRLEAD_DIRECTORY, "../.digest"), "latin1").split(" ")[0] ?? "",
          workers.socket,
          container.netns,
        ],
        String(count),
      ],
      { timeoutMs: LOAD_LIMIT_MS },
    );
  expect(Number(await load(500))).toBe(500);
  const before = residentKib();
  expect(Number(await load(1500))).toBe(1500);
  expect(residentKib() - before).toBeLessThan(24 * 1024);
  const host = readlinkSync(`/proc/${workers.keeperPid}/ns/net`);
  for (const pid of workers.pids()) expect(namespacesOf(pid)).toEqual([host]);
});

function residentKib(): number {
  const sizes = workers
    .pids()
    .map((pid) => /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  return Math.max(...sizes.map(Number));
}

function namespacesOf(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return [...new Set(threads.map((thread) => readlinkSync(`/proc/${pid}/task/${thread}/ns/net`)))];
}

test("workers end with their keeper, however it ends; the socket that it leaves is no obstacle", async () => {
  const [container, config] = [await lab.container(), lab.bridge(lab.network())];
  const pids = workers.pids();
  process.kill(workers.keeperPid, "SIGKILL");
  expect(await waitUntil(async () => pids.every(hasEnded), PATIENCE_MS)).toBe(true);
  expect(statSync(workers.socket).isSocket()).toBe(true);
  expect(await socketsOf("ADD", container, { config })).toContain("AF_NETLINK");
  workers = await startWorkers(1);
  expect(await socketsOf("DEL", container, { config })).toEqual(["AF_UNIX"]);
});

test("a worker that is stopped is ended, with what it held, and replaced", async () => {
  const [container, network] = [await lab.container(), lab.network()];
  const { slow, config } = await slowNetwork(null);
  const plain = { ...lab.bridge(network), name: config["name"] as string };
  const call = lab.call({ verb: "ADD", container, config });
  expect(await waitUntil(async () => slow.asked > 0, PATIENCE_MS)).toBe(true);
  const pids = workers.pids();
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  // Until then the attachment is the stopped worker's.
  expect(expectFailure(await call)).toMatchObject({ code: 11 });
  await lab.succeed("DEL", container, plain);
  expect(await waitUntil(async () => pids.every(hasEnded), PATIENCE_MS)).toBe(true);
  expect(workers.log()).toContain("ending a plugin worker that hangs");
  expect(await waitUntil(async () => workers.pids().length === pids.length, PATIENCE_MS)).toBe(true);
});

test("a stopped worker does not keep the next keeper from starting", async () => {
  const [container, config] = [await lab.container(), lab.bridge(lab.network())];
  const [stopped = 0] = workers.pids();
  process.kill(stopped, "SIGSTOP");
  process.kill(workers.keeperPid, "SIGKILL");
  expect(await waitUntil(async () => hasEnded(workers.keeperPid), PATIENCE_MS)).toBe(true);
  workers = await startWorkers(1);
  expect(await waitUntil(async () => hasEnded(stopped), PATIENCE_MS)).toBe(true);
  expect(await socketsOf("ADD", container, { config })).toEqual(["AF_UNIX"]);
  await lab.succeed("DEL", container, config);
});

test("workers that are told to end finish what they do", async () => {
  const container = await lab.container();
  const { slow, config } = await slowNetwork(600);
  const call = lab.call({ verb: "ADD", container, config });
  expect(await waitUntil(async () => slow.asked > 0, PATIENCE_MS)).toBe(true);
  await workers.stop();
  expectSuccess(await call);
  expect(() => statSync(workers.socket)).toThrow("ENOENT");
  expectSuccess(await lab.call({ verb: "DEL", container, config }));
});
