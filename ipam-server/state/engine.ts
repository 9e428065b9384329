/**
 * The one writer: takes requests, applies them to the state in the order in which they came, commits them in
 * groups, and answers.
 *
 * Design: a request is a function over a {@link Transaction}. A group is staged (each request sees the effects
 * of those before it; one that throws is taken back and spoils nothing), committed as one store transaction,
 * and answered. Refusals wait for the commit too, because they may rest on what is being committed. When the
 * commit fails everything is taken back, newest first, and each caller of the group gets `unavailable`.
 *
 * Grouping needs no timer. A group is begun in the event loop's check phase, after all sockets that were ready
 * have been read: what arrived while the last commit ran is there by then, and a lone caller waits for nobody.
 *
 * Reads wait for a commit that is under way, so nobody ever sees what may yet be taken back.
 */

import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import { type EventRecord, isFatal, type LeaseStore, storeFailureOf } from "../../lib/ipam/store.ts";
import type { Logger } from "../../lib/log.ts";
import type { GroupFigures } from "../fronts/group-metrics.ts";
import type { State } from "./state.ts";
import type { SteadyClock } from "./steady-clock.ts";
import { Staging, Transaction } from "./transaction.ts";

/** Largest group unless configured. Measured: 64 to 256 hardly differ in throughput, latency grows with it. */
export const DEFAULT_MAX_GROUP = 128;
/** A group is closed when staging it has taken so long, unless configured otherwise. */
export const DEFAULT_MAX_GROUP_MS = 2;
/** After a commit failed for lack of space or by I/O, changes are refused so long; then the next group tries. */
const RETRY_AFTER_MS = 1000;
/** Requests that may wait at once; more would only time out where they came from. */
const LONGEST_QUEUE = 16_384;

export interface EngineOptions {
  readonly state: State;
  readonly store: LeaseStore;
  readonly clock: SteadyClock;
  readonly logger: Logger;
  readonly maxGroup: number;
  readonly maxGroupMs: number;
  /** Called after each commit, with its events in order, before the callers are answered. */
  readonly onCommitted: (events: readonly EventRecord[]) => void;
  readonly onFatal: (error: FairleadError) => void;
  /** Told of each group once its callers have their answers on the way. */
  readonly onGroup: (figures: GroupFigures) => void;
}

interface Pending {
  /** By a monotonic clock, in milliseconds. */
  readonly since: number;
  readonly actor: string;
  readonly apply: (transaction: Transaction) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly value: unknown } | { readonly error: FairleadError };

export class Engine {
  readonly #options: EngineOptions;
  #queue: Pending[] = [];
  /** True from the moment that a group is scheduled until its callers are answered. */
  #isRunning = false;
  /** The commit under way, for stores that commit asynchronously. */
  #commit: Promise<void> | null = null;
  #fatal: FairleadError | null = null;
  #failure: { readonly error: FairleadError; readonly retryAtMs: number } | null = null;
  #isClosed = false;
  #groups = 0;
  #idle: (() => void)[] = [];

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Groups of changes that were begun, whatever came of them: long reads make way for them (slices.ts). */
  get groups(): number {
    return this.#groups;
  }

  /** Why changes are refused at present, or null. */
  get impediment(): FairleadError | null {
    return this.#fatal ?? this.#failure?.error ?? null;
  }

  /**
   * Applies a change and answers when it is durable. `apply` must be synchronous and must change the state
   * through its transaction only; what it throws is the caller's answer, and takes back what it did.
   *
   * @throws unavailable when the change could not be made durable: then nothing of it is left, or, where
   *   flushing failed, it is unknown whether the next server will find it. Repeating it is safe.
   */
  write<T>(actor: string, apply: (transaction: Transaction) => T): Promise<T> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        since: performance.now(),
        actor,
        apply,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.#schedule();
    });
  }

  /** Reads a state in which everything is durable. */
  async read<T>(query: (state: State, nowMs: number) => T): Promise<T> {
    while (this.#commit !== null) await this.#commit;
    return query(this.#options.state, this.#options.clock.now());
  }

  /** Answers what a change would answer, and takes it back. */
  async preview<T>(actor: string, apply: (transaction: Transaction) => T): Promise<T> {
    while (this.#commit !== null) await this.#commit;
    const staging = new Staging(this.#options.state);
    const start = staging.savepoint();
    try {
      return apply(this.#transaction(staging, actor));
    } finally {
      staging.rollBack(start);
    }
  }

  /** Refuses new changes, and waits until those accepted are answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #transaction(staging: Staging, actor: string): Transaction {
    return new Transaction(staging, { actor, nowMs: this.#options.clock.now() });
  }

  #refusal(): FairleadError | null {
    if (this.#isClosed) return unavailable("the service is shutting down", "try again when it is back");
    if (this.#fatal !== null) return this.#fatal;
    if (this.#queue.length >= LONGEST_QUEUE) {
      return unavailable(`${LONGEST_QUEUE} requests are waiting already`, "try again later");
    }
    const isPaused = this.#failure !== null && this.#options.clock.now() < this.#failure.retryAtMs;
    return isPaused ? this.impediment : null;
  }

  #schedule(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#runGroup());
  }

  #runGroup(): void {
    this.#groups += 1;
    const staging = new Staging(this.#options.state);
    const start = staging.savepoint();
    const begunAt = performance.now();
    const { group, outcomes } = this.#stageGroup(staging);
    const stagedAt = performance.now();
    const tell = (committedMs: number | null): void => {
      const waitedMs = begunAt - (group[0]?.since ?? begunAt);
      const stagedMs = stagedAt - begunAt;
      this.#options.onGroup({ requests: group.length, waitedMs, stagedMs, committedMs });
    };
    if (staging.events.length === 0) {
      this.#answer(group, outcomes);
      tell(null);
      return;
    }
    const succeed = (): void => {
      const committedMs = performance.now() - stagedAt;
      this.#failure = null;
      this.#options.onCommitted(staging.events);
      this.#answer(group, outcomes);
      tell(committedMs);
    };
    const fail = (cause: unknown): void => {
      staging.rollBack(start);
      const error = this.#noteFailure(cause);
      this.#answer(
        group,
        group.map(() => ({ error })),
      );
      tell(null);
    };
    this.#commitGroup(staging, succeed, fail);
  }

  #stageGroup(staging: Staging): { group: Pending[]; outcomes: Outcome[] } {
    const { maxGroup, maxGroupMs } = this.#options;
    const outcomes: Outcome[] = [];
    const closesAt = performance.now() + maxGroupMs;
    for (const pending of this.#queue) {
      if (outcomes.length >= maxGroup || (outcomes.length > 0 && performance.now() > closesAt)) break;
      outcomes.push(this.#stageOne(staging, pending));
    }
    return { group: this.#queue.splice(0, outcomes.length), outcomes };
  }

  #stageOne(staging: Staging, { actor, apply }: Pending): Outcome {
    const savepoint = staging.savepoint();
    try {
      return { value: apply(this.#transaction(staging, actor)) };
    } catch (thrown) {
      staging.rollBack(savepoint);
      if (!(thrown instanceof FairleadError)) this.#options.logger.error({ err: thrown }, "request failed");
      return { error: asFairleadError(thrown, "serve request") };
    }
  }

  /** Stays synchronous when the store does: then no other code runs between staging and answering. */
  #commitGroup(staging: Staging, succeed: () => void, fail: (cause: unknown) => void): void {
    let commit: void | Promise<void>;
    try {
      commit = this.#options.store.commit(staging);
    } catch (cause) {
      fail(cause);
      return;
    }
    if (!(commit instanceof Promise)) {
      succeed();
      return;
    }
    this.#commit = commit.then(succeed, fail).finally(() => {
      this.#commit = null;
    });
  }

  #noteFailure(cause: unknown): FairleadError {
    const failure = storeFailureOf(cause);
    const what =
      failure === "sync"
        ? "whether the change is durable is unknown"
        : "the change could not be made durable and was taken back";
    const hint =
      failure === "full" ? "give the server's disk space; it recovers by itself" : "see the server's log";
    const error = unavailable(`${what}: ${cause instanceof Error ? cause.message : cause}`, hint, cause);
    this.#options.logger.error({ err: cause, storeFailure: failure }, "commit failed");
    if (failure === null || isFatal(failure)) this.#die(error);
    else this.#failure = { error, retryAtMs: this.#options.clock.now() + RETRY_AFTER_MS };
    return error;
  }

  #die(error: FairleadError): void {
    if (this.#fatal !== null) return;
    this.#fatal = error;
    for (const { reject } of this.#queue.splice(0)) reject(error);
    this.#options.onFatal(error);
  }

  #answer(group: readonly Pending[], outcomes: readonly Outcome[]): void {
    for (const [at, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined) reject(unavailable("no outcome", "report this fault"));
      else if ("error" in outcome) reject(outcome.error);
      else resolve(outcome.value);
    }
    this.#isRunning = false;
    if (this.#queue.length > 0) this.#schedule();
    else for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function unavailable(reason: string, hint: string, cause?: unknown): FairleadError {
  return new FairleadError({ code: "unavailable", operation: "change state", reason, hint, cause });
}
