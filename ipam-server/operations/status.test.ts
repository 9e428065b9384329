import { ADMIN, NODE1, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

const statusOf = (networkName = "web") => s.f.service.networkStatus({ networkName }, NODE1);

test("a network is ready as long as its quota has room for one more attachment", async () => {
  await s.f.service.createNetwork({ ...SMALL, maxAttachments: 2 }, ADMIN);
  await s.acquire("a");
  expect(await statusOf()).toMatchObject({ ready: true, reason: "", pools: [{ bound: 1, free: "4" }] });
  await s.acquire("b");
  const refused = await s.acquire("c").catch(({ reason }) => ({ reason }));
  expect(await statusOf()).toMatchObject({ ready: false, ...refused, pools: [{ bound: 2 }] });
});

test("a network is not ready while one of its pools is full, and tells which", async () => {
  const subnets = [{ subnet: "10.1.0.0/24" }, { subnet: "fd00:1::/126" }];
  await s.f.service.createNetwork({ name: "web", subnets }, ADMIN);
  for (const containerId of ["a", "b"]) await s.acquire(containerId);
  expect(await statusOf()).toMatchObject({ ready: false, reason: expect.stringContaining("fd00:1::/126") });
  await s.release("a");
  s.f.clock.advance(60_000);
  expect(await statusOf()).toMatchObject({ ready: true, reason: "" });
});

test("a network without addresses is not ready to give any", async () => {
  await s.f.service.createNetwork({ name: "lan", driver: "macvlan", options: { parent: "eth1" } }, ADMIN);
  expect(await statusOf("lan")).toMatchObject({
    ...{ ready: false, reason: expect.stringContaining("hands out no addresses"), pools: [] },
  });
});
