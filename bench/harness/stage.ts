/**
 * What a run needs around it: a network namespace that plays the host, a folder, and the IPAM service. All of it is
 * made before the first measurement and gone after the last.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { deleteNetns, run } from "./host.ts";
import type { Options } from "./options.ts";

const SERVER_START_MS = 10_000;

export interface Stage {
  /** Name of the network namespace; the names of the containers' start with it. */
  readonly hostNetns: string;
  readonly folder: string;
  /** Folder of our executables. */
  readonly bin: string;
  /** Folder of the reference's. */
  readonly reference: string;
  /** Of the IPAM service. */
  readonly socket: string;
  /** Of the IPAM service; 0 where none was needed. */
  readonly serverPid: number;
}

/** Sets the stage for `use` and takes it down when that is over, however it ended. @throws when a tool is missing. */
export async function withStage<T>(options: Options, use: (stage: Stage) => Promise<T>): Promise<T> {
  requireExecutables(options);
  const folder = mkdtempSync(join(tmpdir(), "fl-bench-"));
  const hostNetns = `fl-bench-${process.pid}`;
  const socket = join(folder, "ipam.sock");
  let server: ChildProcess | undefined;
  try {
    run("ip", "netns", "add", hostNetns);
    run("ip", "-n", hostNetns, "link", "set", "lo", "up");
    const bin = installedCopy(options.selfCheck ? options.reference : options.bin, join(folder, "bin"));
    const reference = installedCopy(options.reference, join(folder, "reference"));
    if (!options.selfCheck) server = await startServer({ bin, folder, socket });
    return await use({ hostNetns, folder, bin, reference, socket, serverPid: server?.pid ?? 0 });
  } finally {
    server?.kill("SIGTERM");
    deleteNetns(hostNetns);
    rmSync(folder, { recursive: true, force: true });
  }
}

function requireExecutables(options: Options): void {
  const ours = options.selfCheck
    ? []
    : ["fairlead", "fairlead-bridge", "fairlead-ipam"].map((name) => join(options.bin, name));
  for (const file of [...ours, join(options.reference, "bridge"), join(options.reference, "host-local")]) {
    try {
      accessSync(file, constants.X_OK);
    } catch {
      const hint = ours.includes(file) ? "./build.sh build" : "apt-get install containernetworking-plugins";
      throw new Error(`${file} is not there; ${hint}`);
    }
  }
}

/**
 * Copies executables as an installation does, hard links as hard links. How a file lies in the page cache is decided by how it
 * got there, and is worth a quarter of the start of ours: after hours of other work on the machine its pages are scattered. A
 * copy of today has the layout that a file has after it was installed, or read from its beginning to its end at boot.
 */
function installedCopy(from: string, to: string): string {
  mkdirSync(to);
  const copies = new Map<number, string>();
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    const status = statSync(source);
    if (!status.isFile()) continue;
    const copy = copies.get(status.ino);
    if (copy === undefined) copyFileSync(source, target);
    else linkSync(copy, target);
    copies.set(status.ino, copy ?? target);
  }
  return to;
}

interface ServerPlace {
  /** Folder of our executables. */
  readonly bin: string;
  /** For its configuration, its log and its state. */
  readonly folder: string;
  readonly socket: string;
  /** Further lines of its configuration. */
  readonly settings?: string;
}

/** Where a server that {@link startServer} started in this folder keeps its state. */
export function serverState(folder: string): string {
  return join(folder, "server");
}

/** Starts `fairlead server`, and waits until it takes connections. @throws when it does not, and is gone then. */
export async function startServer({
  bin,
  folder,
  socket,
  settings = "",
}: ServerPlace): Promise<ChildProcess> {
  const configuration = join(folder, "server.yaml");
  writeFileSync(configuration, `socket: ${socket}\nstateDir: ${serverState(folder)}\n${settings}`);
  const log = openSync(join(folder, "server.log"), "a");
  const server = spawn(join(bin, "fairlead"), ["server", "--config", configuration], {
    stdio: ["ignore", log, log],
  });
  const end = Date.now() + SERVER_START_MS;
  while (!(await takesConnections(socket))) {
    if (server.exitCode !== null || Date.now() > end) {
      await stopServer(server);
      throw new Error("fairlead server did not start");
    }
    await sleep(20);
  }
  return server;
}

/** Resolves when it has ended. */
export async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, "exit");
  server.kill("SIGTERM");
  await exit;
}

function takesConnections(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(socket, () => resolve(true)).on("error", () => resolve(false));
    attempt.on("connect", () => attempt.destroy());
  });
}
