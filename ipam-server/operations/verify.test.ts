import { ADMIN, keyOf, NODE1, SMALL, useService } from "../../test/support/ipam/ipam-fixture.ts";

const s = useService();

const SIX = { subnet: "fd00:1::/64" };
const verify = (addresses?: readonly string[], networkName = "web") =>
  s.f.service.verify({ key: keyOf("a", networkName), ...(addresses && { addresses }) }, NODE1);

describe("an attachment with an address of each family is right", () => {
  beforeEach(async () => {
    await s.f.service.createNetwork({ ...SMALL, subnets: [...SMALL.subnets, SIX] }, ADMIN);
    expect(await s.acquire("a")).toEqual(["10.1.0.2", "fd00:1::2"]);
  });

  test.each([
    ["that were not told at all", undefined],
    ["that its container was told", ["10.1.0.2/29", "fd00:1::2/64"]],
    ["that are written in another way", ["10.1.0.2", "FD00:1:0:0::2"]],
    ["beside those of others", ["192.0.2.7/24", "10.1.0.2/24", "fd00:1::2/64", "fd00:9::9/64"]],
    ["of which the container does without IPv6", ["10.1.0.2/29"]],
  ])("%s", async (_, addresses) => {
    await expect(verify(addresses)).resolves.toBeUndefined();
  });

  test.each([
    ["another address of IPv4", ["10.1.0.3/29", "fd00:1::2/64"]],
    ["another address of IPv6", ["10.1.0.2/29", "fd00:1::3/64"]],
    ["none of IPv4", ["fd00:1::2/64"]],
    ["only those of others", ["192.0.2.7/24"]],
    ["none", []],
  ])("but not where its container was told of %s", async (_, addresses) => {
    await expect(verify(addresses)).rejects.toMatchObject({
      code: "check-failed",
      details: { held: ["10.1.0.2", "fd00:1::2"], known: addresses.map((text) => text.split("/")[0]) },
    });
  });
});

test("one that has addresses of IPv6 alone is wrong where its container was told of none of them", async () => {
  await s.f.service.createNetwork({ name: "web", subnets: [SIX] }, ADMIN);
  await s.acquire("a");
  await verify(["fd00:1::2/64"]);
  for (const told of [[], ["192.0.2.7/24"]])
    await expect(verify(told)).rejects.toMatchObject({ code: "check-failed" });
});

test("one that holds nothing is wrong, whatever was told, also where there is no such network", async () => {
  await s.f.service.createNetwork(SMALL, ADMIN);
  for (const networkName of ["web", "nowhere"]) {
    const refused = await verify(undefined, networkName).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "check-failed", reason: "it holds no address" });
    expect(refused).toHaveProperty("details", { held: [] });
    await expect(verify([], networkName)).rejects.toMatchObject({
      ...{ code: "check-failed", details: { held: [], known: [] } },
      reason: "it holds no address, and the container was told of none",
    });
  }
});
