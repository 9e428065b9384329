/**
 * An agent of some parts: a feed of the service's events, the parts that act on it, and a socket that tells how far they are.
 *
 * `setns` never happens here: threads that are started meanwhile would stay in the wrong namespace.
 */
import { systemClock } from "../../lib/clock.ts";
import { type Closers, startOrClose } from "../../lib/daemon/closers.ts";
import type { Daemon } from "../../lib/daemon/run.ts";
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import type { IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import type { AgentStatus, SyncAnswer, SyncRequest } from "../../lib/rpc/agent-api.ts";
import type { AgentConfig } from "../base/config.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { ServiceFeed, watchInProcess } from "../reconcile/feed.ts";
import { Calls } from "./calls.ts";
import { connectService, type ServiceAccess } from "./service-client.ts";
import { listen } from "./socket.ts";

/** A part, and whether it is wanted. */
export interface PartEntry {
  readonly name: string;
  isWanted(config: AgentConfig): boolean;
  /** Loads the part and starts it. It must not wait for the service, which may come later. */
  start(context: AgentContext): Promise<AgentPart>;
}

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly logger: Logger;
  /** The service where it is in this process; otherwise the agent connects to `serverSocket`. */
  readonly service?: IpamService;
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

/**
 * Starts an agent of those of `entries` that its configuration wants. When it fails, nothing is left running and the reason is thrown. The service need not be there yet.
 * @throws FairleadError: what keeps it from starting, and what to do.
 */
export function startAgentOf(entries: readonly PartEntry[], options: AgentOptions): Promise<RunningAgent> {
  return startOrClose((closers) => start(entries, options, closers));
}

async function start(
  entries: readonly PartEntry[],
  { config, logger, service }: AgentOptions,
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
