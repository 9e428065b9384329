/**
 * Events of the service at the pace of whoever reads them.
 *
 * The service calls back for each event at once, however slow the reader's connection is. A feed holds a
 * bounded number of events; when the reader falls behind by more, the feed lets go of the live events and
 * reads the log instead, page by page, until it has caught up. So a slow reader costs no memory, loses no
 * event and is never cut off.
 */
import type { Event, EventPlace, IpamService } from "../../lib/ipam/api.ts";

const PAGE_EVENTS = 1_000;
const BACKLOG_EVENTS = 4_000;

export interface FeedOptions {
  readonly service: Pick<IpamService, "listEvents" | "watchEvents">;
  /** The last event that the reader has. */
  readonly since: EventPlace;
  /** Ends the feed. */
  readonly signal: AbortSignal;
}

/**
 * Yields the events after `since`, in order, each once, in batches of at least one; ends when `signal` aborts.
 * @throws FairleadError compacted when `since`, or where a slow reader has got to, is not in the log.
 */
export async function* followEvents(options: FeedOptions): AsyncGenerator<readonly Event[]> {
  const { service, signal } = options;
  const { logId } = options.since;
  let { revision } = options.since;
  const log = logId === undefined ? {} : { logId };
  while (!signal.aborted) {
    const page = await service.listEvents({ since: revision, limit: PAGE_EVENTS, ...log });
    revision = page.at(-1)?.revision ?? revision;
    if (page.length > 0) yield page;
    if (page.length === PAGE_EVENTS) continue;
    for await (const batch of liveEvents({ service, since: { revision, ...log }, signal })) {
      revision = batch.at(-1)?.revision ?? revision;
      yield batch;
    }
  }
}

/** Events as they happen. Ends when the reader has fallen behind by more than the backlog. */
async function* liveEvents({ service, since, signal }: FeedOptions): AsyncGenerator<readonly Event[]> {
  let backlog: Event[] = [];
  let overrun = false;
  let wake = (): void => {};
  const onAbort = (): void => wake();
  const stop = service.watchEvents(since, (event) => {
    if (backlog.length >= BACKLOG_EVENTS) overrun = true;
    else if (!overrun) backlog.push(event);
    wake();
  });
  signal.addEventListener("abort", onAbort);
  try {
    while (!signal.aborted) {
      if (backlog.length > 0) {
        const batch = backlog;
        backlog = [];
        yield batch;
      } else if (overrun) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }
}
