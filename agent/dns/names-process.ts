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
import type { Logger } from "../../lib/log.ts";
import type { AgentPartStatus, AgentProblem } from "../../lib/rpc/agent-api.ts";
import { type AgentClient, createAgentClient } from "../../lib/rpc/agent-client.ts";
import type { AgentConfig } from "../config.ts";
import type { AgentPart } from "../part.ts";
import { agentOfNamesSocket, NAMES_COMMAND, type NamesOrder, namesSocket } from "./names-place.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
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
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
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
  }

  start(): void {
    removeOldSockets(dirname(this.#order.config.socket));
    this.#start();
  }

  /** While the process is being started, this waits for it. */
  async applied(revision: number): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#client.sync({ revision });
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
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = null;
    child?.removeAllListeners();
    child?.stdin?.destroy();
    child?.stderr?.destroy();
    child?.unref();
  }

  #start(): void {
    const startedAt = performance.now();
    this.#starts++;
    const child = spawn(this.#options.executable, [NAMES_COMMAND, JSON.stringify(this.#order)], {
      cwd: "/",
      env: ENVIRONMENT,
      stdio: ["pipe", "ignore", "pipe"],
      // Ctrl-C in a terminal reaches a whole process group, and it is to outlive this one.
      detached: true,
    });
    this.#child = child;
    child.stdin?.on("error", () => {});
    child.stderr?.on("data", (chunk: Uint8Array) => this.#options.write(chunk));
    child.once("error", (cause) => {
      if (child.pid === undefined) this.#startAgain(startedAt, { err: cause });
    });
    child.once("exit", (status, signal) => this.#startAgain(startedAt, { pid: child.pid, status, signal }));
  }

  #startAgain(startedAt: number, facts: Readonly<Record<string, unknown>>): void {
    this.#child = null;
    if (this.#isClosed) return;
    if (performance.now() - startedAt > SOUND_AFTER_MS) this.#pauseMs = FIRST_PAUSE_MS;
    const againInMs = this.#pauseMs;
    this.#options.logger.error({ ...facts, againInMs }, "agent: the process that serves names ended");
    this.#pauseMs = Math.min(2 * againInMs, LONGEST_PAUSE_MS);
    this.#timer = setTimeout(() => this.#start(), againInMs);
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
