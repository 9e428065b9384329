import { ADMIN, asking, keyOf, NODE1, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

test("endpoints of one container come by network, then by first address, whichever was there first", async () => {
  const subnets = [{ subnet: "10.9.0.0/24" }, { subnet: "fd00:9::/64" }];
  await s.f.service.createNetwork(SMALL, ADMIN);
  await s.f.service.createNetwork({ name: "db", subnets }, ADMIN);
  await s.f.service.createNetwork({ name: "zoo", subnets: [{ subnet: "10.8.0.0/24" }] }, ADMIN);
  const add = (networkName: string, ifname: string, ...requestedAddresses: string[]) =>
    s.f.service.acquire(asking("", { key: keyOf("c", networkName, ifname), requestedAddresses }), NODE1);
  await add("zoo", "eth5");
  await add("web", "eth0", "10.1.0.6");
  await add("db", "eth1", "10.9.0.7", "fd00:9::1:0");
  await add("web", "eth2", "10.1.0.4");
  await add("db", "eth3", "10.9.0.8", "fd00:9::2");
  await add("web", "eth4", "10.1.0.5");
  const found = await s.f.service.listEndpoints({ containerId: "c" });
  expect(found.map(({ networkName, ifname }) => `${networkName} ${ifname}`)).toEqual([
    ...["db eth1", "db eth3", "web eth2", "web eth4", "web eth0", "zoo eth5"],
  ]);
  expect(await s.f.service.listEndpoints({})).toEqual(found);
});

test("an endpoint tells when it was acquired last", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  await s.acquire("a");
  s.f.clock.advance(5_000);
  await s.acquire("a");
  expect(await s.f.service.listEndpoints({})).toMatchObject([{ acquiredAt: s.isoIn(0) }]);
});
