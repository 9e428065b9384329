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
import { bindPrivately } from "../../lib/daemon/unix-socket.ts";
import { makePipe, type Pipe } from "../../lib/linux/files/pipe.ts";
import { listenAt } from "../../lib/linux/sockets/listening-socket.ts";
import type { LogFields, Logger } from "../../lib/log.ts";
import { factsOf, ProcessEnd } from "../base/process-end.ts";
import { type Outcome, WorkQueue } from "../reconcile/work-queue.ts";
import { clearLeftovers, workerArguments } from "./leftovers.ts";
import { watchWorker } from "./watch.ts";

/** Requests that may wait for a worker. A client that finds no room runs its plugin itself. */
const BACKLOG = 1024;
const RESTART = { firstMs: 100, mostMs: 30_000 };
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
  const workers = new Processes(options, {
    args: workerArguments(options.socketPath),
    stdio: workerStdio(listening, toReapers),
    count: options.count,
  });
  const reapers = new Processes(options, {
    args: ["link-reaper"],
    stdio: ["ignore", "ignore", "inherit", toReapers.readEnd],
    count: REAPERS_PER_WORKER * options.count,
  });
  const close = async (): Promise<void> => {
    if (listening < 0) return;
    rmSync(options.socketPath, { force: true });
    closeSync(listening);
    listening = -1;
    await workers.close();
    closeSync(toReapers.readEnd);
    closeSync(toReapers.writeEnd);
    // Nobody can write to them any more, so they end by themselves.
    await reapers.close();
  };
  return {
    get pids() {
      return workers.pids;
    },
    get reaperPids() {
      return reapers.pids;
    },
    close,
  };
}

type Stdio = readonly ("ignore" | "inherit" | "pipe" | number)[];

/** stdout is nobody's; 3 is the listening socket, 4 the control pipe, 5 leads to the reapers. */
function workerStdio(listening: number, { writeEnd }: Pipe): Stdio {
  return ["ignore", "ignore", "inherit", listening, "pipe", writeEnd];
}

/** One kind of processes. */
interface Kind {
  readonly args: readonly string[];
  readonly stdio: Stdio;
  readonly count: number;
}

/** Processes of one kind, each in a place of its own: the key of a queue whose work is a process's whole life. */
class Processes {
  readonly #options: WorkerPoolOptions;
  readonly #kind: Kind;
  readonly #running = new Set<ChildProcess>();
  readonly #places: WorkQueue;
  #isClosing = false;

  constructor(options: WorkerPoolOptions, kind: Kind) {
    this.#options = options;
    this.#kind = kind;
    this.#places = new WorkQueue({
      limits: RESTART,
      work: (place) => this.#live(place),
      onFailure: ({ thrown, againInMs }) => this.#failed(thrown, againInMs),
    });
    for (let at = 0; at < kind.count; at++) this.#places.want(String(at));
  }

  get pids(): number[] {
    return [...this.#running].flatMap(({ pid }) => pid ?? []);
  }

  /** Closes the control pipes, and waits. A worker that hangs is killed: its client is told that it is gone. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const ended = this.#places.close();
    const running = [...this.#running];
    for (const { stdio } of running) stdio[4]?.destroy();
    const timer = setTimeout(() => {
      for (const child of running) child.kill("SIGKILL");
    }, END_LIMIT_MS);
    await ended;
    clearTimeout(timer);
  }

  async #live(place: string): Promise<Outcome> {
    const startedAt = performance.now();
    const facts = await this.#run();
    const ranMs = performance.now() - startedAt;
    if (this.#isClosing) return;
    if (facts["status"] === 0 && ranMs > LEAST_LIFE_MS) return { inMs: 0 };
    if (ranMs > SOUND_AFTER_MS) this.#places.calm(place);
    throw new ProcessEnd(facts);
  }

  #failed(thrown: unknown, againInMs: number): void {
    this.#options.logger.warn({ ...factsOf(thrown), againInMs }, `agent: ${this.#kind.args[0]} failed`);
  }

  /** Resolves at its end, with how it ended. */
  async #run(): Promise<LogFields> {
    const child = this.#spawn();
    this.#running.add(child);
    const endWatch = watchWorker(child, this.#options.logger);
    const facts = await endOf(child);
    endWatch();
    this.#running.delete(child);
    return facts;
  }

  #spawn(): ChildProcess {
    return spawn(this.#options.executable, [...this.#kind.args], {
      cwd: "/",
      env: WORKER_ENVIRONMENT,
      stdio: [...this.#kind.stdio],
      // Ctrl-C in a terminal reaches a whole process group. It is meant for us; a worker may be in the middle of an ADD.
      detached: true,
    });
  }
}

function endOf(child: ChildProcess): Promise<LogFields> {
  return new Promise((resolve) => {
    let reason: unknown = null;
    child.once("error", (cause) => {
      reason = cause;
      if (child.pid === undefined) resolve({ err: cause });
    });
    child.once("exit", (status, signal) => resolve({ pid: child.pid, status, signal, reason }));
  });
}
