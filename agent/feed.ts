/**
 * Events of the service for the parts of the agent.
 *
 * A part that follows events alone is wrong for ever once it missed one. So the feed tells its listeners when to list
 * everything anew: at the start, and whenever its place in the service's log is gone (compacted, or another store).
 * A connection that breaks, and a service that restarts, lose no place: watching goes on where it was.
 */
import { asFairleadError, FairleadError } from "../lib/errors.ts";
import type { Event, EventPlace, IpamService } from "../lib/ipam/api.ts";
import type { Logger } from "../lib/log.ts";

const RETRY_MS = { first: 100, most: 5_000 };

export interface FeedListener {
  /** List anew: what is listed from now on holds everything up to `revision`, and `onEvent` tells what comes after. */
  onReset(revision: number): void;
  /** Each event, in order, each once. Must not throw and must not block. */
  onEvent(event: Event): void;
}

/** Starts to watch after `since`; `onEnd` is called once when that cannot go on. Returns what stops it. */
export type Watch = (
  since: EventPlace,
  onEvent: (event: Event) => void,
  onEnd: (error: FairleadError) => void,
) => () => void;

export interface FeedOptions {
  readonly info: IpamService["info"];
  readonly watch: Watch;
  readonly logger: Logger;
  /** Pauses between attempts, doubling from the first to the most. */
  readonly retryMs?: { readonly first: number; readonly most: number };
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

export class ServiceFeed {
  readonly #options: FeedOptions;
  readonly #listeners = new Set<FeedListener>();
  readonly #closing = new AbortController();
  #waiters: Waiter[] = [];
  /** Of the last event that was handed over; null before the service was reached for the first time. */
  #revision: number | null = null;
  /** The log that the revision is of. */
  #logId = "";
  #trouble = "the service was not reached yet";
  /** Ends the watch that is under way. */
  #interrupt: (() => void) | null = null;
  #awaitingReset: (() => void)[] = [];

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Revision of the last event that was handed over; 0 while the service was never reached. */
  get revision(): number {
    return this.#revision ?? 0;
  }

  /** Why there are no events; empty while there may be some. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Begins to follow the service, and goes on until it is closed. */
  start(): void {
    void this.#run();
  }

  /** Returns the function that ends it. The listener is reset at once if the service was reached already. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    if (this.#revision !== null) listener.onReset(this.#revision);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when everything up to `revision` was handed over. Never, if the service never gets there. */
  reached(revision: number): Promise<void> {
    if (this.#revision !== null && this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }));
  }

  /**
   * Asks for the service's newest revision. One of another log, or that is older than what was handed over before, is of
   * another store: everything is listed anew then, and this resolves when the listeners were told.
   * @throws unavailable
   */
  async newest(): Promise<number> {
    const seen = this.revision;
    const { revision, logId } = await this.#options.info();
    const isOther = this.#revision !== null && logId !== this.#logId;
    if (isOther || (revision < seen && this.#revision === seen)) await this.#startOver();
    return revision;
  }

  #startOver(): Promise<void> {
    return new Promise((resolve) => {
      this.#awaitingReset.push(resolve);
      this.#interrupt?.();
    });
  }

  close(): void {
    this.#closing.abort();
    this.#listeners.clear();
  }

  async #run(): Promise<void> {
    const { first, most } = this.#options.retryMs ?? RETRY_MS;
    const { signal } = this.#closing;
    for (let pauseMs = first; !signal.aborted; pauseMs = Math.min(2 * pauseMs, most)) {
      try {
        const { revision, logId } = await this.#options.info();
        if (signal.aborted) return;
        this.#reset({ revision, logId });
        pauseMs = first;
        this.#report(await this.#watch({ revision, logId }));
      } catch (thrown) {
        this.#report(asFairleadError(thrown, "follow the service"));
      }
      await pause(pauseMs, signal);
    }
  }

  /** Said once for each thing that goes wrong: the service may be away for hours. */
  #report(error: FairleadError | null): void {
    if (error === null || error.message === this.#trouble) return;
    this.#trouble = error.message;
    this.#options.logger.warn({ reason: error.message }, "agent: no events from the service, trying again");
  }

  #reset({ revision, logId }: Required<EventPlace>): void {
    if (this.#revision !== null) this.#options.logger.info({ revision }, "agent: list everything anew");
    this.#trouble = "";
    this.#revision = revision;
    this.#logId = logId;
    for (const listener of this.#listeners) listener.onReset(revision);
    for (const resolve of this.#awaitingReset.splice(0)) resolve();
    this.#wake();
  }

  /** Watches until that ends. Null: it was interrupted, or the feed was closed. */
  #watch(since: EventPlace): Promise<FairleadError | null> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      const stop = this.#options.watch(since, (event) => this.#take(event), resolve);
      const close = (): void => {
        stop();
        resolve(null);
      };
      this.#interrupt = close;
      signal.addEventListener("abort", close, { once: true });
      if (signal.aborted) close();
    });
  }

  #take(event: Event): void {
    this.#revision = event.revision;
    for (const listener of this.#listeners) listener.onEvent(event);
    this.#wake();
  }

  #wake(): void {
    const revision = this.#revision ?? 0;
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const { resolve } of due) resolve();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

/** {@link Watch} over a service in this process, whose watch never ends by itself. */
export function watchInProcess(service: Pick<IpamService, "watchEvents">): Watch {
  return (since, onEvent, onEnd) => {
    try {
      return service.watchEvents(since, onEvent);
    } catch (thrown) {
      const error = thrown instanceof FairleadError ? thrown : asFairleadError(thrown, "watch events");
      onEnd(error);
      return () => {};
    }
  };
}
