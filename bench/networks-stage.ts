/**
 * What the comparison of command lines needs around it: an engine of Docker's and `fairlead dev`, each on a host of its
 * own (a network namespace), each with one running container on a network of its own.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deleteNetns, netnsPath, run, waitUntil } from "./harness/host.ts";

/** By their paths: another client may come first in PATH. */
const DOCKER = "/usr/bin/docker";
const DOCKERD = "/usr/sbin/dockerd";
const BUSYBOX = "/bin/busybox";

const START_MS = 60_000;
const STOP_MS = 20_000;

/** The container of each side. A sandbox is a namespace of the whole machine: its name must be unlike any other. */
const CONTAINER = `bench-${process.pid}`;
const HOME_NETWORK = "home";

export interface NetworksStage {
  /** Netns that Fairlead's command line runs in. */
  readonly hostNetns: string;
  readonly container: string;
  /** `docker -H …`, before `network`. */
  readonly docker: readonly string[];
  readonly fairlead: string;
  /** Options of `fairlead network`, by command. */
  readonly places: Readonly<Record<NetworkCommand, readonly string[]>>;
}

export const NETWORK_COMMANDS = ["create", "connect", "disconnect", "rm", "ls", "inspect"] as const;
export type NetworkCommand = (typeof NETWORK_COMMANDS)[number];

/** Sets the stage for `use` and takes it down when that is over, however it ended. */
export async function withNetworksStage<T>(
  bin: string,
  use: (stage: NetworksStage) => Promise<T>,
): Promise<T> {
  for (const [file, hint] of NEEDED) if (!existsSync(file)) throw new Error(`${file} is not there; ${hint}`);
  const folder = mkdtempSync(join(tmpdir(), "fl-bench-"));
  const hostNetns = `fl-bench-${process.pid}`;
  const children: ChildProcess[] = [];
  try {
    for (const name of [hostNetns, `${hostNetns}-docker`]) {
      run("ip", "netns", "add", name);
      run("ip", "-n", name, "link", "set", "lo", "up");
    }
    const docker = await startDocker(folder, `${hostNetns}-docker`, children);
    const fairlead = await startFairlead(folder, hostNetns, { bin, children });
    return await use({ hostNetns, container: CONTAINER, docker, ...fairlead });
  } finally {
    for (const child of children.reverse()) await stop(child);
    unmountBelow(folder);
    deleteNetns(hostNetns);
    deleteNetns(CONTAINER);
    rmSync(folder, { recursive: true, force: true });
  }
}

const NEEDED = [
  [DOCKER, "apt-get install docker.io"],
  [DOCKERD, "apt-get install docker.io"],
  [BUSYBOX, "apt-get install busybox-static"],
] as const;

async function startDocker(
  folder: string,
  netns: string,
  children: ChildProcess[],
): Promise<readonly string[]> {
  const socket = join(folder, "docker.sock");
  const state = join(folder, "docker");
  mkdirSync(state);
  const roots = ["--data-root", join(state, "data"), "--exec-root", join(state, "exec")];
  const argv = [DOCKERD, ...roots, "--pidfile", join(state, "pid"), "-H", `unix://${socket}`];
  children.push(startIn(netns, argv, join(folder, "dockerd.log")));
  const docker = [DOCKER, "-H", `unix://${socket}`];
  await waitUntil("dockerd", () => succeeds([...docker, "version"]), START_MS);
  const image = join(folder, "image.tar");
  run("tar", "-C", "/", "-cf", image, BUSYBOX.slice(1));
  const call = (...args: string[]): string => run(DOCKER, ...docker.slice(1), ...args);
  call("import", image, "bench:1");
  call("network", "create", HOME_NETWORK);
  call("run", "-d", "--name", CONTAINER, "--net", HOME_NETWORK, "bench:1", BUSYBOX, "sleep", "86400");
  return docker;
}

interface Ours {
  readonly bin: string;
  readonly children: ChildProcess[];
}

async function startFairlead(
  folder: string,
  netns: string,
  { bin, children }: Ours,
): Promise<Pick<NetworksStage, "fairlead" | "places">> {
  const fairlead = join(bin, "fairlead");
  const [conflists, rundir] = [join(folder, "net.d"), join(folder, "run")];
  for (const made of [conflists, rundir]) mkdirSync(made);
  const [socket, agentSocket] = [join(rundir, "fairlead.sock"), join(rundir, "agent.sock")];
  const service = ["--socket", socket];
  const agent = [...service, "--agent-socket", agentSocket];
  const places = ["--state-dir", join(folder, "state"), "--cni-conf-dir", conflists];
  children.push(startIn(netns, [fairlead, "dev", ...agent, ...places], join(folder, "fairlead.log")));
  const runtime = [
    ...[...service, "--run-dir", rundir, "--cni-conf-dir", conflists, "--cni-bin-dir", bin],
    ...["--cni-cache-dir", join(folder, "cache"), "--containerd-socket", join(folder, "none")],
    ...["--docker-socket", join(folder, "none"), "--podman-root", folder, "--podman-run-root", folder],
  ];
  await waitUntil(
    "fairlead dev",
    () => existsSync(agentSocket) && existsSync(join(conflists, PREDEFINED)),
    START_MS,
  );
  const inHost = (...argv: readonly string[]): string =>
    run("nsenter", `--net=${netnsPath(netns)}`, fairlead, ...argv);
  inHost("network", "create", ...agent, HOME_NETWORK);
  inHost("sandbox", "create", ...runtime, "--network", HOME_NETWORK, CONTAINER);
  return {
    fairlead,
    places: {
      create: agent,
      rm: agent,
      connect: runtime,
      disconnect: runtime,
      ls: service,
      inspect: service,
    },
  };
}

/** The first file that the agent writes. */
const PREDEFINED = "80-fairlead-bridge.conflist";

function startIn(netns: string, argv: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, "a");
  return spawn("nsenter", [`--net=${netnsPath(netns)}`, ...argv], { stdio: ["ignore", log, log] });
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await waitUntil("end of a daemon", ended, STOP_MS).catch(() => child.kill("SIGKILL"));
}

function succeeds([file = "", ...args]: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Containers that ended with their engine leave mounts behind. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const below = mounts
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of below.reverse()) run("umount", "-l", path);
}
