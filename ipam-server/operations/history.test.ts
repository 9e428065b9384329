import type { Event } from "../../lib/ipam/api.ts";
import { ADMIN, NODE2, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { acquire, release, isoIn } = s;

describe("history", () => {
  beforeEach(() => s.f.service.createNetwork(SMALL, ADMIN));

  test("tells who had an address when", async () => {
    const times: string[] = [];
    const mark = () => {
      times.push(isoIn(0));
      s.f.clock.advance(100_000);
    };
    const wish = { requestedAddresses: ["10.1.0.4"] };
    mark();
    await acquire("a", { ...wish, mac: "02:00:00:00:00:0a" });
    mark();
    await acquire("a", wish);
    mark();
    await release("a");
    mark();
    await acquire("b", wish, NODE2);
    mark();
    const stays = await s.f.service.whoHad({ address: "10.1.0.4" });
    expect(stays).toMatchObject([
      { containerId: "a", node: "n1", mac: "02:00:00:00:00:0a", from: times[1], to: times[3] },
      { containerId: "b", node: "n2", from: times[4], to: null },
    ]);
    const at = async (when: string | undefined) =>
      (await s.f.service.whoHad({ address: "10.1.0.4", at: when ?? "" })).map(
        ({ containerId }) => containerId,
      );
    expect([
      await at(times[0]),
      await at(times[1]),
      await at(times[2]),
      await at(times[3]),
      await at(times[4]),
    ]).toEqual([[], ["a"], ["a"], [], ["b"]]);
    expect(await s.f.service.whoHad({ address: "10.1.0.4", addressSpace: "lab" })).toEqual([]);
  });

  test("a stay ends with its release, not with what becomes of the address later", async () => {
    await acquire("a", { requestedAddresses: ["10.1.0.4"] });
    s.f.clock.advance(1_000);
    await release("a");
    const end = isoIn(0);
    for (const reason of ["printer", "scanner"]) {
      s.f.clock.advance(100_000);
      await s.f.service.reserve({ networkName: SMALL.name, address: "10.1.0.4", reason }, ADMIN);
      await s.f.service.unreserve({ networkName: SMALL.name, address: "10.1.0.4" }, ADMIN);
    }
    const stays = await s.f.service.whoHad({ address: "10.1.0.4" });
    expect(stays).toMatchObject([{ containerId: "a", to: end }]);
  });

  test("tells of stays of an address that has more events than are read at once, each once", async () => {
    const wish = { requestedAddresses: ["10.1.0.4"] };
    const holders = Array.from({ length: 200 }, (_, at) => `c${at}`);
    const expected: object[] = [];
    for (const containerId of holders) {
      const from = isoIn(0);
      await acquire(containerId, wish);
      // So that what is read at once ends inside of a stay.
      if (containerId === "c0") await acquire(containerId, wish);
      s.f.clock.advance(1_000);
      await release(containerId);
      expected.push({ containerId, from, to: isoIn(0) });
    }
    await acquire("last", wish);
    expected.push({ containerId: "last", from: isoIn(0), to: null });
    const pieces = await piecesOf(s.f.service.streamTenancies({ address: "10.1.0.4" }));
    expect(pieces.flat()).toMatchObject(expected);
    expect(pieces.flat()).toHaveLength(expected.length);
    expect(pieces.map(({ length }) => length)).toEqual([127, 73, 1]);
    const now = await piecesOf(s.f.service.streamTenancies({ address: "10.1.0.4", at: isoIn(0) }));
    expect(now).toMatchObject([[{ containerId: "last" }]]);
  });

  test("tells of stays of an address that has as many events as are read at once, and one more", async () => {
    const wish = { requestedAddresses: ["10.1.0.4"] };
    for (let at = 0; at < 128; at++) {
      await acquire(`c${at}`, wish);
      await release(`c${at}`);
    }
    await acquire("last", wish);
    const stays = await s.f.service.whoHad({ address: "10.1.0.4" });
    expect([stays.length, stays.at(-1)?.containerId]).toEqual([129, "last"]);
  });

  test("events have no gaps, and name who asked", async () => {
    await acquire("a");
    await release("a", {}, ADMIN);
    const events = await s.f.service.listEvents({});
    expect(events.map(({ revision }) => revision)).toEqual(events.map((_, at) => at + 1));
    expect(events.map(({ kind, actor }) => `${kind} ${actor}`)).toEqual([
      "server-started server",
      "network-created uid:0",
      "lease-bound node:n1",
      "lease-released uid:0",
    ]);
    // Which network it was tell those of networks, whose names may be used again.
    const { id } = await s.f.service.getNetwork({ name: "web" });
    expect(events.map(({ networkId }) => networkId)).toEqual(["", id, "", ""]);
    expect(await s.f.service.listEvents({ since: 2, limit: 1 })).toMatchObject([
      { revision: 3, address: "10.1.0.2" },
    ]);
    await expect(s.f.service.listEvents({ limit: 10_001 })).rejects.toMatchObject({ code: "invalid-config" });
  });

  test("a watch gets what was and what comes, in order, each once, until it is stopped", async () => {
    const seen: Event[] = [];
    const stop = s.f.service.watchEvents({ revision: 1 }, (event) => seen.push(event));
    for (const containerId of ["a", "b", "c"]) await acquire(containerId);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen.map(({ revision }) => revision)).toEqual([2, 3, 4, 5]);
    stop();
    await release("a");
    expect(seen).toHaveLength(4);
  });

  test("a watch that throws ends, and disturbs nobody", async () => {
    let calls = 0;
    const revision = (await s.f.service.info()).revision;
    s.f.service.watchEvents({ revision }, () => {
      calls += 1;
      throw new Error("receiver fails");
    });
    expect(await acquire("a")).toEqual(["10.1.0.2"]);
    await acquire("b");
    expect(calls).toBe(1);
  });

  test("a place in another log is refused, whatever its revision", async () => {
    const { logId, revision } = await s.f.service.info();
    const other = { revision, logId: "0".repeat(32) };
    expect(() => s.f.service.watchEvents(other, () => {})).toThrow(
      expect.objectContaining({ code: "compacted" }),
    );
    const list = (log: string) => s.f.service.listEvents({ since: revision, logId: log });
    await expect(list(other.logId)).rejects.toMatchObject({ code: "compacted", details: { logId } });
    expect(await list(logId)).toEqual([]);
    s.f.service.watchEvents({ revision, logId }, () => {})();
  });

  test("a watch from a revision that is gone, or never was, is told to list again", async () => {
    const refused = expect.objectContaining({ code: "compacted" });
    expect(() => s.f.service.watchEvents({ revision: 99 }, () => {})).toThrow(refused);
    await expect(s.f.service.listEvents({ since: 99 })).rejects.toMatchObject({ code: "compacted" });
    await s.f.store.trimEvents(2);
    const g = await s.f.reopen();
    expect(() => g.service.watchEvents({ revision: 1 }, () => {})).toThrow(
      expect.objectContaining({ code: "compacted" }),
    );
    expect((await g.service.listEvents({})).map(({ revision }) => revision)).toEqual([3]);
    await expect(g.service.listEvents({ since: 1 })).rejects.toMatchObject({ code: "compacted" });
    expect((await g.service.checkConsistency()).findings).toEqual([]);
    s.f = g;
  });
});

async function piecesOf<T>(stream: AsyncIterable<readonly T[]>): Promise<(readonly T[])[]> {
  const pieces: (readonly T[])[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
