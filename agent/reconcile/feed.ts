/**
 * Events of the service for the parts of the agent.
 *
 * A part that follows events alone is wrong for ever once it missed one. So the feed tells its listeners when to list
 * everything anew: at the start, and whenever its place in the service's log is gone (compacted, or another store).
 * A connection that breaks, and a service that restarts, lose no place: watching goes on where it was.
 */
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { Event, EventPlace, IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import type { PauseLimits } from "../../lib/pauses.ts";
import { Progress } from "./progress.ts";
import { type Again, WorkQueue } from "./work-queue.ts";

const RETRY: PauseLimits = { firstMs: 100, mostMs: 5_000 };
/** The only key of the feed's queue. */
const SERVICE = "service";

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
  /** Pauses between attempts. */
  readonly retry?: PauseLimits;
}

export class ServiceFeed {
  readonly #options: FeedOptions;
  readonly #listeners = new Set<FeedListener>();
  /** Its work is to follow the service until that cannot go on. */
  readonly #queue: WorkQueue;
  #isClosed = false;
  /** What was handed over; nothing before the service was reached for the first time. */
  readonly #handed = new Progress();
  /** The log that the revision is of. */
  #logId = "";
  #trouble = "the service was not reached yet";
  /** Ends the watch that is under way. */
  #interrupt = (): void => {};
  #awaitingReset: (() => void)[] = [];

  constructor(options: FeedOptions) {
    this.#options = options;
    const limits = options.retry ?? RETRY;
    this.#queue = new WorkQueue({
      limits,
      work: () => this.#follow({ inMs: limits.firstMs }),
      onFailure: ({ thrown }) => this.#report(asFairleadError(thrown, "follow the service")),
    });
  }

  /** Revision of the last event that was handed over; 0 while the service was never reached. */
  get revision(): number {
    return Math.max(this.#handed.revision, 0);
  }

  get #wasReached(): boolean {
    return this.#handed.revision >= 0;
  }

  /** The log that {@link revision} is of; empty before the service was reached. */
  get logId(): string {
    return this.#logId;
  }

  /** Why there are no events; empty while there may be some. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Begins to follow the service, and goes on until it is closed. */
  start(): void {
    this.#queue.want(SERVICE);
  }

  /** Returns the function that ends it. The listener is reset at once if the service was reached already. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    if (this.#wasReached) listener.onReset(this.revision);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when everything up to `revision` was handed over. Never, if the service never gets there. */
  reached(revision: number): Promise<void> {
    return this.#handed.reached(revision);
  }

  /**
   * Asks for the service's newest revision. One of another log, or that is older than what was handed over before, is of
   * another store: everything is listed anew then, and this resolves when the listeners were told.
   * @throws unavailable
   */
  async newest(): Promise<number> {
    const seen = this.revision;
    const { revision, logId } = await this.#options.info();
    const isOther = this.#wasReached && logId !== this.#logId;
    if (isOther || (revision < seen && this.revision === seen)) await this.#startOver();
    return revision;
  }

  #startOver(): Promise<void> {
    return new Promise((resolve) => {
      this.#awaitingReset.push(resolve);
      this.#interrupt();
    });
  }

  close(): void {
    this.#isClosed = true;
    void this.#queue.close();
    this.#interrupt();
    this.#listeners.clear();
  }

  /** Rejects when there are no events any more; resolves when it was interrupted. */
  async #follow(again: Again): Promise<Again | undefined> {
    const { revision, logId } = await this.#options.info();
    if (this.#isClosed) return undefined;
    this.#reset({ revision, logId });
    this.#queue.calm(SERVICE);
    await this.#watch({ revision, logId });
    return again;
  }

  /** Said once for each thing that goes wrong: the service may be away for hours. */
  #report(error: FairleadError): void {
    if (error.message === this.#trouble) return;
    this.#trouble = error.message;
    this.#options.logger.warn({ reason: error.message }, "agent: no events from the service, trying again");
  }

  #reset({ revision, logId }: Required<EventPlace>): void {
    if (this.#wasReached) this.#options.logger.info({ revision }, "agent: list everything anew");
    this.#trouble = "";
    this.#logId = logId;
    // Who waits goes on after this, when the listeners have been told.
    this.#handed.advance(revision);
    for (const listener of this.#listeners) listener.onReset(revision);
    for (const resolve of this.#awaitingReset.splice(0)) resolve();
  }

  /** Watches until that ends, and rejects with why it did; resolves when it was interrupted, or the feed was closed. */
  #watch(since: EventPlace): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const stop = this.#options.watch(since, (event) => this.#take(event), ended.reject);
    this.#interrupt = () => {
      stop();
      ended.resolve();
    };
    return ended.promise.finally(() => {
      this.#interrupt = () => {};
    });
  }

  #take(event: Event): void {
    this.#handed.advance(event.revision);
    for (const listener of this.#listeners) listener.onEvent(event);
  }
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
