import { FairleadError } from "../../lib/errors.ts";
import type { Event, EventFilter } from "../../lib/ipam/api.ts";
import { RemovalLog } from "./removal-log.ts";

let events: Pick<Event, "revision" | "kind" | "networkId" | "networkName">[];
let logId: string;
let trimmed: number;
let asked: EventFilter[];
/** What the next question fails with. */
let failure: Error | null;
let log: RemovalLog;

beforeEach(() => {
  events = [];
  logId = "one";
  trimmed = 0;
  asked = [];
  failure = null;
  const service = {
    info: async () => ({ revision: trimmed + events.length, logId }) as never,
    listEvents: async (filter: EventFilter) => {
      asked.push(filter);
      const thrown = failure;
      failure = null;
      if (thrown !== null) throw thrown;
      const { since = trimmed, limit = 0, kind } = filter;
      if (since < trimmed)
        throw new FairleadError({ code: "compacted", operation: "list events", reason: "gone" });
      const after = events.filter((event) => event.revision > since && event.kind === kind);
      return after.slice(0, limit) as Event[];
    },
  };
  log = new RemovalLog(service, 3);
});

function add(kind: Event["kind"], networkName = ""): void {
  const revision = trimmed + events.length + 1;
  events.push({ revision, kind, networkId: networkName && `id-${networkName}`, networkName });
}

test("everything is read once, page by page, and then only what is new", async () => {
  for (const name of ["a", "b", "c"]) add("network-removed", name);
  expect(log.isRead).toBe(false);
  await log.read();
  expect(log.isRead).toBe(true);
  expect([...log.names]).toEqual(["a", "b", "c"]);
  expect(asked.map(({ since }) => since)).toEqual([undefined, 3]);
  add("lease-bound");
  await log.read();
  add("network-removed", "d");
  await log.read();
  expect([...log.ids].at(-1)).toBe("id-d");
  expect(asked.map(({ since }) => since)).toEqual([undefined, 3, 3, 4]);
});

test("another log is read anew, and what the first one said is forgotten", async () => {
  add("network-removed", "a");
  await log.read();
  [logId, events] = ["two", []];
  add("network-removed", "b");
  await log.read();
  expect([[...log.ids], [...log.names]]).toEqual([["id-b"], ["b"]]);
});

test("where the log was cut meanwhile, what is left is read, and nothing is forgotten", async () => {
  add("network-removed", "a");
  await log.read();
  [trimmed, events] = [5, []];
  add("network-removed", "b");
  await log.read();
  expect([...log.names]).toEqual(["a", "b"]);
});

test("a service that is away is asked once, and nothing that was read is forgotten", async () => {
  add("network-removed", "a");
  await log.read();
  add("network-removed", "b");
  failure = new FairleadError({ code: "unavailable", operation: "list events", reason: "away" });
  await expect(log.read()).rejects.toBe(failure);
  expect([[...log.names], log.isRead]).toEqual([["a"], true]);
});

test("events tell, too; other kinds say nothing", () => {
  log.note({ kind: "network-removed", networkId: "id-a", networkName: "a" });
  log.note({ kind: "network-created", networkId: "id-b", networkName: "b" });
  expect([...log.ids]).toEqual(["id-a"]);
});
