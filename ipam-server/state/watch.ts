/** Watches: who gets which events, from what place in the log. */
import type { Event, EventPlace } from "../../lib/ipam/api.ts";
import type { EventRecord, LeaseStore } from "../../lib/ipam/store.ts";
import type { Logger } from "../../lib/log.ts";
import { checkLog, checkPlace } from "../store/queries.ts";
import { viewEvent } from "./views.ts";

/** Events read at once while a watcher catches up. */
const PAGE = 1000;

interface Watcher {
  readonly onEvent: (event: Event) => void;
  /** Revision of the last event that was handed over. */
  seen: number;
  /** True once it takes events from commits instead of from the store. */
  isLive: boolean;
  isStopped: boolean;
}

export interface WatchHubOptions {
  readonly store: LeaseStore;
  readonly logger: Logger;
  /** Revision of the newest event in the store when the service begins. */
  readonly newestRevision: number;
}

/**
 * Hands each event to each watcher, in order and once: first what the store holds since the watcher's resume
 * point, page by page, and from where that ends what is being committed.
 */
export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #watchers = new Set<Watcher>();
  /** Of the newest event that is durable. */
  #newest: number;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    this.#newest = options.newestRevision;
  }

  /**
   * @throws compacted when events after the place are gone, or it is in the future or of another log: it comes from
   *   another life of this store, and everything must be listed again.
   */
  watch({ revision: since, logId }: EventPlace, onEvent: (event: Event) => void): () => void {
    const newest = this.#newest;
    checkLog(this.#options.store, { since, logId });
    checkPlace(since, { newest, trimmed: this.#options.store.trimmedRevision });
    const watcher: Watcher = { onEvent, seen: since, isLive: since === newest, isStopped: false };
    this.#watchers.add(watcher);
    if (!watcher.isLive) void this.#catchUp(watcher);
    return () => this.#stop(watcher);
  }

  /** Hands over what was just committed. */
  publish(records: readonly EventRecord[]): void {
    this.#newest = records.at(-1)?.revision ?? this.#newest;
    const live = [...this.#watchers].filter(({ isLive }) => isLive);
    if (live.length === 0) return;
    const events = records.map(viewEvent);
    for (const watcher of live) this.#deliver(watcher, events);
  }

  close(): void {
    for (const watcher of this.#watchers) this.#stop(watcher);
  }

  #stop(watcher: Watcher): void {
    watcher.isStopped = true;
    this.#watchers.delete(watcher);
  }

  async #catchUp(watcher: Watcher): Promise<void> {
    try {
      while (!watcher.isStopped) {
        const page = await this.#options.store.readEvents({ since: watcher.seen, limit: PAGE });
        this.#deliver(watcher, page.map(viewEvent));
        watcher.isLive = watcher.seen >= this.#newest;
        if (watcher.isLive) return;
      }
    } catch (error) {
      this.#options.logger.error({ err: error, seen: watcher.seen }, "watch ended: cannot read events");
      this.#stop(watcher);
    }
  }

  /** A watcher that throws loses its watch, and disturbs nobody else. */
  #deliver(watcher: Watcher, events: readonly Event[]): void {
    try {
      for (const event of events) {
        if (watcher.isStopped) return;
        watcher.seen = event.revision;
        watcher.onEvent(event);
      }
    } catch (error) {
      this.#options.logger.error({ err: error }, "watch ended: its receiver failed");
      this.#stop(watcher);
    }
  }
}
