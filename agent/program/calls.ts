/** What an agent's socket answers: how it is, and when everything up to a revision is in effect. */
import { FairleadError } from "../../lib/errors.ts";
import {
  type AgentPartStatus,
  type AgentStatus,
  SYNC_LIMIT_MS,
  type SyncAnswer,
  type SyncRequest,
} from "../../lib/rpc/agent-api.ts";
import { VERSION } from "../../lib/version.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import type { AgentMetrics } from "./metrics.ts";
import { TextAnswer } from "./socket.ts";

/** How long the service may take to say that it is there, for a status. */
const STATUS_LIMIT_MS = 2_000;
/** How long the parts may take to look afresh, for a status. What they saw before is told then. */
const REFRESH_LIMIT_MS = 3_000;

export class Calls {
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
    const revision = await this.#revisionOf(request);
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
    return { revision, problems: this.#parts.flatMap((part) => part.problems?.() ?? []) };
  }

  /** One of the log that is followed is waited for as it is; any other may be of a store that took the place of the one before. */
  async #revisionOf({ revision, logId }: SyncRequest): Promise<number> {
    const { feed } = this.#context;
    if (revision !== undefined && logId === feed.logId && revision >= feed.revision) return revision;
    const expired = () => syncTimeout(revision ?? 0, ["service"]);
    const newest = await within(SYNC_LIMIT_MS, feed.newest(), expired);
    return revision ?? newest;
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
