import { ADMIN, NODE2, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

test("nodes come by name, with the boot of what they got last", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  await s.acquire("b1", { bootId: "old" }, NODE2);
  s.f.clock.advance(1_000);
  await s.acquire("b2", { bootId: "new" }, NODE2);
  const last = s.isoIn(0);
  s.f.clock.advance(1_000);
  await s.acquire("a");
  expect(await s.f.service.listNodes()).toEqual([
    { name: "n1", networks: 1, attachments: 1, addresses: 1, lastAcquiredAt: s.isoIn(0) },
    { name: "n2", networks: 1, attachments: 2, addresses: 2, bootId: "new", lastAcquiredAt: last },
  ]);
  await s.release("a");
  expect((await s.f.service.listNodes()).map(({ name }) => name)).toEqual(["n2"]);
});

test("nodes are sorted, and tell when they got an address again", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  for (const node of ["m", "z", "a"]) await s.acquire(`c-${node}`, {}, { actor: `node:${node}`, node });
  const before = s.isoIn(0);
  s.f.clock.advance(5_000);
  await s.acquire("c-m", {}, { actor: "node:m", node: "m" });
  expect((await s.f.service.listNodes()).map(({ name, lastAcquiredAt }) => [name, lastAcquiredAt])).toEqual([
    ["a", before],
    ["m", s.isoIn(0)],
    ["z", before],
  ]);
});
