/** What a changed declaration means for a network that is there, and for what it holds. */
import type { AcquireRequest, NetworkDeclaration, RangeDeclaration } from "../../lib/ipam/api.ts";
import { ADMIN, brief, keyOf, NODE1, plain, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();
const { release } = s;

type Range = Partial<RangeDeclaration>;
const set = (subnet: string, more: Range = {}): RangeDeclaration[] => [{ subnet, ...more }];
const part = (from: number, to: number) =>
  set("10.1.0.0/24", { rangeStart: `10.1.0.${from}`, rangeEnd: `10.1.0.${to}` });

const declare = async (
  containerId: string,
  rangeSets: RangeDeclaration[][],
  more: Partial<NetworkDeclaration> & Pick<AcquireRequest, "canSurvey" | "requestedAddresses"> = {},
) => {
  const { canSurvey = false, requestedAddresses = [], ...rest } = more;
  const declaration = { rangeSets, ...rest };
  return plain(
    await s.f.service.acquire({ key: keyOf(containerId), declaration, canSurvey, requestedAddresses }, NODE1),
  );
};
const network = () => s.f.service.getNetwork({ name: "web" });
const subnets = async () =>
  (await network()).pools.map((pool) => pool.subnets.map(({ subnet }) => subnet).join());

test("the time to cool is what was declared last, and what it was where none is declared", async () => {
  const sets = [set("10.1.0.0/24")];
  await declare("a", sets, { coolingSeconds: 10 });
  await declare("b", sets, { coolingSeconds: 20 });
  expect((await network()).coolingSeconds).toBe(20);
  await declare("c", sets);
  expect((await network()).coolingSeconds).toBe(20);
  await release("a");
  expect(await s.f.service.listLeases({ state: "cooling" })).toMatchObject([{ until: s.isoIn(20_000) }]);
});

test("a change that could not be committed is none, and may be said again", async () => {
  await declare("a", [set("10.1.0.0/24")], { coolingSeconds: 10 });
  const before = await network();
  const changed = () => declare("b", [set("10.2.0.0/24")], { coolingSeconds: 20 });
  s.f.store.failure = "full";
  await expect(changed()).rejects.toMatchObject({ code: "unavailable" });
  expect(await network()).toEqual(before);
  s.f.store.failure = null;
  s.f.clock.advance(1_000);
  expect(await changed()).toEqual(["10.2.0.2"]);
  expect((await network()).coolingSeconds).toBe(20);
  // The log tells of one change, and of what it became.
  expect(await s.f.service.listEvents({ kind: "network-changed" })).toMatchObject([
    { networkName: "web", networkId: before.id, reason: expect.stringContaining("10.2.0.0/24") },
  ]);
  expect((await s.f.service.checkConsistency()).findings).toEqual([]);
});

test("said in other words it is no change, and needs no survey", async () => {
  await declare("a", [set("10.1.0.0/24"), set("10.2.0.0/24")]);
  const since = (await s.f.service.info()).revision;
  const spelt = set("10.1.0.0/24", { rangeStart: "10.1.0.1", rangeEnd: "10.1.0.254", gateway: "10.1.0.1" });
  expect(await declare("b", [spelt], { canSurvey: true })).toEqual(["10.1.0.3"]);
  expect(await declare("c", [set("10.2.0.0/24")], { canSurvey: true })).toEqual(["10.2.0.3"]);
  const kinds = (await s.f.service.listEvents({ since })).map(({ kind }) => kind);
  expect(kinds).toEqual(["lease-bound", "lease-bound"]);
});

test("its address space may be said again", async () => {
  await declare("a", [set("10.1.0.0/24")], { addressSpace: "lab" });
  expect(await declare("b", [set("10.1.0.0/24"), set("10.2.0.0/24")], { addressSpace: "lab" })).toEqual([
    ...["10.1.0.3", "10.2.0.2"],
  ]);
});

test("a set that is declared again keeps its pool, though it holds nothing, beside one that is new", async () => {
  await declare("a", [set("10.1.0.0/24")]);
  await release("a");
  expect(await declare("b", [set("10.2.0.0/24"), set("10.1.0.0/24")])).toEqual(["10.2.0.2", "10.1.0.3"]);
  expect(await subnets()).toEqual(["10.1.0.0/24", "10.2.0.0/24"]);
});

test("a pool of which a container has an address, outside of its ranges by now, gives way to no other", async () => {
  await declare("a", [set("10.1.0.0/24")]);
  await declare("b", [set("10.1.0.0/24", { rangeStart: "10.1.0.100" })]);
  await release("b");
  expect(await declare("c", [set("10.2.0.0/24")])).toEqual(["10.2.0.2"]);
  expect(await subnets()).toEqual(["10.1.0.0/24", "10.2.0.0/24"]);
  expect(await release("a")).toEqual(["10.1.0.2"]);
});

test("nor does one that has got the address of a container of another", async () => {
  await declare("a", [part(10, 19)], { requestedAddresses: ["10.1.0.15"] });
  await declare("b", [part(10, 12)]);
  await declare("c", [part(13, 29)]);
  await release("c");
  expect(await declare("d", [set("10.2.0.0/24")])).toEqual(["10.2.0.2"]);
  expect((await network()).pools.map(({ subnets: [first] }) => first?.ranges)).toEqual([
    ...[["10.1.0.10-10.1.0.12"], ["10.1.0.13-10.1.0.29"], ["10.2.0.1-10.2.0.254"]],
  ]);
});

test("an address that cools goes on, where it is excluded meanwhile", async () => {
  await declare("a", [set("10.1.0.0/29")]);
  await release("a");
  expect(await declare("b", [set("10.1.0.0/29", { exclude: ["10.1.0.2"] })])).toEqual(["10.1.0.3"]);
  expect(brief(await s.f.service.listLeases({ address: "10.1.0.2" }))).toEqual(["10.1.0.2 cooling"]);
});

test("what cools in a subnet that goes is told to be free", async () => {
  await declare("a", [set("10.1.0.0/24")]);
  await release("a");
  await declare("b", [set("10.2.0.0/24")]);
  expect(await s.f.service.listEvents({ kind: "lease-freed" })).toMatchObject([
    { address: "10.1.0.2", reason: "its subnet is gone" },
  ]);
});

test("a refusal tells programs which address is in the way, and what it is", async () => {
  await declare("a", [set("10.1.0.0/24")]);
  await expect(declare("b", [set("10.1.0.0/24", { gateway: "10.1.0.2" })])).rejects.toMatchObject({
    ...{ code: "in-use", details: { address: "10.1.0.2", state: "bound" } },
  });
  await s.f.service.reserve({ networkName: "web", address: "10.1.0.9" }, ADMIN);
  await expect(declare("b", [set("10.1.0.0/24", { exclude: ["10.1.0.9"] })])).rejects.toMatchObject({
    ...{ code: "in-use", details: { address: "10.1.0.9", state: "reserved" } },
  });
});

test("the former edges of a subnet that has grown are told, each once", async () => {
  await declare("a", [set("10.1.0.0/24")]);
  await declare("a", [set("10.0.0.0/15")]);
  const told = await s.f.service.listEvents({ kind: "lease-quarantined" });
  const reason = expect.stringContaining("network or broadcast address of 10.1.0.0/24");
  expect(told).toMatchObject(["10.1.0.0", "10.1.0.255"].map((address) => ({ address, reason })));
});

test("a network of the service that has no gateway is not given one by a conflist", async () => {
  const own = { name: "web", subnets: [{ subnet: "10.1.0.0/24", gateway: null }] };
  await s.f.service.createNetwork(own, ADMIN);
  await expect(declare("a", [set("10.1.0.0/24")])).rejects.toMatchObject({ code: "invalid-config" });
});

describe("what is taken back of a grant takes its declaration back", () => {
  const key = keyOf("a");
  const names = async () => (await s.f.service.listNetworks()).map(({ name }) => name);
  const ask = (attempt?: string) =>
    s.f.service.acquire(
      { key, declaration: { rangeSets: [set("10.1.0.0/24")] }, ...(attempt !== undefined && { attempt }) },
      NODE1,
    );

  test("where an attempt is given up, too", async () => {
    await ask("one");
    await s.f.service.release({ key, attempts: ["one"], onlyAttempts: true }, NODE1);
    expect(await names()).toEqual([]);
  });

  test("and not that of an earlier one, though nobody else is there", async () => {
    await ask();
    s.f.clock.advance(1_000);
    const sequences = (await ask()).addresses.map(({ sequence }) => sequence);
    const undo = { key, sequences };
    expect(await s.f.service.release(undo, NODE1)).toEqual({ released: ["10.1.0.2"], kept: [] });
    expect(await names()).toEqual(["web"]);
  });

  test("and none where nothing was taken back", async () => {
    // Its address is the network's own, so that the network is all that is made of it.
    const found = { key, addresses: ["10.1.0.0/24"] };
    await s.f.service.recover({ bootId: "", networks: [], attachments: [found], addresses: [] }, NODE1);
    expect([await names(), await s.f.service.listLeases({})]).toEqual([["web"], []]);
    await s.f.service.release({ key, sequences: [1] }, NODE1);
    expect(await names()).toEqual(["web"]);
  });
});
