/** The IPAM server as a process of its own, and clients that talk to it over its unix socket. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorFromJson } from "../../../lib/errors.ts";
import type { Event } from "../../../lib/ipam/api.ts";

/**
 * The command line before `server --config FILE`. `FAIRLEAD_COMMAND` replaces the packaged executable, words
 * separated by spaces, to try a server that has not been packaged.
 */
function serverCommand(): string[] {
  const packaged = join(__dirname, "../../../dist/bin/fairlead");
  return process.env["FAIRLEAD_COMMAND"]?.split(" ") ?? [packaged];
}

const READY_TIMEOUT_MS = 20_000;
const POLL_MS = 3;

type Settings = Readonly<Record<string, unknown>>;

/** One server's directory: configuration, socket, state. Outlives the processes that use it. */
export class ServerLab {
  readonly directory: string;
  readonly socket: string;
  readonly #configFile: string;

  /** @param settings of the server; a function of the directory where they name places in it. */
  constructor(settings: Settings | ((directory: string) => Settings) = {}) {
    this.directory = mkdtempSync(join(process.env["FAIRLEAD_TEST_DIR"] ?? tmpdir(), "fairlead-server-"));
    this.socket = join(this.directory, "s");
    this.#configFile = join(this.directory, "server.yaml");
    const stateDir = join(this.directory, "state");
    mkdirSync(stateDir, { mode: 0o700 });
    // JSON is YAML.
    const given = typeof settings === "function" ? settings(this.directory) : settings;
    writeFileSync(this.#configFile, JSON.stringify({ socket: this.socket, stateDir, ...given }));
  }

  /** Starts a server and returns once it serves. The caller ends it. */
  async start(): Promise<ServerProcess> {
    const [program = "", ...words] = serverCommand();
    const child = spawn(program, [...words, "server", "--config", this.#configFile], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr?.on("data", (chunk) => {
      log = `${log}${chunk}`.slice(-10_000);
    });
    const server = new ServerProcess(child, this.socket, () => log);
    await server.waitUntilReady();
    return server;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #agent: Agent;
  readonly #socket: string;
  readonly #log: () => string;

  constructor(child: ChildProcess, socket: string, log: () => string) {
    this.#child = child;
    this.#exited = once(child, "exit");
    this.#agent = new Agent({ keepAlive: true });
    this.#socket = socket;
    this.#log = log;
  }

  async waitUntilReady(): Promise<void> {
    const giveUpAt = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended: ${this.#log()}`);
      try {
        await this.call("GET", "/v1/info");
        return;
      } catch (error) {
        if (performance.now() > giveUpAt)
          throw new Error(`the server does not serve: ${error}\n${this.#log()}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }

  /**
   * One request. @throws NoAnswer when the connection broke: whether it took effect is unknown; otherwise the
   * FairleadError that the server answered.
   */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await this.#exchange(method, path, body);
    const answer: unknown = text === "" ? null : JSON.parse(text);
    if (status < 300) return answer;
    throw errorFromJson((answer as { error?: unknown } | null)?.error);
  }

  #exchange(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { socketPath: this.#socket, method, path, agent: this.#agent, headers },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", (cause) => reject(new NoAnswer(cause)));
          incoming.on("end", () => {
            if (!incoming.complete) reject(new NoAnswer("the answer was cut off"));
            else resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
          });
        },
      );
      outgoing.on("error", (cause) => reject(new NoAnswer(cause)));
      outgoing.end(payload);
    });
  }

  /** Every event since the beginning. */
  async allEvents(): Promise<Event[]> {
    const events: Event[] = [];
    for (;;) {
      const since = events.at(-1)?.revision ?? 0;
      const { events: page } = (await this.call("GET", `/v1/events?since=${since}&limit=10000`)) as {
        events: Event[];
      };
      events.push(...page);
      if (page.length < 10_000) return events;
    }
  }

  /** Sends a signal and returns when the process is gone. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
    this.#agent.destroy();
  }
}

/** The connection broke before an answer came. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super(`no answer: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
