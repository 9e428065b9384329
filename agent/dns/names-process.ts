/**
 * The agent's side of the process that serves names.
 *
 * What containers send is decoded and answered there, so that no container can take the CPU of what keeps the firewall, nor
 * end it. The process is a small agent with one part: it follows the service by itself and has a socket of its own, over
 * which it is asked how far it is. When it ends it is started again. When this agent ends it goes on, until the next one
 * serves or its time is up (names-run.ts).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "../../lib/errors.ts";
import type { LogFields, Logger } from "../../lib/log.ts";
import type { AgentPartStatus, AgentProblem } from "../../lib/rpc/agent-api.ts";
import { type AgentClient, createAgentClient } from "../../lib/rpc/agent-client.ts";
import type { AgentConfig } from "../base/config.ts";
import type { AgentPart } from "../base/part.ts";
import { factsOf, ProcessEnd } from "../base/process-end.ts";
import type { ServiceFeed } from "../reconcile/feed.ts";
import { WorkQueue } from "../reconcile/work-queue.ts";
import { agentOfNamesSocket, NAMES_COMMAND, type NamesOrder, namesSocket } from "./names-place.ts";

const RESTART = { firstMs: 50, mostMs: 5_000 };
/** One that ran for so long before it failed was in order: the next one need not wait. */
const SOUND_AFTER_MS = 10_000;
/** Between two attempts to reach it while it starts. */
const RETRY_MS = 10;
/** How long it may take to say how it is. */
const STATUS_LIMIT_MS = 1_000;

/** All that it gets of an environment. */
const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

export interface NamesProcessOptions {
  /** Path of the executable: `fairlead`. */
  readonly executable: string;
  readonly config: AgentConfig;
  readonly logger: Logger;
  /** Names the log that revisions are of. */
  readonly feed: Pick<ServiceFeed, "logId">;
  /** Takes what it writes to its log. */
  readonly write: (text: Uint8Array) => void;
}

export class NamesProcess implements AgentPart {
  readonly name = "dns";
  readonly #options: NamesProcessOptions;
  readonly #order: NamesOrder;
  readonly #client: AgentClient;
  readonly #statusClient: AgentClient;
  #child: ChildProcess | null = null;
  /** Its work is the life of one process. */
  readonly #queue: WorkQueue;
  #letGo = (): void => {};
  #starts = 0;
  #isClosed = false;
  #status: Pick<AgentPartStatus, "problems" | "figures"> = { problems: [], figures: {} };

  constructor(options: NamesProcessOptions) {
    this.#options = options;
    const { config } = options;
    const socket = namesSocket(config.socket, process.pid);
    this.#order = { config: { ...config, socket }, agentSocket: config.socket };
    this.#client = createAgentClient({ socket });
    this.#statusClient = createAgentClient({ socket, timeoutMs: STATUS_LIMIT_MS });
    this.#queue = new WorkQueue({
      limits: RESTART,
      work: (key) => this.#live(key),
      onFailure: ({ thrown, againInMs }) => {
        options.logger.error({ ...factsOf(thrown), againInMs }, "agent: the process that serves names ended");
      },
    });
  }

  start(): void {
    removeOldSockets(dirname(this.#order.config.socket));
    this.#queue.want("process");
  }

  /** While the process is being started, this waits for it. */
  async applied(revision: number): Promise<void> {
    while (!this.#isClosed) {
      try {
        const { problems } = await this.#client.sync({ revision, logId: this.#options.feed.logId });
        this.#status = { ...this.#status, problems };
        return;
      } catch (thrown) {
        // It is not there yet, or not any more; the next one has to get there, too.
        if (!(thrown instanceof FairleadError && thrown.code === "unavailable")) throw thrown;
      }
      await sleep(RETRY_MS);
    }
  }

  async collect(): Promise<void> {
    try {
      const { parts } = await this.#statusClient.status();
      const { problems, figures } = parts.find(({ name }) => name === this.name) ?? this.#status;
      this.#status = { problems, figures };
    } catch (thrown) {
      this.#status = { problems: [problemOf(thrown)], figures: this.#status.figures };
    }
  }

  problems(): readonly AgentProblem[] {
    return this.#status.problems;
  }

  figures(): Readonly<Record<string, number>> {
    return { ...this.#status.figures, pid: this.#child?.pid ?? 0, starts: this.#starts };
  }

  /** Lets the process go on by itself: it ends when a successor serves, or soon. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    this.#child = null;
    child?.removeAllListeners();
    child?.stdin?.destroy();
    child?.stderr?.destroy();
    child?.unref();
    this.#letGo();
    await this.#queue.close();
  }

  /** However it ends, unless it was let go: it was to go on. */
  async #live(key: string): Promise<void> {
    const startedAt = performance.now();
    const facts = await this.#run();
    this.#child = null;
    if (this.#isClosed) return;
    if (performance.now() - startedAt > SOUND_AFTER_MS) this.#queue.calm(key);
    throw new ProcessEnd(facts);
  }

  /** Resolves at its end, or when it is let go. */
  #run(): Promise<LogFields> {
    this.#starts++;
    const child = spawn(this.#options.executable, [NAMES_COMMAND, JSON.stringify(this.#order)], {
      cwd: "/",
      env: ENVIRONMENT,
      stdio: ["pipe", "ignore", "pipe"],
      // Ctrl-C in a terminal reaches a whole process group, and it is to outlive this one.
      detached: true,
    });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stderr.on("data", (chunk: Uint8Array) => this.#options.write(chunk));
    return new Promise((resolve) => {
      this.#letGo = () => resolve({});
      child.once("error", (cause) => {
        if (child.pid === undefined) resolve({ err: cause });
      });
      child.once("exit", (status, signal) => resolve({ pid: child.pid, status, signal }));
    });
  }
}

function problemOf(thrown: unknown): AgentProblem {
  const message = `the process that serves names does not answer, and is started again if it ended: ${(thrown as Error).message}`;
  return { severity: "error", object: "names", message };
}

/** Those of agents that are gone. What they may still have running needs its socket no more. */
function removeOldSockets(folder: string): void {
  for (const name of readdirSync(folder, { withFileTypes: true }).map((entry) => entry.name)) {
    const pid = agentOfNamesSocket(name);
    if (pid !== null && !isRunning(pid)) rmSync(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}
