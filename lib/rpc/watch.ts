/**
 * Watching events over a connection that may break: whoever watches sees every event once, in order, however
 * often the connection was made anew.
 */
import { asFairleadError, type ErrorCode, type FairleadError } from "../errors.ts";
import type { Event, EventPlace } from "../ipam/api.ts";
import { Pauses, pauseFor } from "../pauses.ts";

const RETRY = { firstMs: 100, mostMs: 5_000 };

/** Errors that another attempt cannot mend. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "compacted",
  "unauthenticated",
  "permission-denied",
  "invalid-config",
  "unsupported-field",
]);

export interface WatchOptions {
  /** The last event that the watcher has. */
  readonly since: EventPlace;
  readonly onEvent: (event: Event) => void;
  /** Told once when watching cannot go on: the watcher must list again, or give up. */
  readonly onEnd: (error: FairleadError) => void;
  /**
   * Opens one stream after a place and calls back for each event; settles when the stream has ended, however
   * it ended.
   */
  readonly open: (since: EventPlace, onEvent: (event: Event) => void, signal: AbortSignal) => Promise<void>;
}

/** Starts to watch. Returns the function that stops it; after that nothing is called back. */
export function watchEvents(options: WatchOptions): () => void {
  const stopped = new AbortController();
  void run(options, stopped.signal);
  return () => stopped.abort();
}

async function run({ since, onEvent, onEnd, open }: WatchOptions, signal: AbortSignal): Promise<void> {
  let last = since.revision;
  const pauses = new Pauses(RETRY);
  const take = (event: Event): void => {
    if (signal.aborted || event.revision <= last) return;
    last = event.revision;
    pauses.reset();
    onEvent(event);
  };
  while (!signal.aborted) {
    try {
      await open({ ...since, revision: last }, take, signal);
    } catch (thrown) {
      const error = asFairleadError(thrown, "watch events");
      if (FINAL.has(error.code)) {
        if (!signal.aborted) onEnd(error);
        return;
      }
    }
    await pauseFor(pauses.next(), signal);
  }
}
