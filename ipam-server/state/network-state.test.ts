import type { NetworkDeclaration, RangeDeclaration } from "../../lib/ipam/api.ts";
import { keyOf, NODE1, plain, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

const of = (...rangeSets: RangeDeclaration[][]): NetworkDeclaration => ({ rangeSets });
const LOW = { subnet: "10.1.0.0/24" };
const HIGH = { subnet: "10.2.0.0/24" };
const SIX = { subnet: "fd00::/64" };

const acquire = (containerId: string, declaration: NetworkDeclaration, more = {}) =>
  s.f.service.acquire({ key: keyOf(containerId), declaration, ...more }, NODE1).then(plain);

const endpoints = async () =>
  (await s.f.service.listEndpoints({})).map(({ containerId, addresses }) => [
    containerId,
    ...addresses.map(({ address }) => address),
  ]);

test("of several ranges in one subnet, an address of each may be asked for, and none between them", async () => {
  const ranges = of([
    { ...LOW, rangeStart: "10.1.0.10", rangeEnd: "10.1.0.19" },
    { ...LOW, rangeStart: "10.1.0.30", rangeEnd: "10.1.0.39" },
  ]);
  for (const address of ["10.1.0.12", "10.1.0.35"])
    expect(await acquire(address, ranges, { requestedAddresses: [address] })).toEqual([address]);
  const between = acquire("between", ranges, { requestedAddresses: ["10.1.0.25"] });
  await expect(between).rejects.toMatchObject({ reason: "it is in none of the ranges" });
});

test("what an attachment holds comes in the order of the pools, whichever it got first", async () => {
  await acquire("a", of([LOW]));
  expect(await acquire("c", of([HIGH]))).toEqual(["10.2.0.2"]);
  const attempt = { attempt: "one" };
  expect(await acquire("c", of([LOW], [HIGH]), attempt)).toEqual(["10.1.0.3", "10.2.0.2"]);
  expect(await acquire("c", of([LOW], [HIGH]), attempt)).toEqual(["10.1.0.3", "10.2.0.2"]);
  expect(await s.release("c")).toEqual(["10.1.0.3", "10.2.0.2"]);
});

test("what attachments hold comes in the order of the pools after a restart, too", async () => {
  await acquire("a", of([SIX], [LOW]));
  const before = await endpoints();
  await s.f.service.close();
  s.f = await s.f.reopen();
  expect([before, await endpoints()]).toEqual([[["a", "fd00::2/64", "10.1.0.2/24"]], before]);
});

test("a network that gets further ranges says so in the log", async () => {
  await acquire("a", of([LOW]));
  await acquire("b", of([HIGH]));
  const changes = (await s.f.service.listEvents({})).filter(({ kind }) => kind === "network-changed");
  const reason = "declared: 10.1.0.0/24 (10.1.0.1-10.1.0.254); 10.2.0.0/24 (10.2.0.1-10.2.0.254)";
  expect(changes).toMatchObject([{ networkName: "web", reason }]);
});
