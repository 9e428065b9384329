import {
  ADMIN,
  asking,
  brief,
  keyOf,
  NODE1,
  NODE2,
  SMALL,
  useService,
} from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { acquire, release, usage, isoIn } = s;

describe("release", () => {
  beforeEach(() => s.f.service.createNetwork(SMALL, ADMIN));

  test("is repeatable, and knows nothing of what never was", async () => {
    await acquire("a");
    expect(await release("a")).toEqual(["10.1.0.2"]);
    expect(await release("a")).toEqual([]);
    expect(await release("never")).toEqual([]);
    const nothing = { released: [], kept: [] };
    expect(await s.f.service.release({ key: keyOf("a", "nowhere") }, NODE1)).toEqual(nothing);
  });

  test("takes what the same boot of the machine was granted under another name, and nothing of another boot", async () => {
    for (const [id, bootId] of [
      ["a", "boot-1"],
      ["b", "boot-2"],
    ] as const)
      await s.f.service.acquire({ key: keyOf(id), bootId }, NODE1);
    const renamed = { ...NODE2, bootId: "boot-1" };
    expect((await s.f.service.release({ key: keyOf("a") }, renamed)).released).toEqual(["10.1.0.2"]);
    expect((await s.f.service.release({ key: keyOf("b") }, renamed)).released).toEqual([]);
    await s.f.service.acquire({ key: keyOf("c"), bootId: "boot-1" }, NODE1);
    const { released } = await s.f.service.gc({ networkName: "web", validAttachments: [] }, renamed);
    expect(released).toEqual([keyOf("c")]);
  });

  test("that is late changes nothing: it names an instant before the acquire", async () => {
    const before = isoIn(0);
    await acquire("a");
    expect(await release("a", { acquiredBefore: before })).toEqual([]);
    s.f.clock.advance(1);
    expect(await release("a", { acquiredBefore: isoIn(0) })).toEqual(["10.1.0.2"]);
  });

  test("that is late does not reach an attachment that was acquired again since", async () => {
    await acquire("a");
    s.f.clock.advance(10);
    const intent = isoIn(0);
    s.f.clock.advance(10);
    await acquire("a");
    expect(await release("a", { acquiredBefore: intent })).toEqual([]);
    expect(await usage()).toMatchObject({ bound: 1 });
  });

  test("names grants: what was granted or confirmed since stays", async () => {
    const sequenceOf = async () =>
      (await s.f.service.acquire(asking("a"), NODE1)).addresses.map(({ sequence }) => sequence);
    const first = await sequenceOf();
    const second = await sequenceOf();
    expect(await release("a", { sequences: first })).toEqual([]);
    expect(await release("a", { upToSequence: Math.max(...first) })).toEqual([]);
    expect(await release("a", { sequences: [] })).toEqual([]);
    expect(await s.f.service.release({ key: keyOf("a"), sequences: second }, NODE1)).toEqual({
      released: ["10.1.0.2"],
      kept: [],
    });
  });

  test("of attempts takes what they were granted, not what they confirmed", async () => {
    await s.f.service.acquire(asking("a", { attempt: "one" }), NODE1);
    await s.f.service.acquire(asking("a", { attempt: "two" }), NODE1);
    const ofAttempt = (name: string) => ({ attempts: [name], onlyAttempts: true });
    expect(await release("a", ofAttempt("two"))).toEqual([]);
    expect(await release("a", ofAttempt("one"))).toEqual([]);
    await release("a");
    await s.f.service.acquire(asking("a", { attempt: "three" }), NODE1);
    expect(await release("a", ofAttempt("two"))).toEqual([]);
    expect(await release("a", ofAttempt("three"))).toHaveLength(1);
    expect(await usage()).toMatchObject({ bound: 0 });
  });

  test("of any node takes what another node holds, where that is said", async () => {
    await acquire("a");
    expect(await release("a", { anyNode: false }, NODE2)).toEqual([]);
    expect(await release("a", { anyNode: true }, NODE2)).toEqual(["10.1.0.2"]);
  });

  test("that gives an attempt up ends it, also where what it was granted is kept for the moment", async () => {
    const late = (attempt: string) => s.f.service.acquire(asking("a", { attempt }), NODE1);
    await late("one");
    expect(await release("a", { attempts: ["one", "never"], sequences: [] })).toEqual([]);
    for (const attempt of ["one", "never"])
      await expect(late(attempt)).rejects.toMatchObject({ code: "unavailable" });
    expect(await release("a", { attempts: ["one"], onlyAttempts: true })).toEqual(["10.1.0.2"]);
  });

  test("under one name is carried out once, however often it arrives", async () => {
    await acquire("a");
    expect(await release("a", { attempt: "del" })).toEqual(["10.1.0.2"]);
    const kept = await acquire("a");
    expect(await s.f.service.release({ key: keyOf("a"), attempt: "del" }, NODE1)).toEqual({
      released: [],
      kept,
    });
    expect(await release("a", { attempt: "another" })).toEqual(kept);
  });

  test("refuses a name of an attempt that is none", async () => {
    for (const wishes of [{ attempt: "a/b" }, { attempts: [""] }]) {
      await expect(release("a", wishes)).rejects.toMatchObject({ code: "invalid-config" });
    }
  });

  test("refuses an instant that is none", async () => {
    await expect(release("a", { acquiredBefore: "yesterday" })).rejects.toMatchObject({
      code: "invalid-config",
    });
  });

  test("verify wants every held address to be known to the container", async () => {
    const key = keyOf("a");
    await expect(s.f.service.verify({ key }, NODE1)).rejects.toMatchObject({ code: "check-failed" });
    await acquire("a");
    await s.f.service.verify({ key }, NODE1);
    await s.f.service.verify({ key, addresses: ["10.1.0.2/29", "192.0.2.7"] }, NODE1);
    const other = s.f.service.verify({ key, addresses: ["10.1.0.3"] }, NODE1);
    await expect(other).rejects.toMatchObject({
      code: "check-failed",
      details: { held: ["10.1.0.2"], known: ["10.1.0.3"] },
    });
  });
});

describe("gc", () => {
  beforeEach(() => s.f.service.createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/16" }] }, ADMIN));
  const gc = (valid: readonly string[], caller = NODE1) =>
    s.f.service.gc(
      { networkName: "web", validAttachments: valid.map((containerId) => ({ containerId, ifname: "eth0" })) },
      caller,
    );

  test("releases what is not valid, on the caller's node only", async () => {
    await acquire("a");
    await acquire("b");
    await acquire("c", {}, NODE2);
    expect((await gc(["a"])).released).toEqual([keyOf("b")]);
    expect(brief(await s.f.service.listLeases({ state: "bound" }))).toEqual([
      "10.1.0.2 bound",
      "10.1.0.4 bound",
    ]);
    expect((await gc(["a"])).released).toEqual([]);
    expect((await gc([], ADMIN)).released).toEqual([]);
  });

  test("spares what is acquired, or acquired again, after it arrived", async () => {
    for (let at = 0; at < 70; at++) await acquire(`old-${at}`);
    const collecting = gc([]);
    const again = acquire("old-69");
    const fresh = acquire("new");
    expect((await collecting).released).toHaveLength(69);
    await Promise.all([again, fresh]);
    const bound = await s.f.service.listLeases({ state: "bound" });
    expect(bound.map(({ containerId }) => containerId).sort()).toEqual(["new", "old-69"]);
  });

  test("tells only of what it released, not of what was given back meanwhile", async () => {
    for (let at = 0; at < 66; at++) await acquire(`old-${at}`);
    const collecting = gc([]);
    const given = release("old-65");
    const { released } = await collecting;
    expect(await given).toHaveLength(1);
    expect(released.map(({ containerId }) => containerId)).toEqual(
      Array.from({ length: 65 }, (_, at) => `old-${at}`),
    );
  });

  test("spares whole an attachment of which one address was acquired again", async () => {
    const [first, second] = [[{ subnet: "10.7.0.0/24" }], [{ subnet: "fd00:7::/64" }]];
    const declared = (containerId: string, rangeSets: (typeof first)[]) =>
      acquire("", { key: keyOf(containerId, "lan"), declaration: { rangeSets } });
    for (let at = 0; at < 65; at++) await declared(`old-${at}`, [first, second]);
    const collecting = s.f.service.gc({ networkName: "lan", validAttachments: [] }, NODE1);
    const again = declared("old-64", [first]);
    expect((await collecting).released).toHaveLength(64);
    await again;
    expect(brief(await s.f.service.listLeases({ containerId: "old-64" }))).toEqual([
      "10.7.0.66 bound",
      "fd00:7::42 bound",
    ]);
  });

  test("ends with a network that is removed between two steps of it", async () => {
    for (let at = 0; at < 65; at++) await acquire(`old-${at}`);
    const collecting = gc([]);
    const gone = [release("old-64"), s.f.service.removeNetwork({ name: "web" }, ADMIN)];
    expect((await collecting).released).toHaveLength(64);
    await Promise.all(gone);
  });

  test("of an unknown network finds nothing", async () => {
    expect((await s.f.service.gc({ networkName: "nowhere", validAttachments: [] }, NODE1)).released).toEqual(
      [],
    );
  });
});
