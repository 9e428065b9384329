import { FairleadError } from "../lib/errors.ts";
import type { Event, EventPlace, ServiceInfo } from "../lib/ipam/api.ts";
import { silentLogger } from "../lib/log.ts";
import { type FeedListener, ServiceFeed, type Watch } from "./feed.ts";

const RETRY_MS = { first: 1, most: 4 };

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
      this.#onEvent = () => {};
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
  onReset(revision: number): void {
    this.seen.push(`reset ${revision}`);
  }
  onEvent({ revision }: Event): void {
    this.seen.push(`event ${revision}`);
  }
}

let log: ServiceLog;
let feed: ServiceFeed;
let recorder: Recorder;

beforeEach(() => {
  log = new ServiceLog();
  log.revision = 7;
  recorder = new Recorder();
  feed = new ServiceFeed({ info: log.info, watch: log.watch, logger: silentLogger, retryMs: RETRY_MS });
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

test("a place that is lost makes everyone list anew, also when the log now is another, shorter one", async () => {
  feed.start();
  await feed.reached(7);
  log.lose(3);
  while (recorder.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  log.emit(4);
  expect(recorder.seen).toEqual(["reset 7", "reset 3", "event 4"]);
});

test("a service that is away is waited for, and said to be", async () => {
  log.failures = 3;
  feed.start();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(feed.trouble).toContain("it is away");
  await feed.reached(7);
  expect(feed.trouble).toBe("");
  expect(recorder.seen).toEqual(["reset 7"]);
});

test("waiting for a revision ends when it has been handed over, not before", async () => {
  feed.start();
  let isReached = false;
  const waiting = feed.reached(9).then(() => {
    isReached = true;
  });
  await feed.reached(7);
  log.emit(8);
  await new Promise((resolve) => setTimeout(resolve, 5));
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

test("after closing nothing is handed over", async () => {
  feed.start();
  await feed.reached(7);
  feed.close();
  log.emit(8);
  expect(recorder.seen).toEqual(["reset 7"]);
});
