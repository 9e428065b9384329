import type { Event, EventPlace } from "../../lib/ipam/api.ts";
import { followEvents } from "./event-feed.ts";

function event(revision: number): Event {
  return { revision, kind: "lease-bound" } as Event;
}

/** A log with a live tail, as the service offers it. */
class Log {
  readonly events: Event[] = [];
  readonly #watchers = new Set<(event: Event) => void>();
  lists = 0;

  append(count: number): void {
    for (let at = 0; at < count; at++) {
      const next = event(this.events.length + 1);
      this.events.push(next);
      for (const watcher of this.#watchers) watcher(next);
    }
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  listEvents = async ({ since = 0, limit = 1_000 }): Promise<readonly Event[]> => {
    this.lists++;
    return this.events.slice(since, since + limit);
  };

  watchEvents = ({ revision: since }: EventPlace, onEvent: (event: Event) => void): (() => void) => {
    for (const past of this.events.slice(since)) onEvent(past);
    this.#watchers.add(onEvent);
    return () => void this.#watchers.delete(onEvent);
  };
}

async function take(feed: AsyncGenerator<readonly Event[]>, until: number): Promise<number[]> {
  const revisions: number[] = [];
  while (revisions.at(-1) !== until) {
    const { value, done } = await feed.next();
    if (done) break;
    revisions.push(...value.map((one: Event) => one.revision));
  }
  return revisions;
}

const upTo = (count: number, from = 1): number[] =>
  Array.from({ length: count - from + 1 }, (_, at) => from + at);

test("what was and what comes, in order, each once", async () => {
  const log = new Log();
  const stop = new AbortController();
  log.append(2_500);
  const feed = followEvents({ service: log, since: { revision: 100 }, signal: stop.signal });
  expect(await take(feed, 2_500)).toEqual(upTo(2_500, 101));
  const later = take(feed, 2_503);
  log.append(3);
  expect(await later).toEqual(upTo(2_503, 2_501));
  stop.abort();
  expect((await feed.next()).done).toBe(true);
  expect(log.watchers).toBe(0);
});

test("a reader that falls far behind loses nothing and costs a bounded backlog", async () => {
  const log = new Log();
  const stop = new AbortController();
  const feed = followEvents({ service: log, since: { revision: 0 }, signal: stop.signal });
  const first = take(feed, 1);
  log.append(1);
  await first;
  // The reader is busy; the log grows beyond what is kept for it.
  log.append(20_000);
  const listsBefore = log.lists;
  expect(await take(feed, 20_001)).toEqual(upTo(20_001, 2));
  // It was read from the log, page by page: the backlog did not hold it.
  expect(log.lists - listsBefore).toBeGreaterThanOrEqual(10);
  stop.abort();
});

test("a page that is full is followed by the next, and the watch begins behind the last", async () => {
  const log = new Log();
  const stop = new AbortController();
  log.append(1_000);
  const feed = followEvents({ service: log, since: { revision: 0 }, signal: stop.signal });
  expect(await take(feed, 1_000)).toEqual(upTo(1_000));
  const later = take(feed, 1_001);
  log.append(1);
  expect(await later).toEqual([1_001]);
  stop.abort();
});

test("a place in a log is asked for in that log, each time", async () => {
  const log = new Log();
  log.append(1);
  const stop = new AbortController();
  const asked: unknown[] = [];
  const service = {
    listEvents: (filter: { since?: number; limit?: number; logId?: string }) => {
      asked.push(filter.logId);
      return log.listEvents(filter);
    },
    watchEvents: (place: EventPlace, onEvent: (event: Event) => void) => {
      asked.push(place.logId);
      return log.watchEvents(place, onEvent);
    },
  };
  const feed = followEvents({ service, since: { revision: 0, logId: "l1" }, signal: stop.signal });
  const taken = take(feed, 2);
  await new Promise(setImmediate);
  log.append(1);
  expect(await taken).toEqual([1, 2]);
  expect(asked).toEqual(["l1", "l1"]);
  stop.abort();
});

test("a feed that was ended before it began reads nothing", async () => {
  const log = new Log();
  log.append(1);
  const feed = followEvents({ service: log, since: { revision: 0 }, signal: AbortSignal.abort() });
  expect((await feed.next()).done).toBe(true);
  expect(log.lists).toBe(0);
});

test("an abort while waiting ends the feed and its watch", async () => {
  const log = new Log();
  const stop = new AbortController();
  const feed = followEvents({ service: log, since: { revision: 0 }, signal: stop.signal });
  const next = feed.next();
  await new Promise(setImmediate);
  expect(log.watchers).toBe(1);
  stop.abort();
  expect((await next).done).toBe(true);
  expect(log.watchers).toBe(0);
});

test("a reader that goes away ends the watch", async () => {
  const log = new Log();
  log.append(1);
  for await (const batch of followEvents({
    service: log,
    since: { revision: 0 },
    signal: new AbortController().signal,
  })) {
    expect(batch).toHaveLength(1);
    break;
  }
  expect(log.watchers).toBe(0);
});
