/** What the agent is made of: parts that each keep one thing on this node equal to the service's state. */
import type { Clock } from "../../lib/clock.ts";
import type { FairleadError } from "../../lib/errors.ts";
import type { Caller, IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { ServiceFeed } from "../reconcile/feed.ts";
import type { AgentConfig } from "./config.ts";

/** The service as the agent uses it: the service itself under `fairlead dev`, the client of its socket otherwise. */
export type NodeService = Pick<
  IpamService,
  | "listNetworks"
  | "getNetwork"
  | "listLeases"
  | "listEndpoints"
  | "listEvents"
  | "watchEvents"
  | "release"
  | "gc"
  | "info"
>;

export interface AgentContext {
  readonly service: NodeService;
  /** Events of the service, with a word when everything must be listed anew. */
  readonly feed: ServiceFeed;
  readonly config: AgentConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  /** On whose behalf the agent calls the service. */
  readonly caller: Caller;
  /** To be called by a part that cannot go on: the agent ends, and says why. */
  readonly onFatal: (error: FairleadError) => void;
}

/** One running part of the agent. */
export interface AgentPart {
  readonly name: string;
  /**
   * Resolves once everything up to `revision` is in effect on this node, or is one of {@link problems}. Called after
   * the feed has handed over `revision`.
   */
  applied(revision: number): Promise<void>;
  /** Fetches {@link problems} and {@link figures} from where they are known; never rejects. Absent: that is here. */
  collect?(): Promise<void>;
  /** What is not as it should be, and why. Absent: the part has none. */
  problems?(): readonly AgentProblem[];
  /** Looks afresh, so that {@link problems} tells of now. Absent: it always does. */
  refresh?(): Promise<void>;
  /** What it has done since it started, and how much there is of what it keeps. Absent: the part does not count. */
  figures?(): Readonly<Record<string, number>>;
  /** Leaves what it made on the node. Idempotent. */
  close(): Promise<void>;
}
