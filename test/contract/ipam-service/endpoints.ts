/** Attachments, with all their addresses. */
import { createHash } from "node:crypto";
import type { ManualClock } from "../../../lib/clock.ts";
import type { EndpointFilter } from "../../../lib/ipam/api.ts";

import { caller, keyOf, makeWeb, type Service } from "./subject.ts";

export function endpointCases(service: Service, clock: () => ManualClock): void {
  test("an endpoint is an attachment with all its addresses", async () => {
    await makeWeb(service);
    const { id: networkId } = await service().getNetwork({ name: "web" });
    const facts = { mac: "02:00:00:00:00:01", names: ["shop", "www"] };
    await service().acquire({ key: keyOf("c1"), ...facts }, caller);
    const id = createHash("sha256")
      .update(JSON.stringify([networkId, "c1", "eth0"]))
      .digest("hex");
    expect(await service().listEndpoints({})).toEqual([
      {
        id,
        networkId,
        networkName: "web",
        containerId: "c1",
        ifname: "eth0",
        node: "n1",
        mac: "02:00:00:00:00:01",
        name: "shop",
        names: ["shop", "www"],
        addresses: [
          { address: "10.1.0.2/24", gateway: "10.1.0.1" },
          { address: "fd00:1::2/64", gateway: "fd00:1::1" },
        ],
        acquiredAt: new Date(clock().now()).toISOString(),
      },
    ]);
    await service().release({ key: keyOf("c1") }, caller);
    expect(await service().listEndpoints({})).toEqual([]);
  });

  test("endpoints are filtered by every field, and come in order", async () => {
    await makeWeb(service);
    const subnets = [{ subnet: "10.9.0.0/24", gateway: null }];
    await service().createNetwork({ name: "db", subnets }, caller);
    await service().acquire({ key: keyOf("c2"), names: ["zoo", "x"] }, caller);
    await service().acquire({ key: keyOf("c1"), names: ["zoo"] }, caller);
    await service().acquire({ key: keyOf("c1", "db"), names: ["ape"] }, caller);
    await service().acquire({ key: { ...keyOf("c1"), ifname: "eth1" } }, caller);
    const found = async (filter: EndpointFilter): Promise<string[]> =>
      (await service().listEndpoints(filter)).map(
        ({ networkName, containerId, ifname }) => `${networkName} ${containerId} ${ifname}`,
      );
    const [db, unnamed, first, second] = ["db c1 eth0", "web c1 eth1", "web c1 eth0", "web c2 eth0"];
    // By network, then by the first address: c2 came first.
    expect(await found({})).toEqual([db, second, first, unnamed]);
    expect(await found({ networkName: "db" })).toEqual([db]);
    expect(await found({ containerId: "c1" })).toEqual([db, first, unnamed]);
    expect(await found({ containerId: "c1", networkName: "web" })).toEqual([first, unnamed]);
    expect(await found({ ifname: "eth1" })).toEqual([unnamed]);
    expect(await found({ name: "x" })).toEqual([second]);
    expect(await found({ name: "zoo" })).toEqual([second, first]);
    expect(await found({ node: "n1", networkName: "db" })).toEqual([db]);
    expect(await found({ node: "n2" })).toEqual([]);
    expect(await found({ containerId: "nobody" })).toEqual([]);
    expect(await found({ networkName: "nothing" })).toEqual([]);
    const [only] = await service().listEndpoints({ networkName: "db" });
    expect(only?.addresses).toEqual([{ address: "10.9.0.1/24", gateway: null }]);
  });
}
