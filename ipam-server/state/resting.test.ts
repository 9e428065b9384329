import { formatRange, parseRange } from "../../lib/addr/range.ts";
import { newFixture } from "../../test/support/ipam/ipam-fixture.ts";
import { restOf, restReason } from "./resting.ts";

const ADMIN = { actor: "admin", node: "" };

function event(reason: string): Parameters<typeof restOf>[0] {
  const none = { actor: "", networkName: "n", networkId: "", containerId: "", ifname: "", node: "", mac: "" };
  return {
    ...none,
    revision: 1,
    atMs: 5_000,
    kind: "network-removed",
    addressSpace: "default",
    address: null,
    sequence: 0,
    reason,
  };
}

test("what rests is read as it was written", () => {
  const ranges = ["10.0.0.0/24", "fd00::/64"].map(parseRange);
  const rest = restOf(event(restReason(ranges, 60)));
  expect(rest).toMatchObject({ addressSpace: "default", untilMs: 65_000 });
  expect(rest?.ranges.map(formatRange)).toEqual(ranges.map(formatRange));
});

test("nothing rests without subnets, without cooling, or where nothing was noted", () => {
  expect([restReason([], 60), restReason([parseRange("10.0.0.0/24")], 0)]).toEqual(["", ""]);
  expect(restOf(event(""))).toBeNull();
});

test("a subnet rests over restarts, and no longer than it would without them", async () => {
  const defaults = { coolingSeconds: 60, defaultPools: [{ base: "10.0.0.0/22", size: 24 }] };
  let f = await newFixture({ defaults });
  const made = async (name: string) =>
    (await f.service.createNetwork({ name }, ADMIN)).pools[0]?.subnets[0]?.subnet;
  // Events of long before, which have to be passed over.
  for (const name of ["x", "y", "z"]) {
    await made(name);
    await f.service.removeNetwork({ name }, ADMIN);
  }
  f.clock.advance(100_000);
  expect(await made("a")).toBe("10.0.0.0/24");
  await f.service.removeNetwork({ name: "a" }, ADMIN);
  f.clock.advance(1_000);
  f = await f.reopen();
  expect(await made("b")).toBe("10.0.1.0/24");
  f.clock.advance(58_000);
  f = await f.reopen();
  expect(await made("c")).toBe("10.0.2.0/24");
  f.clock.advance(1_000);
  f = await f.reopen();
  expect(await made("d")).toBe("10.0.0.0/24");
  await f.service.close();
});

test("a subnet rests while the service runs as long as its addresses would, and not when it was not removed", async () => {
  const defaults = { coolingSeconds: 60, defaultPools: [{ base: "10.0.0.0/22", size: 24 }] };
  const f = await newFixture({ defaults });
  const made = async (name: string) =>
    (await f.service.createNetwork({ name }, ADMIN)).pools[0]?.subnets[0]?.subnet;
  expect(await made("a")).toBe("10.0.0.0/24");
  await f.service.removeNetwork({ name: "a" }, ADMIN);
  f.clock.advance(59_999);
  expect(await made("b")).toBe("10.0.1.0/24");
  f.clock.advance(1);
  expect(await made("c")).toBe("10.0.0.0/24");
  f.store.failure = "full";
  await expect(f.service.removeNetwork({ name: "c" }, ADMIN)).rejects.toMatchObject({ code: "unavailable" });
  f.store.failure = null;
  f.clock.advance(1_000);
  expect((await f.service.getNetwork({ name: "c" })).pools).toHaveLength(1);
  // In another address space nothing rests.
  await f.service.removeNetwork({ name: "c" }, ADMIN);
  const { pools } = await f.service.createNetwork({ name: "d", addressSpace: "lab" }, ADMIN);
  expect(pools[0]?.subnets[0]?.subnet).toBe("10.0.0.0/24");
  await f.service.close();
});
