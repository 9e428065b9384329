/** Networks: what they are made with, and who may have what. */
import type { CreateNetworkRequest } from "../../../lib/ipam/api.ts";
import { failureOf } from "../../support/failures.ts";

import { caller, keyOf, makeWeb, type Service } from "./subject.ts";

export function networkCases(service: Service): void {
  test("a network keeps every field that it is made with", async () => {
    const labels = { team: "a", "with.dot/and slash": "ü", empty: "" };
    const made = await service().createNetwork(
      {
        name: "web",
        driver: "macvlan",
        subnets: [
          {
            subnet: "10.1.0.0/24",
            ipRange: "10.1.0.128/25",
            gateway: "10.1.0.254",
            auxAddresses: { printer: "10.1.0.9" },
            exclusions: ["10.1.0.130-10.1.0.139", "10.1.0.200"],
          },
          { subnet: "fd00:1::/64", rangeStart: "fd00:1::100", rangeEnd: "fd00:1::1ff", gateway: null },
        ],
        internal: true,
        attachable: true,
        addressSpace: "blue",
        coolingSeconds: 0,
        maxAttachments: 3,
        options: { parent: "eth1" },
        labels,
      },
      caller,
    );
    expect(made).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
      name: "web",
      driver: "macvlan",
      origin: "api",
      addressSpace: "blue",
      internal: true,
      attachable: true,
      ipv6: true,
      coolingSeconds: 0,
      maxAttachments: 3,
      options: { parent: "eth1" },
      labels,
      attachments: 0,
      createdAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      pools: [
        {
          pool: 0,
          family: 4,
          subnets: [
            {
              subnet: "10.1.0.0/24",
              gateway: "10.1.0.254",
              gatewayGiven: true,
              ipRange: "10.1.0.128/25",
              ranges: ["10.1.0.128-10.1.0.254"],
              exclusions: ["10.1.0.130-10.1.0.139", "10.1.0.200"],
              auxAddresses: { printer: "10.1.0.9" },
              fromDefaultPool: false,
            },
          ],
        },
        {
          pool: 1,
          family: 6,
          subnets: [
            expect.objectContaining({
              subnet: "fd00:1::/64",
              gateway: null,
              gatewayGiven: false,
              ipRange: null,
            }),
          ],
        },
      ],
    });
    expect(await service().getNetwork({ name: "web" })).toEqual(made);
    expect(await service().getNetwork({ name: made.id.slice(0, 12) })).toEqual(made);
    expect(await service().listNetworks()).toEqual([made]);
  });

  test("a network without subnets gets them from the default pools", async () => {
    const avoid = ["10.77.0.0/24"];
    const made = await service().createNetwork({ name: "web", ipv6: true, avoid }, caller);
    const { pools, maxAttachments } = made;
    expect([made.attachable, made.ipv6, pools[0]?.subnets[0]?.subnet]).toEqual([false, true, "10.77.1.0/24"]);
    expect(pools.map(({ family, subnets }) => [family, subnets[0]?.fromDefaultPool])).toEqual([
      [4, true],
      [6, true],
    ]);
    expect(maxAttachments).toBeNull();
  });

  test("names and subnets are taken once", async () => {
    await makeWeb(service);
    const again = service().createNetwork({ name: "web" }, caller);
    expect((await failureOf(again)).code).toBe("already-exists");
    const overlapping = service().createNetwork(
      { name: "b", subnets: [{ subnet: "10.1.0.128/25" }] },
      caller,
    );
    expect((await failureOf(overlapping)).code).toBe("subnet-overlap");
  });

  test("a network of a driver without addresses has no pools", async () => {
    const made = await service().createNetwork({ name: "machine", driver: "host" }, caller);
    expect([made.driver, made.pools, made.ipv6]).toEqual(["host", [], false]);
    expect(await service().getNetwork({ name: "machine" })).toEqual(made);
    const error = await failureOf(service().acquire({ key: keyOf("c1", "machine") }, caller));
    expect([error.code, error.details]).toEqual([
      "invalid-config",
      { rule: "network-without-addresses", networkName: "machine", driver: "host" },
    ]);
    expect((await service().checkConsistency()).findings).toEqual([]);
  });

  test("a refusal names its rule and the values that it is about", async () => {
    const refused = async (request: CreateNetworkRequest): Promise<unknown> =>
      (await failureOf(service().createNetwork(request, caller))).details;
    expect(await refused({ name: "web", subnets: [{ subnet: "10.1.0.9/24" }] })).toEqual({
      rule: "subnet-host-bits",
      subnet: "10.1.0.9/24",
      correct: "10.1.0.0/24",
    });
    expect(await refused({ name: "web", options: { mtu: "1500" } })).toMatchObject({
      rule: "option-unknown",
      driver: "bridge",
      option: "mtu",
      known: expect.arrayContaining(["com.docker.network.driver.mtu"]),
    });
    expect(await refused({ name: "none" })).toEqual({ rule: "network-predefined", network: "none" });
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1"), names: ["shop"] }, caller);
    expect((await failureOf(service().removeNetwork({ name: "web" }, caller))).details).toMatchObject({
      rule: "network-in-use",
      attachments: 1,
      endpoints: [{ containerId: "c1", ifname: "eth0", name: "shop", node: "n1" }],
    });
  });

  test("a used network stays, an unused one goes, an absent one is not found", async () => {
    await makeWeb(service);
    await service().acquire({ key: keyOf("c1") }, caller);
    expect((await failureOf(service().removeNetwork({ name: "web" }, caller))).code).toBe("in-use");
    await service().release({ key: keyOf("c1") }, caller);
    await service().removeNetwork({ name: "web" }, caller);
    expect((await failureOf(service().getNetwork({ name: "web" }))).code).toBe("not-found");
    expect((await failureOf(service().removeNetwork({ name: "web" }, caller))).code).toBe("not-found");
  });

  test("a name of strange characters is only not found", async () => {
    for (const name of ["a/b", "a?b#c", "..", "%2e", "ü", "a b"]) {
      const { code } = await failureOf(service().getNetwork({ name }));
      expect([name, code]).toEqual([name, "not-found"]);
    }
  });
}
