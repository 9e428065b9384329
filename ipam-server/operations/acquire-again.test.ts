/** What an attachment is answered that holds addresses already, by whom it is asked for and since which boot. */
import type { AcquireRequest } from "../../lib/ipam/api.ts";
import {
  ADMIN,
  asking,
  brief,
  DUAL,
  keyOf,
  NODE1,
  NODE2,
  plain,
  SMALL,
  useService,
} from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { acquire, release } = s;

const ask = (wishes: Partial<AcquireRequest> = {}) => s.f.service.acquire(asking("a", wishes), NODE1);
const leases = async () => brief(await s.f.service.listLeases({ containerId: "a" }));

describe("of the same node", () => {
  beforeEach(() => s.f.service.createNetwork(SMALL, ADMIN));

  test.each([
    ["the same boot", "one", "one"],
    ["a boot that is not told now", "one", ""],
    ["a boot that was not told then", "", "two"],
    ["no boot, either time", "", ""],
  ])("%s: it goes on, and is not created", async (_, before, now) => {
    await ask({ bootId: before });
    expect(await ask({ bootId: now })).toMatchObject({
      ...{ created: false, addresses: [{ address: "10.1.0.2/29" }] },
    });
    expect(await s.f.service.whoHad({ address: "10.1.0.2" })).toHaveLength(1);
  });

  test("what is not told again stays as it was told, and what is told replaces it", async () => {
    const facts = { mac: "02:00:00:00:00:0a", names: ["db"], stickyName: "db", bootId: "one" };
    await ask(facts);
    await ask();
    const told = async () => (await s.f.service.listLeases({ containerId: "a" }))[0];
    expect(await told()).toMatchObject({ mac: facts.mac, names: ["db"], bootId: "one" });
    await ask({ mac: "02:00:00:00:00:0b", names: ["www"] });
    expect(await told()).toMatchObject({ mac: "02:00:00:00:00:0b", names: ["www"], bootId: "one" });
    await acquire("between");
    await release("a");
    expect(await acquire("b", { stickyName: "db" })).toEqual(["10.1.0.2"]);
  });
});

test.each([
  ["another boot", "two"],
  ["no boot", ""],
])("of another node that tells %s: refused, naming the address and the node that has it", async (_, now) => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  await ask({ bootId: "one" });
  await expect(acquire("a", { bootId: now }, NODE2)).rejects.toMatchObject({
    code: "address-in-use",
    details: { address: "10.1.0.2", node: "n1" },
  });
});

test("after a reboot each pool gives the address that it gave, also one that is set aside", async () => {
  await s.f.service.createNetwork(DUAL, ADMIN);
  await s.f.service.reserve({ networkName: "web", address: "fd00:1::9" }, ADMIN);
  const before = await ask({ bootId: "one", requestedAddresses: ["10.1.0.5", "fd00:1::9"] });
  expect(plain(before)).toEqual(["10.1.0.5", "fd00:1::9"]);
  const after = await ask({ bootId: "two" });
  expect([after.created, plain(after)]).toEqual([true, ["10.1.0.5", "fd00:1::9"]]);
});

describe("a pool that its network was given later", () => {
  const first = [{ subnet: "10.7.0.0/24" }];
  const second = [{ subnet: "fd00:7::/64" }];
  const declared = (rangeSets: (typeof first)[], more: Partial<AcquireRequest> = {}) =>
    ask({ key: keyOf("a", "lan"), declaration: { rangeSets }, ...more });

  test("gives its address beside the one that is held, which stays", async () => {
    const { created, addresses } = await declared([first]);
    expect([created, plain({ addresses })]).toEqual([true, ["10.7.0.2"]]);
    const next = await declared([first, second]);
    expect([next.created, plain(next)]).toEqual([false, ["10.7.0.2", "fd00:7::2"]]);
    expect(await leases()).toEqual(["10.7.0.2 bound", "fd00:7::2 bound"]);
  });

  test("gives it back, and no more, when the attempt that was granted it is given up", async () => {
    await declared([first]);
    await declared([first, second], { attempt: "one" });
    const undo = { key: keyOf("a", "lan"), attempts: ["one"], onlyAttempts: true };
    expect(await s.f.service.release(undo, NODE1)).toEqual({ released: ["fd00:7::2"], kept: ["10.7.0.2"] });
    expect(await leases()).toEqual(["10.7.0.2 bound", "fd00:7::2 cooling"]);
  });

  test("and of whose address the boot is known does not end a stay of which it is not", async () => {
    await declared([first], { bootId: "" });
    await declared([second], { bootId: "one" });
    const next = await declared([first, second], { bootId: "two" });
    expect([next.created, plain(next)]).toEqual([false, ["10.7.0.2", "fd00:7::2"]]);
  });
});

test("an attempt that comes late is refused when the attachment has another address of one pool since", async () => {
  await s.f.service.createNetwork(DUAL, ADMIN);
  await ask({ attempt: "one" });
  const found = { key: keyOf("a"), addresses: ["10.1.0.2/29", "fd00:1::5/64"] };
  const nothing = { bootId: "", networks: [], addresses: [] };
  await s.f.service.recover({ ...nothing, attachments: [found] }, NODE1);
  await expect(ask({ attempt: "one" })).rejects.toMatchObject({ code: "unavailable" });
  expect(plain(await ask({ attempt: "two" }))).toEqual(["10.1.0.2", "fd00:1::5"]);
});

describe("addresses asked for", () => {
  beforeEach(() => s.f.service.createNetwork(DUAL, ADMIN));

  test("may be one of each pool, as often as it is named, up to 64 in all", async () => {
    const requestedAddresses = Array.from({ length: 64 }, (_, at) =>
      at % 2 === 0 ? "fd00:1::7" : "10.1.0.4",
    );
    expect(plain(await ask({ requestedAddresses }))).toEqual(["10.1.0.4", "fd00:1::7"]);
    const more = [...requestedAddresses, "10.1.0.4"];
    await expect(acquire("b", { requestedAddresses: more })).rejects.toMatchObject({
      code: "invalid-config",
    });
  });

  test("and that cannot be had are refused with what is in the way, and what could be asked for", async () => {
    const refused = (...requestedAddresses: string[]) =>
      ask({ requestedAddresses }).catch(({ reason, hint }) => ({ reason, hint }));
    expect(await refused("10.1.0.3", "10.1.0.4")).toEqual({
      reason: expect.stringContaining("10.1.0.3"),
      hint: expect.stringContaining("one address per pool"),
    });
    const within = { hint: expect.stringMatching(/10\.1\.0\.1-10\.1\.0\.6, fd00:1::1-fd00:1::/) };
    expect(await refused("10.1.0.1")).toEqual({ ...within, reason: expect.stringContaining("gateway") });
    expect(await refused("10.2.0.1")).toEqual({
      ...within,
      reason: expect.stringContaining("none of the ranges"),
    });
  });
});
