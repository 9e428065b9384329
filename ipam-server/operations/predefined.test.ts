import type { Network } from "../../lib/ipam/api.ts";
import { createLogger } from "../../lib/log.ts";
import { ADMIN, type Fixture, NODE1, newFixture } from "../../test/support/ipam/ipam-fixture.ts";

const brief = ({ name, driver, origin, pools, options }: Network) => ({
  name,
  driver,
  origin,
  subnets: pools.flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet)),
  options,
});

const BRIDGE = {
  name: "bridge",
  driver: "bridge",
  origin: "predefined",
  subnets: ["10.192.1.0/24"],
  options: { "com.docker.network.bridge.name": "fl-bridge0" },
};

describe("the predefined networks", () => {
  let f: Fixture;
  const predefined = { avoid: () => ["10.192.0.0/24"] };

  beforeEach(async () => {
    f = await newFixture({ predefined });
  });
  afterEach(async () => {
    expect((await f.service.checkConsistency()).findings).toEqual([]);
    await f.service.close();
  });

  test("are there from the start, where the host has nothing else", async () => {
    expect((await f.service.listNetworks()).map(brief)).toEqual([
      BRIDGE,
      { name: "host", driver: "host", origin: "predefined", subnets: [], options: {} },
      { name: "none", driver: "null", origin: "predefined", subnets: [], options: {} },
    ]);
    const events = await f.service.listEvents({ kind: "network-created" });
    expect(events.map(({ actor, networkName }) => [actor, networkName])).toEqual([
      ["server", "bridge"],
      ["server", "host"],
      ["server", "none"],
    ]);
  });

  test("stay what they are when the server starts again", async () => {
    const before = await f.service.listNetworks();
    await f.service.close();
    f = await f.reopen();
    expect(await f.service.listNetworks()).toEqual(before);
  });

  test.each(["bridge", "host", "none", "default"])("%s can neither be made nor removed", async (name) => {
    const details = { rule: "network-predefined", network: name };
    const refusal = { code: "permission-denied", details };
    await expect(f.service.createNetwork({ name }, ADMIN)).rejects.toMatchObject({
      ...{ ...refusal, hint: "choose another name" },
    });
    if (name !== "default")
      await expect(f.service.removeNetwork({ name }, ADMIN)).rejects.toMatchObject({
        ...{ ...refusal, hint: expect.stringContaining("remove its containers") },
      });
    expect(await f.service.listNetworks()).toHaveLength(3);
  });

  test.each(["host", "null"])("driver %s has no second network", async (driver) => {
    await expect(f.service.createNetwork({ name: "web", driver }, ADMIN)).rejects.toMatchObject({
      code: "permission-denied",
      details: { rule: "driver-single" },
    });
  });

  test("bridge hands out addresses, and a conflist does not change it", async () => {
    const key = { networkName: "bridge", containerId: "c1", ifname: "eth0" };
    const { addresses } = await f.service.acquire({ key }, NODE1);
    expect(addresses[0]?.address).toBe("10.192.1.2/24");
    const declaration = { rangeSets: [[{ subnet: "10.5.0.0/24" }]] };
    await expect(f.service.acquire({ key, declaration }, NODE1)).rejects.toMatchObject({
      code: "invalid-config",
      reason: expect.stringContaining("predefined"),
    });
  });

  test("a network of that name that is there already is left as it is", async () => {
    const g = await newFixture();
    const key = { networkName: "bridge", containerId: "c1", ifname: "eth0" };
    await g.service.acquire({ key, declaration: { rangeSets: [[{ subnet: "10.5.0.0/24" }]] } }, NODE1);
    await g.service.close();
    const again = await newFixture({ disk: g.disk, predefined });
    const networks = await again.service.listNetworks();
    expect(networks.map(({ name, origin }) => `${name} ${origin}`)).toEqual([
      "bridge conflist",
      "host predefined",
      "none predefined",
    ]);
    await again.service.close();
  });

  test("one that cannot be made keeps nothing else from working", async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: "warn", format: "json", write: (line) => lines.push(line) });
    const defaults = { coolingSeconds: 60, defaultPools: [] };
    const g = await newFixture({ predefined, defaults, logger });
    expect((await g.service.listNetworks()).map(({ name }) => name)).toEqual(["host", "none"]);
    expect(lines.join("")).toContain("no default pool is configured");
    await g.service.close();
  });
});
