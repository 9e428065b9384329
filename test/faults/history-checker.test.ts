import type { Event, Lease } from "../../lib/ipam/api.ts";
import { type Call, checkHistory, type History } from "../support/ipam/history-checker.ts";

const ADDRESS = "10.1.0.2";

function event(
  revision: number,
  kind: Event["kind"],
  over: Partial<Event> & Pick<Event, "containerId">,
): Event {
  return {
    revision,
    at: new Date(1_700_000_000_000 + revision * 1000).toISOString(),
    actor: "uid:0",
    kind,
    networkName: "web",
    networkId: "",
    addressSpace: "default",
    address: ADDRESS,
    ifname: "eth0",
    node: "n1",
    mac: "",
    sequence: revision,
    reason: "",
    ...over,
  };
}

function call(
  kind: Call["kind"],
  containerId: string,
  { at, sequence }: { at: number; sequence?: number },
): Call {
  const addresses = sequence === undefined ? [] : [{ address: ADDRESS, sequence }];
  return { kind, containerId, startedMs: at, answeredMs: at + 1, outcome: "done", addresses };
}

const bound = (containerId: string, sequence: number) =>
  ({ address: ADDRESS, containerId, sequence, state: "bound" }) as Lease;

/** a holds the address, gives it back, and b gets it. */
const right: History = {
  coolingMs: 1000,
  poolSize: 2,
  events: [
    event(1, "lease-bound", { containerId: "a" }),
    event(2, "lease-released", { containerId: "a", sequence: 1 }),
    event(3, "lease-bound", { containerId: "b" }),
  ],
  calls: [
    call("acquire", "a", { at: 10, sequence: 1 }),
    call("release", "a", { at: 20 }),
    call("acquire", "b", { at: 30, sequence: 3 }),
  ],
  leases: [bound("b", 3)],
};

test("a right history has no findings", () => {
  expect(checkHistory(right)).toEqual([]);
});

test("a call without an answer may have taken effect, or not", () => {
  const unknown: Call = {
    ...call("acquire", "c", { at: 40 }),
    outcome: "unknown",
    answeredMs: Number.POSITIVE_INFINITY,
  };
  expect(checkHistory({ ...right, calls: [...right.calls, unknown] })).toEqual([]);
});

/** Another address, which somebody got before all this, and gave back at `releasedAt`, if he did. */
function otherAddress(releasedAt: number | null): Partial<History> {
  const other = { address: "10.1.0.3" };
  const shifted = (right.events as Event[]).map((each) => ({
    ...each,
    revision: each.revision + 2,
    sequence: each.sequence + 2,
  }));
  const before = [
    event(1, "lease-bound", { containerId: "o", ...other }),
    event(2, "lease-bound", { containerId: "p", address: "10.1.0.4" }),
  ];
  const after =
    releasedAt === null
      ? []
      : [
          event(2, "lease-released", {
            containerId: "o",
            ...other,
            sequence: 1,
            at: new Date(releasedAt).toISOString(),
          }),
        ];
  const calls = [
    call("acquire", "a", { at: 10, sequence: 3 }),
    call("release", "a", { at: 20 }),
    call("acquire", "b", { at: 30, sequence: 5 }),
  ];
  const held =
    releasedAt === null
      ? [
          { ...bound("o", 1), ...other },
          { ...bound("p", 2), address: "10.1.0.4" },
        ]
      : [];
  const events = [...(releasedAt === null ? before : [before[0] as Event, ...after]), ...shifted];
  return { events, calls, leases: [bound("b", 5), ...held] };
}

test("the one that cooled longest may be granted when nothing else is free", () => {
  expect(checkHistory({ ...right, ...otherAddress(null), poolSize: 3, coolingMs: 60_000 })).toEqual([]);
});

test("not while an address was never used, nor before one that cools longer", () => {
  const early = [expect.stringContaining("cooling is 60000 ms")];
  expect(checkHistory({ ...right, ...otherAddress(null), poolSize: 4, coolingMs: 60_000 })).toEqual(early);
  const releasedFirst = { ...otherAddress(1_700_000_001_000), poolSize: 2, coolingMs: 60_000 };
  expect(checkHistory({ ...right, ...releasedFirst })).toEqual(early);
});

const [first, second, third] = right.events as [Event, Event, Event];
test.each<[string, Partial<History>, string]>([
  ["a lost lease", { leases: [], events: [first, second] }, "is lost"],
  ["a lease that is not listed", { leases: [] }, "but not listed"],
  [
    "a lease from nowhere",
    { leases: [bound("b", 3), { ...bound("x", 9), address: "10.1.0.9" }] },
    "not bound by the event log",
  ],
  ["a lost event", { events: [first, { ...third, revision: 3 }] }, "event 2 is missing"],
  ["a release that did not last", { leases: [bound("a", 1)] }, "still holds an address"],
  [
    "two holders by the event log",
    { events: [first, { ...third, revision: 2, sequence: 2 }] },
    "while a holds it",
  ],
  [
    "two holders by the clients' clock",
    {
      calls: [
        call("acquire", "a", { at: 10, sequence: 1 }),
        call("release", "a", { at: 50 }),
        call("acquire", "b", { at: 30, sequence: 3 }),
      ],
    },
    "was with a and b at once",
  ],
  ["a grant while cooling", { coolingMs: 60_000 }, "cooling is 60000 ms"],
  [
    "a grant that was never logged",
    { calls: [...right.calls, call("acquire", "z", { at: 60, sequence: 2 })] },
    "the event log does not have",
  ],
  [
    "a release of what is not held",
    { events: [first, second, { ...second, revision: 3 }], leases: [] },
    "who does not hold it",
  ],
])("finds %s", (_, wrong, part) => {
  expect(checkHistory({ ...right, ...wrong }).join("\n")).toContain(part);
});
