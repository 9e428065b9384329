/** The check of a store that answers late: what changes between its answer and the comparison is no contradiction. */
import type { LeasePage } from "../../lib/ipam/store.ts";
import { ADMIN, keyOf, NODE1, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

/** Does something between what the store reads of one kind and the comparison with memory. */
function meanwhile(read: "readLeases" | "readNetworks", act: () => Promise<unknown>): void {
  const { store } = s.f;
  const plain = store[read].bind(store) as (page: LeasePage) => unknown;
  let isDone = false;
  const late = async (page: LeasePage): Promise<unknown> => {
    const found = await plain(page);
    if (!isDone) {
      isDone = true;
      await act();
    }
    return found;
  };
  jest.spyOn(store, read).mockImplementation(late as never);
}
afterEach(() => jest.restoreAllMocks());

const findings = async () =>
  (await s.f.service.checkConsistency()).findings.map(({ object, problem }) => `${object}: ${problem}`);

beforeEach(async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  for (const containerId of ["a", "b"]) await s.acquire(containerId);
});

test("leases that were changed, came or went meanwhile are memory's to know", async () => {
  const reserve = () => s.f.service.reserve({ networkName: "web", address: "10.1.0.6" }, ADMIN);
  await reserve();
  meanwhile("readLeases", async () => {
    await s.release("a");
    await s.acquire("c");
    await s.f.service.unreserve({ networkName: "web", address: "10.1.0.6" }, ADMIN);
  });
  expect(await findings()).toEqual([]);
});

test("a lease that went before the store was asked for any is no loss", async () => {
  const declare = (containerId: string, subnet: string) =>
    s.acquire("", { key: keyOf(containerId, "lan"), declaration: { rangeSets: [[{ subnet }]] } });
  await declare("a", "10.7.0.0/24");
  await s.f.service.release({ key: keyOf("a", "lan") }, NODE1);
  meanwhile("readNetworks", () => declare("b", "10.8.0.0/24"));
  expect(await findings()).toEqual([]);
});

test("nor is one of a network that went as a whole", async () => {
  await s.f.service.createNetwork({ name: "old" }, ADMIN);
  await s.acquire("", { key: keyOf("a", "old") });
  await s.f.service.release({ key: keyOf("a", "old") }, NODE1);
  meanwhile("readNetworks", () => s.f.service.removeNetwork({ name: "old" }, ADMIN));
  expect(await findings()).toEqual([]);
});

test("networks that were made or removed meanwhile are memory's to know", async () => {
  await s.f.service.createNetwork({ name: "old" }, ADMIN);
  meanwhile("readNetworks", async () => {
    await s.f.service.createNetwork({ name: "new" }, ADMIN);
    await s.f.service.removeNetwork({ name: "old" }, ADMIN);
  });
  expect(await findings()).toEqual([]);
});
