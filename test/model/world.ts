/**
 * A node to play histories on: this process's own network and mount namespace, with server, agent and workers of the packaged
 * executable, container namespaces, a boot ID and a store that can be put back.
 *
 * Only for a process that was started by `unshare --net --mount`: it hides /run, /var/lib and the machine's boot ID.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHttpClient, type HttpIpamClient } from "../../lib/rpc/http-client.ts";
import { command, labEnvironment, waitUntil } from "../support/lab/lab-process.ts";
import { configurationOf } from "./conflists.ts";
import { CONTAINERS, type Daemon, NETWORKS, type Process } from "./history.ts";
import { Kernel } from "./kernel.ts";
import { FAIRLEAD_DIRECTORY } from "./place.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** Default places throughout: a plugin finds the service whatever a conflist has come to. */
const RUN = "/run/fairlead";
const SERVER_SOCKET = join(RUN, "fairlead.sock");
/** In the way of nothing else: what this process's mount namespace has there is its own. */
const HIDDEN = ["/run", "/var/lib"];
const READY_LIMIT_MS = 20_000;
const TROUBLE_LIMIT_MS = 1_000;
/** How often a daemon that starts is asked whether it is there. */
const ASK_EVERY_MS = 5;
const WORKERS = 2;
const DAEMONS: readonly Daemon[] = ["server", "agent"];

export class World {
  readonly directory = mkdtempSync(join(tmpdir(), "fl-m-"));
  readonly stateDir = "/var/lib/fairlead";
  readonly cacheDir = "/var/lib/cni";
  readonly service: HttpIpamClient = createHttpClient({ endpoint: { socket: SERVER_SOCKET } });
  readonly kernel = new Kernel();
  readonly #children = new Map<Daemon, ChildProcess>();
  readonly #stopped = new Set<number>();

  /** Takes the machine's view away from this process and starts the daemons. */
  async open(): Promise<void> {
    for (const folder of HIDDEN) await command(["mount", "-t", "tmpfs", "tmpfs", folder]);
    this.#makeFolders();
    this.#configure();
    await command(["mount", "--bind", this.#newBoot(), BOOT_ID]);
    this.kernel.raiseLoopback();
    this.#makeContainers();
    await this.start();
  }

  async close(): Promise<void> {
    await this.#killAll();
    this.service.close();
    await this.#clearKernel();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** As if nothing had ever happened here. */
  async reset(): Promise<void> {
    await this.#powerOff();
    for (const folder of [this.stateDir, this.cacheDir]) rmSync(folder, { recursive: true, force: true });
    this.#makeFolders();
    await this.#powerOn();
  }

  async reboot(): Promise<void> {
    await this.#powerOff();
    await this.#powerOn();
  }

  /**
   * Starts the daemons that do not run, again and again, as an init system does, and waits until they answer.
   * @throws when one does not within the limit.
   */
  async start(limitMs: number = READY_LIMIT_MS): Promise<void> {
    const giveUpAt = performance.now() + limitMs;
    for (const name of DAEMONS) while (!this.isRunning(name)) await this.#startDaemon(name, giveUpAt);
  }

  /** The same beside processes that stand still, which may keep a daemon from answering: then it is there all the same. */
  async startAmidTrouble(): Promise<void> {
    await succeeds(() => this.start(this.#stopped.size > 0 ? TROUBLE_LIMIT_MS : READY_LIMIT_MS));
  }

  isRunning(name: Daemon): boolean {
    const child = this.#children.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** True when a call to the service would be answered. */
  get isServing(): boolean {
    return this.isRunning("server") && !this.#stopped.has(this.#pidOf("server"));
  }

  /** SIGKILL. A worker is replaced by its agent. */
  async kill(process: Process): Promise<void> {
    if (process === "worker") return this.#signal(this.workers().slice(0, 1), "SIGKILL");
    const child = this.#children.get(process);
    if (child === undefined || !this.isRunning(process)) return;
    const ended = endOf(child);
    child.kill("SIGKILL");
    await ended;
  }

  /** SIGTERM to the server, so that what it leaves is whole. */
  async stopServer(): Promise<void> {
    this.continue();
    const child = this.#children.get("server");
    if (child === undefined || !this.isRunning("server")) return;
    const ended = endOf(child);
    child.kill("SIGTERM");
    await ended;
  }

  stop(process: Process): void {
    const pids =
      process === "worker" ? this.workers().slice(0, 1) : [this.#pidOf(process)].filter((pid) => pid > 0);
    this.#signal(pids, "SIGSTOP");
    for (const pid of pids) this.#stopped.add(pid);
  }

  continue(): void {
    this.#signal([...this.#stopped], "SIGCONT");
    this.#stopped.clear();
  }

  /** Processes that work for the agent: workers first. */
  workers(): number[] {
    const agent = this.#pidOf("agent");
    const children = readIfThere(`/proc/${agent}/task/${agent}/children`)
      .split(" ")
      .filter(Boolean)
      .map(Number);
    return children.filter((pid) => readIfThere(`/proc/${pid}/cmdline`).includes("plugin-worker"));
  }

  /** Used CPU time of server and workers, by process, and whether all of them wait. */
  activity(): { readonly text: string; readonly isIdle: boolean } {
    const stats = [this.#pidOf("server"), ...this.workers()].map((pid) => readIfThere(`/proc/${pid}/stat`));
    const fields = stats.map((stat) => stat.slice(stat.lastIndexOf(")") + 2).split(" "));
    return {
      text: fields.map((f) => `${f[11]} ${f[12]}`).join(),
      isIdle: fields.every(([state]) => state === "S"),
    };
  }

  /** The end of what a daemon wrote since its last start. */
  log(name: Daemon): string {
    return readIfThere(join(this.directory, `${name}.log`))
      .slice(-1000)
      .trim();
  }

  get databaseFile(): string {
    return join(this.stateDir, "ipam.db");
  }

  #pidOf(name: Daemon): number {
    return this.isRunning(name) ? (this.#children.get(name)?.pid ?? 0) : 0;
  }

  #signal(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== "ESRCH") throw thrown;
      }
    }
  }

  #makeFolders(): void {
    for (const folder of [RUN, this.stateDir, join(this.cacheDir, "results")])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  #configure(): void {
    const { directory } = this;
    const common = { nodeName: "model", log: { level: "info", format: "text" } };
    const server = { ...common, predefinedNetworks: false };
    const cniConfDir = join(directory, "net.d");
    mkdirSync(cniConfDir);
    for (let network = 0; network < NETWORKS; network += 1)
      writeFileSync(join(cniConfDir, `${network}.conf`), JSON.stringify(configurationOf(network, "plain")));
    const agent = { ...common, cniConfDir, workers: WORKERS, dns: { enabled: false } };
    // JSON is YAML.
    writeFileSync(join(directory, "server.yaml"), JSON.stringify(server));
    writeFileSync(join(directory, "agent.yaml"), JSON.stringify(agent));
  }

  /** Returns when it answers, or has ended and may be started again. */
  async #startDaemon(name: Daemon, giveUpAt: number): Promise<void> {
    const log = openSync(join(this.directory, `${name}.log`), "w");
    const config = join(this.directory, `${name}.yaml`);
    const child = spawn(join(FAIRLEAD_DIRECTORY, "fairlead"), [name, "--config", config], {
      env: labEnvironment(),
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#children.set(name, child);
    const isThere = name === "server" ? () => this.#serverIsReady() : () => this.#agentIsReady();
    const limitMs = giveUpAt - performance.now();
    await waitUntil(async () => !this.isRunning(name) || (await isThere()), limitMs, ASK_EVERY_MS);
    if (performance.now() < giveUpAt) return;
    throw new Error(`${name} does not start: ${this.log(name)}`);
  }

  async #serverIsReady(): Promise<boolean> {
    return existsSync(SERVER_SOCKET) && (await succeeds(() => this.service.info()));
  }

  /** Its workers listen when all its parts have been started, before its own socket does or afterwards. */
  async #agentIsReady(): Promise<boolean> {
    if (!existsSync(join(RUN, "plugin-worker.sock")) || this.workers().length < WORKERS) return false;
    return succeeds(() => connected(join(RUN, "agent.sock")));
  }

  async #powerOff(): Promise<void> {
    await this.#killAll();
    await this.#clearKernel();
    rmSync(RUN, { recursive: true });
    this.#makeFolders();
  }

  async #powerOn(): Promise<void> {
    await command(["umount", BOOT_ID]);
    await command(["mount", "--bind", this.#newBoot(), BOOT_ID]);
    this.#makeContainers();
    await this.start();
  }

  /** Workers of an agent that was killed end by themselves, unless they stand still. */
  async #killAll(): Promise<void> {
    const pids = [...this.workers(), ...this.#stopped];
    this.#signal(pids, "SIGKILL");
    this.#stopped.clear();
    for (const name of DAEMONS) await this.kill(name);
  }

  #makeContainers(): void {
    for (let who = 0; who < CONTAINERS; who += 1) this.kernel.addContainer(who);
  }

  async #clearKernel(): Promise<void> {
    this.kernel.clear();
    await command(["nft", "flush", "ruleset"]);
  }

  #newBoot(): string {
    const file = join(this.directory, `boot-${randomUUID()}`);
    writeFileSync(file, `${randomUUID()}\n`);
    return file;
  }
}

/** Resolves when it has ended. To be called before it is told to. @throws when it takes too long. */
async function endOf(child: ChildProcess): Promise<void> {
  await once(child, "exit", { signal: AbortSignal.timeout(READY_LIMIT_MS) });
}

/** Resolves when somebody listens at the path. */
async function connected(path: string): Promise<void> {
  const socket = createConnection(path);
  try {
    await once(socket, "connect");
  } finally {
    socket.destroy();
  }
}

function succeeds(ask: () => Promise<unknown>): Promise<boolean> {
  return ask().then(
    () => true,
    () => false,
  );
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
