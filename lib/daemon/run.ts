/** What every daemon of Fairlead does around its work: signals, an orderly end with a limit, an exit status. */
import { readFileSync } from "node:fs";
import { FairleadError } from "../errors.ts";
import type { Logger } from "../log.ts";

/** What is under way when a daemon is told to end must be over by then. */
const SHUTDOWN_MS = 10_000;

/** Something that runs until it is closed. */
export interface Daemon {
  /** Settles only when it cannot go on; it is to be closed then, and the process to end. */
  readonly failed: Promise<FairleadError>;
  /** Finishes what is under way. Idempotent. */
  close(): Promise<void>;
}

export interface DaemonRun<D extends Daemon> {
  /** As the log calls it: "fairlead server". */
  readonly title: string;
  readonly logger: Logger;
  readonly start: () => Promise<D>;
  /** Called once it runs. */
  readonly onReady: (daemon: D) => void | Promise<void>;
}

/**
 * Runs a daemon until it is told to end, and returns the exit status of the process: 0 after SIGTERM or SIGINT,
 * 1 when it failed, when a second signal came, or when ending took longer than ten seconds.
 *
 * @throws FairleadError what keeps it from starting.
 */
export async function runDaemon<D extends Daemon>(run: DaemonRun<D>): Promise<number> {
  useNormalJit();
  const signals = new Signals();
  try {
    const daemon = await run.start();
    await run.onReady(daemon);
    return await untilTheEnd(daemon, signals, run);
  } finally {
    signals.ignore();
  }
}

async function untilTheEnd(
  daemon: Daemon,
  signals: Signals,
  { title, logger }: Pick<DaemonRun<Daemon>, "title" | "logger">,
): Promise<number> {
  const cause = await Promise.race([signals.next(), daemon.failed, uncaught()]);
  if (typeof cause === "string") logger.info({ signal: cause }, `${title}: ending`);
  else logger.error({ err: cause }, `${title}: cannot go on, ending`);
  const status = typeof cause === "string" ? 0 : 1;
  const overdue = new Promise<string>((resolve) => setTimeout(resolve, SHUTDOWN_MS, "overdue").unref());
  const second = signals.next().then(() => "second signal");
  const closed = daemon.close().then(() => null);
  const hurry = await Promise.race([closed, second, overdue]);
  if (hurry === null) {
    logger.info({}, `${title}: ended`);
    return status;
  }
  logger.error({ reason: hurry }, `${title}: ended before all calls were over`);
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
 * milliseconds. A daemon wants the usual one: it serves three times as much.
 */
function useNormalJit(): void {
  const { Bun: runtime } = globalThis as { Bun?: { unsafe?: { setJITPolicy?: (scale: number) => void } } };
  runtime?.unsafe?.setJITPolicy?.(1);
}

/**
 * The text of a configuration file. `sample` names the one to begin with.
 * @throws not-found, io-failure
 */
export function readConfigFile(file: string, sample: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new FairleadError({
      code: missing ? "not-found" : "io-failure",
      operation: "read configuration",
      object: file,
      reason: missing ? "there is no such file" : (cause as Error).message,
      hint: `name a readable file with --config; ${sample} is a sample`,
      cause,
    });
  }
}
