/** The server as a program: what `fairlead server` and `fairlead dev` run. */
import { readFileSync } from "node:fs";
import { FairleadError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { parseConfig, type ServerConfig } from "./config.ts";
import { type RunningServer, startServer } from "./start.ts";

export { CONFIG_KEYS, parseConfig, type ServerConfig } from "./config.ts";
export type { RunningServer } from "./start.ts";

/** What is under way when the server is told to end must be over by then. */
const SHUTDOWN_MS = 10_000;

/**
 * Reads a configuration file.
 * @throws not-found, io-failure, decode-failure, invalid-config with every problem in it.
 */
export function loadConfig(file: string): ServerConfig {
  return parseConfig(readConfigFile(file), file);
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new FairleadError({
      code: missing ? "not-found" : "io-failure",
      operation: "read configuration",
      object: file,
      reason: missing ? "there is no such file" : (cause as Error).message,
      hint: "name a readable file with --config; conf/server.yaml is a sample",
      cause,
    });
  }
}

export interface ServeOptions {
  readonly config: ServerConfig;
  readonly logger: Logger;
  /** Called once the server serves. */
  readonly onReady?: (server: RunningServer) => void;
}

/**
 * Runs a server until it is told to end, and returns the exit status of the process: 0 after SIGTERM or
 * SIGINT, 1 when it failed, when a second signal came, or when ending took longer than ten seconds.
 *
 * @throws FairleadError what keeps it from starting.
 */
export async function serve({ config, logger, onReady }: ServeOptions): Promise<number> {
  useNormalJit();
  const signals = new Signals();
  try {
    const server = await startServer(config, logger);
    const { epoch, leases } = await server.service.info();
    const total = Object.values(leases).reduce((sum, count) => sum + count, 0);
    const { socket, http, grpc } = server.listening;
    const tcp = { ...(http && { http }), ...(grpc && { grpc }) };
    logger.info({ socket, ...tcp, epoch, leases: total }, "fairlead server: ready");
    onReady?.(server);
    return await untilTheEnd(server, signals, logger);
  } finally {
    signals.ignore();
  }
}

async function untilTheEnd(server: RunningServer, signals: Signals, logger: Logger): Promise<number> {
  const cause = await Promise.race([signals.next(), server.failed, uncaught()]);
  if (typeof cause === "string") logger.info({ signal: cause }, "fairlead server: ending");
  else logger.error({ err: cause }, "fairlead server: cannot go on, ending");
  const status = typeof cause === "string" ? 0 : 1;
  const overdue = new Promise<string>((resolve) => setTimeout(resolve, SHUTDOWN_MS, "overdue").unref());
  const second = signals.next().then(() => "second signal");
  const closed = server.close().then(() => null);
  const hurry = await Promise.race([closed, second, overdue]);
  if (hurry === null) {
    logger.info({}, "fairlead server: ended");
    return status;
  }
  logger.error({ reason: hurry }, "fairlead server: ended before all calls were over");
  return 1;
}

/** An error that nobody handled: what else is broken cannot be known. */
function uncaught(): Promise<Error> {
  return new Promise((resolve) => {
    process.once("uncaughtException", resolve);
    process.once("unhandledRejection", (reason) =>
      resolve(reason instanceof Error ? reason : new Error(String(reason))),
    );
  });
}

/** SIGTERM and SIGINT, one at a time. */
class Signals {
  #waiting: ((name: string) => void) | null = null;
  #pending: string | null = null;
  readonly #take = (name: string): void => {
    if (this.#waiting) this.#waiting(name);
    else this.#pending = name;
    this.#waiting = null;
  };

  constructor() {
    process.on("SIGTERM", this.#take);
    process.on("SIGINT", this.#take);
  }

  next(): Promise<string> {
    return new Promise((resolve) => {
      if (this.#pending === null) this.#waiting = resolve;
      else resolve(this.#pending);
      this.#pending = null;
    });
  }

  ignore(): void {
    process.off("SIGTERM", this.#take);
    process.off("SIGINT", this.#take);
  }
}

/**
 * The executable starts with a just-in-time compiler that waits long, which suits a plugin of ten
 * milliseconds. A server wants the usual one: it serves three times as much.
 */
function useNormalJit(): void {
  const { Bun: runtime } = globalThis as { Bun?: { unsafe?: { setJITPolicy?: (scale: number) => void } } };
  runtime?.unsafe?.setJITPolicy?.(1);
}
