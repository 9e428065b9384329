/**
 * One pass at a time, as many as there is work for: on request, again after a failure, and every ten seconds.
 *
 * A key of a work queue, and up to which revision everything was applied. Requests that come while a pass runs are one pass afterwards.
 */
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import type { Event } from "../../lib/ipam/api.ts";
import { Progress } from "./progress.ts";
import { WorkQueue } from "./work-queue.ts";

/** A network that something has to be done about, because of an event, or again because it failed. */
export interface Change extends Pick<Event, "networkId" | "networkName"> {
  readonly kind: Event["kind"] | "retry";
}

/** Everything, or the networks that these changes are about. */
export type Work = "all" | readonly Change[];

export interface PassLoopOptions {
  /** Revision of the last event that was handed over. */
  readonly revision: () => number;
  /** Rejects when it could not be done and is to be tried again. */
  readonly pass: (work: Work) => Promise<void>;
  readonly onFailure: (error: FairleadError) => void;
  /** Between passes over everything. */
  readonly intervalMs?: number;
  /** Before a pass that failed is tried again; doubles up to the interval. */
  readonly retryMs?: number;
}

const INTERVAL_MS = 10_000;
const RETRY_MS = 200;
/** The only key. */
const PASS = "pass";

function merged(before: Work, later: Work): Work {
  return before === "all" || later === "all" ? "all" : [...before, ...later];
}

export class PassLoop {
  readonly #options: PassLoopOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #queue: WorkQueue<Work>;
  readonly #progress = new Progress(0);
  #restarts = 0;

  constructor(options: PassLoopOptions) {
    this.#options = options;
    const { intervalMs = INTERVAL_MS, retryMs = RETRY_MS } = options;
    this.#queue = new WorkQueue({
      limits: { firstMs: retryMs, mostMs: intervalMs },
      merge: merged,
      work: (_key, work) => this.#pass(work),
      onFailure: ({ thrown }) => options.onFailure(asFairleadError(thrown, "apply networks")),
    });
    this.#timer = setInterval(() => this.request("all"), intervalMs);
  }

  get isRunning(): boolean {
    return this.#queue.isRunning(PASS);
  }

  /** What failed before and waits is done along with it. */
  request(work: "all" | Change): void {
    void this.#queue.wantNow(PASS, work === "all" ? "all" : [work]);
  }

  /** Everything is to be done anew, and revisions may be those of another log: nothing of it has been applied. */
  restart(): void {
    this.#progress.restart();
    this.#restarts++;
    this.request("all");
  }

  /** An event came that asks for no work. */
  note(): void {
    if (this.#queue.isIdle) this.#progress.advance(this.#options.revision());
  }

  /** Resolves once a pass has applied everything up to `revision`. */
  applied(revision: number): Promise<void> {
    return this.#progress.reached(revision);
  }

  /** Waits for the pass that is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#queue.close();
  }

  async #pass(work: Work): Promise<void> {
    const revision = this.#options.revision();
    const restarts = this.#restarts;
    await this.#options.pass(work);
    // What a pass did that began before a restart says nothing about revisions after it.
    if (restarts !== this.#restarts) return;
    this.#progress.advance(this.#queue.isWanted(PASS) ? revision : this.#options.revision());
  }
}
