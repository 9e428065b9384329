/** Resident plugin workers on a lab's host. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { REAPERS_PER_WORKER } from "../../../agent/workers/pool.ts";
import { WORKER_SOCKET_NAME } from "../../../lib/resident/place.ts";
import type { Lab } from "./lab.ts";
import { Daemon } from "./lab-process.ts";

/** Path of the socket where plugins look for workers when the IPAM service listens at `ipamSocket`. */
export function workerSocketBeside(ipamSocket: string): string {
  return join(dirname(ipamSocket), WORKER_SOCKET_NAME);
}

export interface WorkersOptions {
  readonly executable: string;
  readonly socket: string;
  readonly count: number;
}

export class LabWorkers {
  readonly #daemon: Daemon;
  readonly socket: string;

  private constructor(daemon: Daemon, socket: string) {
    this.#daemon = daemon;
    this.socket = socket;
  }

  /** Starts `count` workers of the executable on the lab's host; they end with the lab. */
  static async start(lab: Lab, { executable, socket, count }: WorkersOptions): Promise<LabWorkers> {
    const flags = [
      "--experimental-ffi",
      "--no-warnings",
      "--import",
      join(__dirname, "../register-no-bun-ffi.ts"),
    ];
    const program = [process.execPath, ...flags, join(__dirname, "../plugins/worker-pool-process.ts")];
    const argv = lab.inHost(...program, executable, socket, String(count));
    const daemon = Daemon.start(argv, join(lab.directory, "workers.log"));
    lab.defer("stop the plugin workers", () => daemon.stop());
    const workers = new LabWorkers(daemon, socket);
    await daemon.waitUntilReady(
      async () =>
        existsSync(socket) &&
        workers.pids().length === count &&
        workers.reaperPids().length === REAPERS_PER_WORKER * count,
    );
    return workers;
  }

  /** Of the process that keeps the workers. */
  get keeperPid(): number {
    return this.#daemon.pid;
  }

  /** Of the workers that run now. */
  pids(): number[] {
    return this.#children("plugin-worker");
  }

  /** Of the link reapers that run now. */
  reaperPids(): number[] {
    return this.#children("link-reaper");
  }

  #children(command: string): number[] {
    const { pid } = this.#daemon;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ");
    return children.flatMap((child) => (child && runs(Number(child), command) ? Number(child) : []));
  }

  log(): string {
    return this.#daemon.logTail();
  }

  stop(): Promise<void> {
    return this.#daemon.stop();
  }
}

/** False also for a process that has just ended. */
function runs(pid: number, command: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(command);
  } catch {
    return false;
  }
}
