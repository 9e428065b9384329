/** The judge is fed what must not be, so that a run in which it finds nothing means something. */
import { type Case, judgeEnd, judgeLife, judgeReleases, type Snapshot } from "./judge.ts";
import { Ledger } from "./ledger.ts";

const idOf = (who: number): string => `x${who}`;

const CLEAN: Snapshot = { interfaces: [], hostLinks: [], leases: [], elements: [], files: [] };

/** Container 0 is live with one address and its port. */
const RIGHT: Snapshot = {
  ...CLEAN,
  interfaces: [{ who: 0, addresses: ["10.0.0.2"] }],
  hostLinks: ["veth0"],
  leases: [{ address: "10.0.0.2", state: "bound", containerId: "x0" }],
  elements: ["m0/x0/eth0 tcp/0.0.0.0:9000"],
};

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger();
});

function add(who: number, address: string, publishes = true): void {
  const begun = ledger.begun({ verb: "ADD", who });
  ledger.ended(begun, { kind: "done", addresses: [address], publishes });
}

const seen = (change: Partial<Snapshot>): Case => ({ ledger, idOf, snapshot: { ...RIGHT, ...change } });

describe("while containers live", () => {
  beforeEach(() => add(0, "10.0.0.2"));

  test("what is right is right", () => expect(judgeLife(seen({}))).toEqual([]));

  test("an address on two interfaces, live or not", () => {
    const interfaces = [...RIGHT.interfaces, { who: 1, addresses: ["10.0.0.2"] }];
    const found = judgeLife(seen({ interfaces }));
    expect(found).toContain("10.0.0.2 is on the interfaces of c0, c1");
  });

  test("no interface", () => {
    expect(judgeLife(seen({ interfaces: [] }))).toEqual(["c0 is live and has no interface"]);
  });

  test("an interface without the address that was answered", () => {
    const interfaces = [{ who: 0, addresses: [] }];
    expect(judgeLife(seen({ interfaces }))).toEqual(["c0 is live and lacks 10.0.0.2"]);
  });

  test.each<[string, Snapshot["leases"]]>([
    ["no lease", []],
    ["a lease of somebody else", [{ address: "10.0.0.2", state: "bound", containerId: "x1" }]],
    ["a lease that was released", [{ address: "10.0.0.2", state: "cooling", containerId: "x0" }]],
    ["a lease of another address", [{ address: "10.0.0.3", state: "bound", containerId: "x0" }]],
  ])("%s", (_, leases) => {
    expect(judgeLife(seen({ leases }))).toEqual([
      "the interface of c0 has 10.0.0.2, which is not leased to it",
    ]);
  });

  test("no port, or somebody else's", () => {
    const lacking = ["c0 is live and its port is not published"];
    expect(judgeLife(seen({ elements: [] }))).toEqual(lacking);
    expect(judgeLife(seen({ elements: ["m0/x01/eth0"] }))).toEqual(lacking);
  });

  test("a port is missed only where one was to be published", () => {
    add(0, "10.0.0.2");
    const begun = ledger.begun({ verb: "DEL", who: 0 });
    ledger.ended(begun, { kind: "done", addresses: [], publishes: false });
    add(0, "10.0.0.2", false);
    expect(judgeLife(seen({ elements: [] }))).toEqual([]);
  });

  test("an interface in doubt needs its lease, too", () => {
    ledger.begun({ verb: "DEL", who: 0 });
    expect(judgeLife(seen({ leases: [] }))).toHaveLength(1);
    expect(judgeLife(seen({}))).toEqual([]);
    expect(judgeLife(seen(CLEAN))).toEqual([]);
  });
});

describe("after the last DEL", () => {
  test("nothing is nothing, and a lease may be cooling", () => {
    const leases = [{ address: "10.0.0.2", state: "cooling", containerId: "x0" } as const];
    expect(judgeEnd({ ledger, idOf, snapshot: { ...CLEAN, leases } })).toEqual([]);
  });

  test.each<[string, Partial<Snapshot>]>([
    ["c0 still has an interface", { interfaces: RIGHT.interfaces }],
    ["link veth0 is left", { hostLinks: RIGHT.hostLinks }],
    ["10.0.0.2 is still leased to x0", { leases: RIGHT.leases }],
    ['firewall element "m0/x0/eth0 tcp/0.0.0.0:9000" is left', { elements: RIGHT.elements }],
    ["file a.json is left", { files: ["a.json"] }],
  ])("%s", (sentence, left) => {
    expect(judgeEnd({ ledger, idOf, snapshot: { ...CLEAN, ...left } })).toEqual([sentence]);
  });
});

describe("releases", () => {
  const event = (kind: "lease-released" | "lease-bound", containerId: string) =>
    ({ kind, containerId, address: "10.0.0.2", reason: "undo", revision: 9 }) as const;

  test("of who is live", () => {
    const found = judgeReleases({ live: [0], events: [event("lease-released", "x0")] }, idOf);
    expect(found).toEqual(["event 9 releases 10.0.0.2 of c0, which is live (undo)"]);
  });

  test("of others, and grants, are right", () => {
    const events = [event("lease-released", "x1"), event("lease-bound", "x0")];
    expect(judgeReleases({ live: [0], events }, idOf)).toEqual([]);
  });
});
