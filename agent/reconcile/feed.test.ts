import { FairleadError } from "../../lib/errors.ts";
import type { Event, EventPlace, ServiceInfo } from "../../lib/ipam/api.ts";
import { type LogFields, type Logger, silentLogger } from "../../lib/log.ts";
import { settleTurns } from "../../test/support/turns.ts";
import { type FeedListener, ServiceFeed, type Watch } from "./feed.ts";

const RETRY = { firstMs: 1, mostMs: 4 };

function event(revision: number): Event {
  return { revision, kind: "network-created", networkName: `n${revision}` } as Event;
}

/** A service whose log can be moved, lost and made unreachable. */
class ServiceLog {
  revision = 0;
  logId = "one";
  failures = 0;
  watches = 0;
  place: EventPlace | null = null;
  stops = 0;
  #onEvent: (event: Event) => void = () => {};
  #onEnd: (error: FairleadError) => void = () => {};

  readonly info = async (): Promise<ServiceInfo> => {
    if (this.failures > 0) {
      this.failures--;
      throw new FairleadError({ code: "unavailable", operation: "ask", reason: "it is away" });
    }
    return { revision: this.revision, logId: this.logId } as ServiceInfo;
  };

  readonly watch: Watch = (since, onEvent, onEnd) => {
    this.watches++;
    this.place = since;
    this.#onEvent = onEvent;
    this.#onEnd = onEnd;
    return () => {
      this.stops++;
    };
  };

  emit(revision: number): void {
    this.revision = revision;
    this.#onEvent(event(revision));
  }

  lose(revision: number): void {
    this.revision = revision;
    this.#onEnd(new FairleadError({ code: "compacted", operation: "watch", reason: "gone" }));
  }
}

class Recorder implements FeedListener {
  readonly seen: string[] = [];
  #onNext: () => void = () => {};

  /** Resolves when the next thing was handed over. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#onNext = resolve;
    });
  }

  onReset(revision: number): void {
    this.#see(`reset ${revision}`);
  }

  onEvent({ revision }: Event): void {
    this.#see(`event ${revision}`);
  }

  #see(what: string): void {
    this.seen.push(what);
    this.#onNext();
  }
}

let log: ServiceLog;
let feed: ServiceFeed;
let recorder: Recorder;

beforeEach(() => {
  log = new ServiceLog();
  log.revision = 7;
  recorder = new Recorder();
  feed = new ServiceFeed({ info: log.info, watch: log.watch, logger: silentLogger, retry: RETRY });
  feed.subscribe(recorder);
});
afterEach(() => feed.close());

test("a listener lists at the start and gets the events after", async () => {
  feed.start();
  await feed.reached(7);
  log.emit(8);
  log.emit(9);
  expect(recorder.seen).toEqual(["reset 7", "event 8", "event 9"]);
  expect(feed.revision).toBe(9);
});

test("a listener that comes late lists at once", async () => {
  feed.start();
  await feed.reached(7);
  log.emit(8);
  const late = new Recorder();
  feed.subscribe(late);
  log.emit(9);
  expect(late.seen).toEqual(["reset 8", "event 9"]);
});

test("a service in whose log is nothing yet was reached all the same", async () => {
  log.revision = 0;
  feed.start();
  await feed.reached(0);
  const late = new Recorder();
  feed.subscribe(late);
  expect(late.seen).toEqual(["reset 0"]);
  Object.assign(log, { logId: "two", revision: 0 });
  expect(await feed.newest()).toBe(0);
  expect(late.seen).toEqual(["reset 0", "reset 0"]);
});

test("who does not listen any more is told nothing", async () => {
  const gone = new Recorder();
  const leave = feed.subscribe(gone);
  feed.start();
  await feed.reached(7);
  log.emit(8);
  leave();
  log.emit(9);
  expect(gone.seen).toEqual(["reset 7", "event 8"]);
  expect(recorder.seen).toEqual(["reset 7", "event 8", "event 9"]);
});

test("a place that is lost makes everyone list anew, also when the log now is another, shorter one", async () => {
  feed.start();
  await feed.reached(7);
  const reset = recorder.next();
  log.lose(3);
  await reset;
  log.emit(4);
  expect(recorder.seen).toEqual(["reset 7", "reset 3", "event 4"]);
});

test("that everything is listed anew is told, but not for the first time", async () => {
  const told: string[] = [];
  const logger = { ...silentLogger, info: (_fields: LogFields, text: string) => void told.push(text) };
  const telling = new ServiceFeed({ info: log.info, watch: log.watch, logger, retry: RETRY });
  telling.subscribe(recorder);
  telling.start();
  await telling.reached(7);
  expect(told).toEqual([]);
  const reset = recorder.next();
  log.lose(9);
  await reset;
  expect(told).toEqual(["agent: list everything anew"]);
  telling.close();
});

test("a service that is away is waited for, and said to be", async () => {
  log.failures = 3;
  const troubles: string[] = [];
  const warn = (fields: LogFields) => troubles.push(waiting.trouble, String(fields["reason"]));
  const logger: Logger = { ...silentLogger, warn };
  const waiting = new ServiceFeed({ info: log.info, watch: log.watch, logger, retry: RETRY });
  waiting.subscribe(recorder);
  waiting.start();
  await waiting.reached(7);
  // Said once, however often it was tried.
  expect(troubles).toEqual(Array(2).fill(expect.stringContaining("it is away")));
  expect(waiting.trouble).toBe("");
  expect(recorder.seen).toEqual(["reset 7"]);
  waiting.close();
});

test("a place that is lost after a service was away for long is found anew after the first pause", async () => {
  jest.useFakeTimers();
  log.failures = 3;
  const retry = { firstMs: 1_000, mostMs: 60_000 };
  const waiting = new ServiceFeed({ info: log.info, watch: log.watch, logger: silentLogger, retry });
  waiting.start();
  await jest.advanceTimersByTimeAsync(7_000);
  expect(waiting.revision).toBe(7);
  log.lose(9);
  await jest.advanceTimersByTimeAsync(999);
  expect(waiting.revision).toBe(7);
  await jest.advanceTimersByTimeAsync(1);
  expect(waiting.revision).toBe(9);
  waiting.close();
  jest.useRealTimers();
});

test("waiting for a revision ends when it has been handed over, not before", async () => {
  feed.start();
  let isReached = false;
  const waiting = feed.reached(9).then(() => {
    isReached = true;
  });
  await feed.reached(7);
  const before = feed.reached(8);
  log.emit(8);
  await before;
  await settleTurns();
  expect(isReached).toBe(false);
  log.emit(9);
  await waiting;
});

test("a newest revision that is older than what came before is of another log: list anew", async () => {
  feed.start();
  await feed.reached(7);
  log.emit(8);
  expect(await feed.newest()).toBe(8);
  expect(recorder.seen).toEqual(["reset 7", "event 8"]);
  log.revision = 2;
  expect(await feed.newest()).toBe(2);
  expect(recorder.seen).toEqual(["reset 7", "event 8", "reset 2"]);
  log.emit(3);
  expect(feed.revision).toBe(3);
});

test("a newest revision of another log means: list anew, although it is higher; a place is told with its log", async () => {
  feed.start();
  await feed.reached(7);
  expect(log.place).toEqual({ revision: 7, logId: "one" });
  Object.assign(log, { logId: "two", revision: 40 });
  expect(await feed.newest()).toBe(40);
  expect(recorder.seen).toEqual(["reset 7", "reset 40"]);
  log.emit(41);
  expect(recorder.seen).toEqual(["reset 7", "reset 40", "event 41"]);
});

test("a service whose log is another time and again is followed anew after a pause each time", async () => {
  jest.useFakeTimers();
  const paused = new ServiceFeed({
    info: log.info,
    watch: log.watch,
    logger: silentLogger,
    retry: { firstMs: 1_000, mostMs: 60_000 },
  });
  paused.start();
  await paused.reached(7);
  for (const [at, logId] of ["two", "three"].entries()) {
    Object.assign(log, { logId });
    const newest = paused.newest();
    await jest.advanceTimersByTimeAsync(999);
    expect([log.watches, paused.logId]).toEqual([at + 1, ["one", "two"][at]]);
    await jest.advanceTimersByTimeAsync(1);
    expect([await newest, log.watches, paused.logId]).toEqual([7, at + 2, logId]);
  }
  paused.close();
  jest.useRealTimers();
});

test("after closing nothing is handed over", async () => {
  feed.start();
  await feed.reached(7);
  feed.close();
  expect(log.stops).toBe(1);
  log.emit(8);
  expect(recorder.seen).toEqual(["reset 7"]);
});

test("a service that answers after closing is not watched, and is not asked again", async () => {
  jest.useFakeTimers();
  const answer = Promise.withResolvers<ServiceInfo>();
  let asks = 0;
  const info = (): Promise<ServiceInfo> => {
    asks++;
    return asks === 1 ? log.info() : answer.promise;
  };
  const late = new ServiceFeed({ info, watch: log.watch, logger: silentLogger, retry: RETRY });
  late.start();
  await late.reached(7);
  log.lose(8);
  await jest.advanceTimersByTimeAsync(RETRY.mostMs);
  expect([asks, log.watches]).toEqual([2, 1]);
  late.close();
  answer.resolve(await log.info());
  await jest.advanceTimersByTimeAsync(60_000);
  expect([asks, log.watches, late.revision]).toEqual([2, 1, 7]);
  jest.useRealTimers();
});

test("a watched service is not asked again after closing", async () => {
  jest.useFakeTimers();
  let asks = 0;
  const info = (): Promise<ServiceInfo> => {
    asks++;
    return log.info();
  };
  const watching = new ServiceFeed({ info, watch: log.watch, logger: silentLogger, retry: RETRY });
  watching.start();
  await watching.reached(7);
  watching.close();
  await jest.advanceTimersByTimeAsync(60_000);
  expect([asks, jest.getTimerCount()]).toEqual([1, 0]);
  jest.useRealTimers();
});

test("closing while the service is asked ends the feed at once, not after the pause before another attempt", async () => {
  const asked = Promise.withResolvers<ServiceInfo>();
  const first = Promise.withResolvers<void>();
  let asks = 0;
  const info = (): Promise<ServiceInfo> => {
    asks++;
    first.resolve();
    return asked.promise;
  };
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const away = new ServiceFeed({
    info,
    watch: log.watch,
    logger: silentLogger,
    retry: { firstMs: 60_000, mostMs: 60_000 },
  });
  away.start();
  await first.promise;
  away.close();
  asked.reject(new FairleadError({ code: "unavailable", operation: "ask", reason: "it is away" }));
  await settleTurns();
  // No timer is left that would hold up the process's end.
  expect([asks, timers()]).toEqual([1, before]);
});
