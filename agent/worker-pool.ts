/**
 * Keeps resident workers running: processes of this executable that run plugins hot, all on one listening socket; and link
 * reapers, which wait for the kernel in their place.
 *
 * A worker lives as long as its control pipe, so none outlives this process, however it ends; a reaper as long as anybody can
 * write to it. One that ends by itself made room for another; one that fails is replaced after a pause, which grows while
 * failures go on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, rmSync } from "node:fs";
import { bindPrivately } from "../lib/daemon/unix-socket.ts";
import { listenAt } from "../lib/linux/listening-socket.ts";
import { makePipe, type Pipe } from "../lib/linux/pipe.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import { clearLeftovers, workerArguments } from "./worker-leftovers.ts";
import { watchWorker } from "./worker-watch.ts";

/** Requests that may wait for a worker. A client that finds no room runs its plugin itself. */
const BACKLOG = 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** A worker that ran for so long before it failed was in order: the next one need not wait. */
const SOUND_AFTER_MS = 60_000;
/** A worker that makes room sooner than this has not made itself useful. */
const LEAST_LIFE_MS = 1_000;
/** What is under way when workers are told to end may take as long as a plugin. */
const END_LIMIT_MS = 30_000;

/** A reaper waits for the kernel five times as long as a worker takes for a DEL, and takes along what gathers meanwhile. */
export const REAPERS_PER_WORKER = 2;

/** All that a worker gets of an environment. */
const WORKER_ENVIRONMENT = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  // A thread that the runtime starts while a worker is in a container's namespace would keep it: let it start few.
  BUN_JSC_useConcurrentJIT: "0",
  BUN_JSC_useConcurrentGC: "0",
  BUN_JSC_numberOfGCMarkers: "1",
};

export interface WorkerPoolOptions {
  /** Path of the executable: `fairlead`. */
  readonly executable: string;
  /** Where plugins look for workers. */
  readonly socketPath: string;
  /** At least one. */
  readonly count: number;
  readonly logger: Logger;
}

export interface WorkerPool {
  /** Workers that run now. */
  readonly pids: readonly number[];
  /** Link reapers that run now. */
  readonly reaperPids: readonly number[];
  /** Lets every worker finish what it does, and removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts workers.
 *
 * @throws already-exists when somebody listens at the path; unavailable when it cannot be bound.
 */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  let listening = -1;
  clearLeftovers(options.socketPath, options.logger);
  await bindPrivately(options.socketPath, async () => {
    listening = listenAt(options.socketPath, BACKLOG);
  });
  const toReapers = makePipe();
  const workers = slotsOf(options, workerArguments(options.socketPath), workerStdio(listening, toReapers));
  const reapers = slotsOf(
    { ...options, count: REAPERS_PER_WORKER * options.count },
    ["link-reaper"],
    ["ignore", "ignore", "inherit", toReapers.readEnd],
  );
  const close = async (): Promise<void> => {
    if (listening < 0) return;
    rmSync(options.socketPath, { force: true });
    closeSync(listening);
    listening = -1;
    await Promise.all(workers.map((slot) => slot.close()));
    closeSync(toReapers.readEnd);
    closeSync(toReapers.writeEnd);
    // Nobody can write to them any more, so they end by themselves.
    await Promise.all(reapers.map((slot) => slot.close()));
  };
  return {
    get pids() {
      return pidsOf(workers);
    },
    get reaperPids() {
      return pidsOf(reapers);
    },
    close,
  };
}

type Stdio = readonly ("ignore" | "inherit" | "pipe" | number)[];

/** stdout is nobody's; 3 is the listening socket, 4 the control pipe, 5 leads to the reapers. */
function workerStdio(listening: number, { writeEnd }: Pipe): Stdio {
  return ["ignore", "ignore", "inherit", listening, "pipe", writeEnd];
}

function slotsOf(options: WorkerPoolOptions, args: readonly string[], stdio: Stdio): Slot[] {
  return Array.from({ length: options.count }, () => new Slot(options, args, stdio));
}

function pidsOf(slots: readonly Slot[]): number[] {
  return slots.flatMap((slot) => slot.pid ?? []);
}

interface WorkerEnd extends LogFields {
  readonly status?: number | null;
}

/** The place of one worker or reaper, and whoever fills it. */
class Slot {
  readonly #options: WorkerPoolOptions;
  readonly #args: readonly string[];
  readonly #stdio: Stdio;
  #worker: ChildProcess | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #ended: (() => void) | null = null;
  #endWatch = (): void => {};

  constructor(options: WorkerPoolOptions, args: readonly string[], stdio: Stdio) {
    this.#options = options;
    this.#args = args;
    this.#stdio = stdio;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#worker?.pid;
  }

  /** Closes the control pipe, and waits. A worker that hangs is killed: its client is told that it is gone. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker === null) return;
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    worker.stdio[4]?.destroy();
    this.#timer = setTimeout(() => worker.kill("SIGKILL"), END_LIMIT_MS);
    await ended;
    clearTimeout(this.#timer);
  }

  #start(): void {
    const startedAt = performance.now();
    const worker = spawn(this.#options.executable, [...this.#args], {
      cwd: "/",
      env: WORKER_ENVIRONMENT,
      stdio: [...this.#stdio],
      // Ctrl-C in a terminal reaches a whole process group. It is meant for us; a worker may be in the middle of an ADD.
      detached: true,
    });
    this.#worker = worker;
    this.#endWatch = watchWorker(worker, this.#options.logger);
    let reason: unknown = null;
    worker.once("error", (cause) => {
      reason = cause;
      if (worker.pid === undefined) this.#replace(startedAt, { err: cause });
    });
    worker.once("exit", (status, signal) =>
      this.#replace(startedAt, { pid: worker.pid, status, signal, reason }),
    );
  }

  #replace(startedAt: number, facts: WorkerEnd): void {
    this.#worker = null;
    this.#endWatch();
    const ranMs = performance.now() - startedAt;
    if (this.#ended !== null) this.#ended();
    else if (facts.status === 0 && ranMs > LEAST_LIFE_MS) this.#start();
    else this.#startLater(ranMs, facts);
  }

  #startLater(ranMs: number, facts: LogFields): void {
    if (ranMs > SOUND_AFTER_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#options.logger.warn({ ...facts, againInMs: this.#pauseMs }, `agent: ${this.#args[0]} failed`);
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }
}
