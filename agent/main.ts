/**
 * The agent as a program: what `fairlead agent` and `fairlead dev` run.
 *
 * It is a feed of the service's events, a list of parts that act on it, and a socket that tells how far they are.
 * `setns` never happens here: threads that are started meanwhile would stay in the wrong namespace.
 */
import { systemClock } from "../lib/clock.ts";
import { type Closers, startOrClose } from "../lib/daemon/closers.ts";
import { type Daemon, readConfigFile, runDaemon } from "../lib/daemon/run.ts";
import { asFairleadError, FairleadError } from "../lib/errors.ts";
import type { IpamService } from "../lib/ipam/api.ts";
import type { Logger } from "../lib/log.ts";
import {
  type AgentPartStatus,
  type AgentStatus,
  SYNC_LIMIT_MS,
  type SyncAnswer,
  type SyncRequest,
} from "../lib/rpc/agent-api.ts";
import { VERSION } from "../lib/version.ts";
import { type AgentConfig, parseAgentConfig } from "./config.ts";
import { ServiceFeed, watchInProcess } from "./feed.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { AgentContext, AgentPart } from "./part.ts";
import { connectService, type ServiceAccess } from "./service-client.ts";
import { listen, TextAnswer } from "./socket.ts";

export { type AgentConfig, CONFIG_KEYS, parseAgentConfig } from "./config.ts";

/** How long the service may take to say that it is there, for a status. */
const STATUS_LIMIT_MS = 2_000;
/** How long the parts may take to look afresh, for a status. What they saw before is told then. */
const REFRESH_LIMIT_MS = 3_000;

/** A part, and whether it is wanted. */
export interface PartEntry {
  readonly name: string;
  isWanted(config: AgentConfig): boolean;
  /** Loads the part and starts it. It must not wait for the service, which may come later. */
  start(context: AgentContext): Promise<AgentPart>;
}

/** In the order in which they are started. They are closed in reverse. */
const PARTS: readonly PartEntry[] = [
  {
    name: "workers",
    isWanted: ({ workers }) => workers > 0,
    start: async (context) => (await import("./workers.ts")).startWorkers(context),
  },
  {
    name: "networks",
    isWanted: ({ networks }) => networks.enabled,
    start: async (context) => (await import("./networks/main.ts")).startNetworks(context),
  },
  {
    name: "attachments",
    isWanted: ({ networks }) => networks.enabled,
    start: async (context) => (await import("./attachments/main.ts")).startAttachments(context),
  },
  {
    name: "dns",
    isWanted: ({ dns }) => dns.enabled,
    start: async (context) => (await import("./dns/main.ts")).startNames(context),
  },
  {
    name: "reaper",
    isWanted: ({ reaper }) => reaper.enabled,
    start: async (context) => (await import("./reaper.ts")).startReaper(context),
  },
  {
    name: "recovery",
    isWanted: () => true,
    start: async (context) => (await import("./recovery.ts")).startRecovery(context),
  },
];

/**
 * Reads a configuration file.
 * @throws not-found, io-failure, decode-failure, invalid-config with every problem in it.
 */
export function loadAgentConfig(file: string): AgentConfig {
  return parseAgentConfig(readConfigFile(file, "conf/agent.yaml"), file);
}

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly logger: Logger;
  /** The service where it is in this process; otherwise the agent connects to `serverSocket`. */
  readonly service?: IpamService;
  /** Default: all that there are. */
  readonly parts?: readonly PartEntry[];
}

export interface RunningAgent extends Daemon {
  /** Path of the agent's socket. */
  readonly socket: string;
  status(): Promise<AgentStatus>;
  /**
   * Resolves when all parts have applied the revision, by default the service's newest.
   * @throws timeout after ten seconds, naming who is not there yet; unavailable when the service cannot be asked.
   */
  sync(request?: SyncRequest): Promise<SyncAnswer>;
}

/** Runs an agent until it is told to end, and returns the exit status of the process, as `runDaemon` says. */
export function serveAgent(options: AgentOptions): Promise<number> {
  const { logger } = options;
  return runDaemon({
    title: "fairlead agent",
    logger,
    start: () => startAgent(options),
    onReady: ({ socket }) => logger.info({ socket }, "fairlead agent: ready"),
  });
}

/**
 * Starts an agent. When it fails, nothing is left running and the reason is thrown. The service need not be there yet.
 * @throws FairleadError: what keeps it from starting, and what to do.
 */
export function startAgent(options: AgentOptions): Promise<RunningAgent> {
  return startOrClose((closers) => start(options, closers));
}

async function start(
  { config, logger, service, parts: entries = PARTS }: AgentOptions,
  closers: Closers,
): Promise<RunningAgent> {
  const access = service ? inProcess(service) : connectService(config.serverSocket);
  closers.add(async () => access.close());
  const info = () => access.service.info();
  const feed = new ServiceFeed({ info, watch: access.watch, logger });
  closers.add(async () => feed.close());
  feed.start();
  const failure = Promise.withResolvers<FairleadError>();
  const context: AgentContext = {
    service: access.service,
    feed,
    config,
    logger,
    clock: systemClock,
    caller: { actor: `node:${config.nodeName}`, node: config.nodeName },
    onFatal: failure.resolve,
  };
  const parts = await startParts(context, entries, closers);
  const calls = new Calls(context, parts);
  closers.add(await listen(config.socket, calls, logger));
  return {
    socket: config.socket,
    failed: failure.promise,
    close: () => closers.close(),
    status: () => calls.status(),
    sync: (request = {}) => calls.sync(request),
  };
}

function inProcess(service: IpamService): ServiceAccess {
  return { service, watch: watchInProcess(service), close: () => {} };
}

async function startParts(
  context: AgentContext,
  entries: readonly PartEntry[],
  closers: Closers,
): Promise<AgentPart[]> {
  const parts: AgentPart[] = [];
  for (const { name, isWanted, start: startPart } of entries) {
    if (!isWanted(context.config)) continue;
    try {
      const part = await startPart(context);
      closers.add(() => part.close());
      parts.push(part);
    } catch (thrown) {
      const error = asFairleadError(thrown, "start part of agent", name);
      context.logger.error({ part: name, reason: error.message }, "agent: part cannot start");
      throw error;
    }
  }
  return parts;
}

/** What the socket answers. */
class Calls {
  readonly #context: AgentContext;
  readonly #parts: readonly AgentPart[];
  readonly #startedAt: string;
  #metrics: AgentMetrics | undefined;

  constructor(context: AgentContext, parts: readonly AgentPart[]) {
    this.#context = context;
    this.#parts = parts;
    this.#startedAt = new Date(context.clock.now()).toISOString();
  }

  /** With a fresh look at everything, unless what was seen last is enough. */
  async status({ fresh = true } = {}): Promise<AgentStatus> {
    const { config, feed } = this.#context;
    const [reason] = await Promise.all([this.#serviceTrouble(), fresh && this.#refresh()]);
    return {
      version: VERSION,
      nodeName: config.nodeName,
      startedAt: this.#startedAt,
      service: { connected: reason === "", revision: feed.revision, reason },
      parts: await this.#partStatuses(),
    };
  }

  /** The library is loaded when somebody asks for the first time. */
  async metrics(): Promise<TextAnswer> {
    this.#metrics ??= (await import("./metrics.ts")).createAgentMetrics();
    const { contentType } = this.#metrics;
    return new TextAnswer(contentType, await this.#metrics.render(await this.status({ fresh: false })));
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    const { feed } = this.#context;
    const newest = await within(SYNC_LIMIT_MS, feed.newest(), () =>
      syncTimeout(request.revision ?? 0, ["service"]),
    );
    const { revision = newest } = request;
    const pending = new Set(["events of the service"]);
    const applied = async (): Promise<void> => {
      await feed.reached(revision);
      for (const { name } of this.#parts) pending.add(name);
      pending.delete("events of the service");
      await Promise.all(
        this.#parts.map((part) => part.applied(revision).then(() => void pending.delete(part.name))),
      );
    };
    await within(SYNC_LIMIT_MS, applied(), () => syncTimeout(revision, [...pending]));
    return { revision, problems: (await this.#partStatuses()).flatMap(({ problems }) => problems) };
  }

  async #partStatuses(): Promise<AgentPartStatus[]> {
    await Promise.all(this.#parts.map((part) => part.collect?.()));
    return this.#parts.map((part) => ({
      name: part.name,
      problems: part.problems?.() ?? [],
      figures: part.figures?.() ?? {},
    }));
  }

  /** What fails or takes too long is among the problems that a part tells of. */
  async #refresh(): Promise<void> {
    const looks = Promise.allSettled(this.#parts.map((part) => part.refresh?.()));
    await within(REFRESH_LIMIT_MS, looks, () => new Error("slow")).catch(() => {});
  }

  async #serviceTrouble(): Promise<string> {
    try {
      const asked = this.#context.service.info();
      await within(STATUS_LIMIT_MS, asked, () => new Error(`no answer within ${STATUS_LIMIT_MS} ms`));
      return this.#context.feed.trouble;
    } catch (thrown) {
      return (thrown as Error).message;
    }
  }
}

async function within<T>(limitMs: number, work: Promise<T>, expired: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(expired()), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function syncTimeout(revision: number, pending: readonly string[]): FairleadError {
  return new FairleadError({
    code: "timeout",
    operation: "wait for revision",
    object: String(revision),
    reason: `not in effect on this node after ${SYNC_LIMIT_MS} ms; still waited for: ${pending.join(", ")}`,
    hint: "see the log of the agent; it goes on trying",
    details: { revision, pending },
  });
}
