/**
 * One pass at a time, as many as there is work for: on request, again after a failure, and every ten seconds.
 *
 * Knows up to which revision everything was applied. Requests that come while a pass runs are one pass afterwards.
 */
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import type { Event } from "../../lib/ipam/api.ts";

/** Everything, or the networks that these events are about. No events: nothing. */
export type Work = "all" | readonly Event[];

function isSome(work: Work): boolean {
  return work === "all" || work.length > 0;
}

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

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

export class PassLoop {
  readonly #options: PassLoopOptions;
  readonly #intervalMs: number;
  readonly #timer: NodeJS.Timeout;
  #work: Work = [];
  #running: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #failures = 0;
  #applied = 0;
  #waiters: Waiter[] = [];
  #isClosed = false;
  #restarts = 0;

  constructor(options: PassLoopOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.#timer = setInterval(() => this.request("all"), this.#intervalMs);
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  request(work: "all" | Event): void {
    this.#add(work === "all" ? "all" : [work]);
    this.#start();
  }

  /** Everything is to be done anew, and revisions may be those of another log: nothing of it has been applied. */
  restart(): void {
    this.#applied = -1;
    this.#restarts++;
    this.request("all");
  }

  /** An event came that asks for no work. */
  note(): void {
    if (this.#running === null && !isSome(this.#work)) this.#settle(this.#options.revision());
  }

  /** Resolves once a pass has applied everything up to `revision`. */
  applied(revision: number): Promise<void> {
    if (this.#applied >= revision) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }));
  }

  /** Waits for the pass that is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    if (this.#retry) clearTimeout(this.#retry);
    await this.#running;
  }

  #add(work: Work): void {
    this.#work = this.#work === "all" || work === "all" ? "all" : [...this.#work, ...work];
  }

  #start(): void {
    if (this.#running !== null || this.#isClosed) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
  }

  async #run(): Promise<void> {
    while (isSome(this.#work) && !this.#isClosed) {
      const work = this.#work;
      this.#work = [];
      const revision = this.#options.revision();
      const restarts = this.#restarts;
      try {
        await this.#options.pass(work);
        this.#failures = 0;
        // What a pass did that began before a restart says nothing about revisions after it.
        if (restarts === this.#restarts) {
          this.#settle(isSome(this.#work) ? revision : this.#options.revision());
        }
      } catch (thrown) {
        this.#add(work);
        this.#options.onFailure(asFairleadError(thrown, "apply networks"));
        this.#retryLater();
        return;
      }
    }
  }

  #retryLater(): void {
    const { retryMs = RETRY_MS } = this.#options;
    const pauseMs = Math.min(retryMs * 2 ** this.#failures++, this.#intervalMs);
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#start(), pauseMs);
  }

  #settle(revision: number): void {
    this.#applied = revision;
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const { resolve } of due) resolve();
  }
}
