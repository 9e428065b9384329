import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { type Address, formatAddress, parseAddress } from "../addr/address.ts";
import { Pool, type Slot } from "./pool.ts";
import type { LeaseRecord } from "./store.ts";
import { poolOf, usableRuns, withheldOf } from "./subnet.ts";
import { subnetOfSpec } from "./subnet-spec.ts";

const network = networkRecord("web", 1);

/** A pool with the book-keeping that a network does around it. */
class Fixture {
  readonly slots = new Map<bigint, Slot>();
  readonly pool: Pool;

  constructor(
    subnet: string,
    { releasedLimit, ...spec }: { rangeEnd?: string; gateway?: string; releasedLimit?: number } = {},
  ) {
    const record = poolOf([subnetOfSpec({ subnet, ...spec })]);
    const ranges = record.subnets.flatMap((each) => each.ranges);
    this.pool = new Pool({
      index: 0,
      record,
      runs: usableRuns(ranges, withheldOf([record])),
      hasSlot: (value) => this.slots.has(value),
      ...(releasedLimit !== undefined && { releasedLimit }),
    });
  }

  put(address: Address, over: Partial<LeaseRecord>): void {
    const record = leaseRecord(network, formatAddress(address), over);
    const slot = this.slots.get(address.value) ?? { record, pool: null, bucket: null, heapIndex: -1 };
    if (slot.pool !== null) this.pool.remove(slot);
    slot.record = record;
    this.slots.set(address.value, slot);
    this.pool.add(slot);
  }

  drop(text: string): void {
    const { value } = parseAddress(text);
    const slot = this.slots.get(value);
    if (slot !== undefined) this.pool.remove(slot);
    this.slots.delete(value);
    this.pool.retreat(value);
  }

  next(): string | null {
    const value = this.pool.next();
    return value === null ? null : formatAddress({ family: this.pool.family, value });
  }

  take(): string {
    const text = this.next();
    if (text === null) throw new Error("exhausted");
    this.put(parseAddress(text), { state: "bound" });
    return text;
  }

  release(text: string, over: Partial<LeaseRecord>): void {
    this.put(parseAddress(text), { state: "cooling", ...over });
  }
}

test("hands out never-used addresses first, in ascending order, skipping those in use", () => {
  const f = new Fixture("10.1.0.0/29");
  f.put(parseAddress("10.1.0.3"), { state: "bound" });
  expect([f.take(), f.take()]).toEqual(["10.1.0.2", "10.1.0.4"]);
  f.release("10.1.0.2", { sinceMs: 1, untilMs: 1 });
  f.pool.settle(100);
  expect([f.take(), f.take()]).toEqual(["10.1.0.5", "10.1.0.6"]);
});

test("then those released longest ago; of those that still cool, when nothing else is free, the one longest released", () => {
  const f = new Fixture("10.1.0.0/29");
  for (let count = 0; count < 5; count++) f.take();
  f.release("10.1.0.5", { sinceMs: 10, untilMs: 110 });
  f.release("10.1.0.2", { sinceMs: 20, untilMs: 120 });
  f.release("10.1.0.4", { sinceMs: 30, untilMs: 90 });
  f.pool.settle(89);
  expect(f.next()).toBe("10.1.0.4");
  expect(f.pool.usage()).toMatchObject({ cooling: 3, free: "0" });
  f.pool.settle(110);
  expect(f.next()).toBe("10.1.0.5");
  f.release("10.1.0.4", { sinceMs: 30, untilMs: 115 });
  f.pool.settle(120);
  expect([f.take(), f.take(), f.take()]).toEqual(["10.1.0.5", "10.1.0.2", "10.1.0.4"]);
  expect(f.next()).toBeNull();
});

test("of those released at one instant, the one whose release was written first comes first", () => {
  const f = new Fixture("10.1.0.0/29");
  for (let count = 0; count < 5; count++) f.take();
  const releases = {
    "10.1.0.2": [1, 7],
    "10.1.0.3": [1, 9],
    "10.1.0.4": [1, 5],
    "10.1.0.5": [0, 20],
    "10.1.0.6": [2, 1],
  };
  for (const [address, [sinceMs = 0, version = 0]] of Object.entries(releases))
    f.release(address, { sinceMs, version, untilMs: 3 });
  f.pool.settle(3);
  const order = Object.keys(releases).map(() => f.take());
  expect(order).toEqual(["10.1.0.5", "10.1.0.4", "10.1.0.2", "10.1.0.3", "10.1.0.6"]);
});

test("whatever the order of their release, each cools for its own time", () => {
  const orders = [
    [10, 20, 30, 40],
    [40, 30, 20, 10],
    [20, 40, 10, 30],
  ];
  for (const untils of orders) {
    const f = new Fixture("10.1.0.0/29");
    const taken = untils.map(() => f.take());
    untils.forEach((until, at) => {
      f.release(taken[at] ?? "", { sinceMs: 1, untilMs: until });
    });
    const cooling = [9, 10, 25, 40].map((now) => {
      f.pool.settle(now);
      return f.pool.usage().cooling;
    });
    expect(cooling).toEqual([4, 3, 2, 0]);
  }
});

test("a cooled address that is reserved is not free", () => {
  const f = new Fixture("10.1.0.0/30");
  f.release("10.1.0.2", { sinceMs: 1, untilMs: 5, reservation: { reason: "", stickyName: "" } });
  expect(f.pool.usage()).toMatchObject({ cooling: 1, withheld: "1", free: "0" });
  expect(f.next()).toBeNull();
  f.pool.settle(5);
  expect(f.pool.usage()).toMatchObject({ cooling: 0, withheld: "2", free: "0" });
  expect(f.next()).toBeNull();
});

test("an address that lost its slot is fresh again, whatever was handed out since", () => {
  const f = new Fixture("10.1.0.0/29");
  for (let count = 0; count < 5; count++) f.take();
  expect(f.next()).toBeNull();
  f.drop("10.1.0.3");
  expect(f.next()).toBe("10.1.0.3");
});

test("an address of the second run that lost its slot is fresh again, one outside of the runs is nothing", () => {
  // Two runs, with the gateway between them.
  const f = new Fixture("10.1.0.0/29", { gateway: "10.1.0.4" });
  for (let count = 0; count < 5; count++) f.take();
  f.pool.retreat(parseAddress("10.1.0.4").value);
  f.pool.retreat(parseAddress("10.2.0.1").value);
  expect(f.next()).toBeNull();
  f.drop("10.1.0.6");
  expect(f.next()).toBe("10.1.0.6");
  f.drop("10.1.0.5");
  expect([f.take(), f.take()]).toEqual(["10.1.0.5", "10.1.0.6"]);
});

test("an address that lost its slot before its turn came puts none aside that comes earlier", () => {
  const f = new Fixture("10.1.0.0/29", { gateway: "10.1.0.4" });
  for (const early of ["10.1.0.3", "10.1.0.6"]) {
    f.put(parseAddress(early), { state: "bound" });
    f.drop(early);
  }
  const taken = Array.from({ length: 5 }, () => f.take());
  expect(taken).toEqual(["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.6"]);
});

test("contains what it hands out, to both ends of each run, and nothing else", () => {
  const { pool } = new Fixture("10.1.0.0/29", { gateway: "10.1.0.4" });
  const contains = (text: string) => pool.contains(parseAddress(text));
  expect(["10.1.0.1", "10.1.0.3", "10.1.0.5", "10.1.0.6"].filter(contains)).toHaveLength(4);
  const others = ["10.0.255.255", "10.1.0.0", "10.1.0.4", "10.1.0.7", "10.1.0.8", "::a01:3"];
  expect(others.filter(contains)).toEqual([]);
});

test("its counts add up to its size in each state", () => {
  const f = new Fixture("10.1.0.0/28");
  f.take();
  f.put(parseAddress("10.1.0.5"), { state: "quarantined" });
  f.put(parseAddress("10.1.0.6"), { state: "reserved" });
  f.release("10.1.0.7", { sinceMs: 1, untilMs: 1000 });
  f.release("10.1.0.8", { sinceMs: 1, untilMs: 2 });
  f.pool.settle(500);
  expect(f.pool.usage()).toEqual({
    pool: 0,
    family: 4,
    subnets: ["10.1.0.0/28"],
    size: "14",
    bound: 1,
    cooling: 1,
    quarantined: 1,
    withheld: "2",
    free: "9",
  });
});

test("an IPv6 /64 costs nothing, and its counts are exact", () => {
  const f = new Fixture("fd00::/64");
  expect([f.take(), f.take()]).toEqual(["fd00::2", "fd00::3"]);
  expect(f.pool.usage()).toMatchObject({
    size: "18446744073709551615",
    free: "18446744073709551612",
    withheld: "1",
  });
});

test("in a huge range, cooled addresses beyond the limit are used before fresh ones", () => {
  const f = new Fixture("fd00::/64", { releasedLimit: 3 });
  const taken = Array.from({ length: 5 }, () => f.take());
  for (const [at, text] of taken.slice(0, 4).entries()) f.release(text, { sinceMs: at, untilMs: at });
  f.pool.settle(10);
  expect(f.take()).toBe("fd00::2");
  expect(f.take()).toBe("fd00::7");
});

test("names a slot to forget above twice the limit, oldest first", () => {
  const f = new Fixture("fd00::/64", { releasedLimit: 2 });
  for (let at = 0; at < 5; at++) f.release(`fd00::${at + 10}`, { sinceMs: at, untilMs: at });
  expect(f.pool.forgettable()).toBeNull();
  f.pool.settle(10);
  expect(f.pool.forgettable()?.record.address).toEqual(parseAddress("fd00::10"));
  f.drop("fd00::10");
  expect(f.pool.forgettable()).toBeNull();
});
