/** The agent as its callers see it: what crosses its socket. Plain JSON. */

/** Something on this node that is not as it should be, and that the agent keeps trying to mend. */
export interface AgentProblem {
  /** "error": something does not work. "warning": something may not. */
  readonly severity: "error" | "warning";
  /** What it is about: a network's name, a chain. */
  readonly object: string;
  /** What is wrong and what helps, in a sentence. */
  readonly message: string;
}

export interface AgentPartStatus {
  readonly name: string;
  readonly problems: readonly AgentProblem[];
  /** Counters since the start, and present sizes, by name. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Answer of `GET /v1/agent/status`. */
export interface AgentStatus {
  readonly version: string;
  readonly nodeName: string;
  readonly startedAt: string;
  readonly service: {
    /** False while the service cannot be reached. */
    readonly connected: boolean;
    /** Revision of the last event that was seen. */
    readonly revision: number;
    /** Why it is not connected; empty otherwise. */
    readonly reason: string;
  };
  readonly parts: readonly AgentPartStatus[];
}

/** Body of `POST /v1/agent/sync`. */
export interface SyncRequest {
  /** Default: the service's newest. */
  readonly revision?: number;
  /** Log that the revision is of. Whoever names it has asked the service: an agent that follows the same log does not ask again. */
  readonly logId?: string;
}

/** Answer of `POST /v1/agent/sync`: everything up to `revision` is in effect on this node, but for the problems. */
export interface SyncAnswer {
  readonly revision: number;
  readonly problems: readonly AgentProblem[];
}

export const AGENT_PATHS = {
  status: "/v1/agent/status",
  sync: "/v1/agent/sync",
  /** In the Prometheus text format. */
  metrics: "/metrics",
} as const;

/** Longest wait of a sync, in milliseconds. */
export const SYNC_LIMIT_MS = 10_000;
