import type { EventRecord } from "../../lib/ipam/store.ts";
import { silentLogger } from "../../lib/log.ts";
import { eventRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { settleTurns } from "../../test/support/turns.ts";
import { MemoryStore } from "../store/memory/store.ts";
import { WatchHub } from "./watch.ts";

const NETWORK = networkRecord("web", 1);

function events(first: number, last: number): EventRecord[] {
  return Array.from({ length: last - first + 1 }, (_, at) => eventRecord(first + at, NETWORK));
}

/** A store that tells what was asked of it, and fails when it is told so. */
class Store extends MemoryStore {
  readonly asked: number[] = [];
  fails = false;

  override readEvents(query: Parameters<MemoryStore["readEvents"]>[0]) {
    this.asked.push(query.since ?? 0);
    if (this.fails) throw new Error("the disk is away");
    return super.readEvents(query);
  }
}

let store: Store;
let hub: WatchHub;
let errors: string[];

/** A hub over a store with so many events. */
async function openAt(revision: number): Promise<void> {
  store = new Store();
  await store.commit({ changes: [], events: events(1, revision) });
  errors = [];
  const error = ({ err }: { readonly err?: unknown }, message: string): void => {
    errors.push(`${message}: ${(err as Error).message}`);
  };
  hub = new WatchHub({ store, logger: { ...silentLogger, error }, newestRevision: revision });
}

async function publish(first: number, last: number): Promise<void> {
  const records = events(first, last);
  await store.commit({ changes: [], events: records });
  hub.publish(records);
}

/** Watches, and collects the revisions that come. */
function watch(revision: number): { readonly seen: number[]; readonly stop: () => void } {
  const seen: number[] = [];
  const stop = hub.watch({ revision }, (event) => void seen.push(event.revision));
  return { seen, stop };
}

const upTo = (revision: number): number[] => Array.from({ length: revision }, (_, at) => at + 1);

test("what was is read in pages, and what is committed meanwhile comes once", async () => {
  await openAt(2_500);
  const { seen } = watch(0);
  await publish(2_501, 2_502);
  await settleTurns();
  await publish(2_503, 2_503);
  expect(seen).toEqual(upTo(2_503));
  expect(store.asked).toEqual([0, 1_000, 2_000]);
});

test("who begins at the newest event asks the store nothing", async () => {
  await openAt(3);
  const { seen } = watch(3);
  await publish(4, 5);
  await settleTurns();
  expect([seen, store.asked]).toEqual([[4, 5], []]);
});

test("who begins at what was committed last gets what comes after it; a place beyond, or of another log, is none", async () => {
  await openAt(3);
  await publish(4, 5);
  const one = watch(5);
  await publish(6, 6);
  const other = watch(6);
  const refused = expect.objectContaining({ code: "compacted" });
  expect(() => watch(7)).toThrow(refused);
  expect(() => hub.watch({ revision: 6, logId: "0".repeat(32) }, () => {})).toThrow(refused);
  await publish(7, 7);
  await settleTurns();
  expect([one.seen, other.seen, store.asked]).toEqual([[6, 7], [7], []]);
});

test("a watch that is stopped gets nothing more, also in the middle of a page", async () => {
  await openAt(3);
  const seen: number[] = [];
  const stop = hub.watch({ revision: 0 }, ({ revision }) => {
    seen.push(revision);
    if (revision === 2) stop();
  });
  await settleTurns();
  await publish(4, 4);
  expect(seen).toEqual([1, 2]);
});

test("closing ends every watch", async () => {
  await openAt(3);
  const [live, behind] = [watch(3), watch(0)];
  hub.close();
  await publish(4, 4);
  await settleTurns();
  expect(live.seen).toEqual([]);
  expect(behind.seen.length).toBeLessThanOrEqual(3);
  expect(behind.seen).not.toContain(4);
});

test("a watch that cannot read on ends, and this is told; others go on", async () => {
  await openAt(3);
  const live = watch(3);
  store.fails = true;
  const behind = watch(0);
  await settleTurns();
  store.fails = false;
  await publish(4, 4);
  await settleTurns();
  expect([live.seen, behind.seen]).toEqual([[4], []]);
  expect(errors).toEqual(["watch ended: cannot read events: the disk is away"]);
});

test("a watch whose receiver throws ends there, and this is told once; others go on", async () => {
  await openAt(3);
  let calls = 0;
  hub.watch({ revision: 3 }, () => {
    calls += 1;
    throw new Error("receiver fails");
  });
  const other = watch(3);
  await publish(4, 5);
  await publish(6, 6);
  expect([calls, other.seen]).toEqual([1, [4, 5, 6]]);
  expect(errors).toEqual(["watch ended: its receiver failed: receiver fails"]);
});
