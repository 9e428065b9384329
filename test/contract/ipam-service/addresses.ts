/** Single addresses: leases, reservations, quarantine; and who has them, node by node. */
import type { IpamService, Lease } from "../../../lib/ipam/api.ts";
import { joinPieces } from "../../../lib/rpc/pieces.ts";
import { failureOf } from "../../support/failures.ts";

import { caller, keyOf, makeWeb, type Service } from "./subject.ts";

export function addressCases(service: Service): void {
  test("leases are filtered by every field", async () => {
    await makeWeb(service);
    await service().createNetwork({ name: "db", subnets: [{ subnet: "10.9.0.0/24" }] }, caller);
    await service().acquire({ key: keyOf("c1") }, caller);
    await service().acquire({ key: keyOf("c2", "db") }, caller);
    await service().release({ key: keyOf("c2", "db") }, caller);
    const found = async (filter: Parameters<IpamService["listLeases"]>[0]): Promise<string[]> =>
      (await service().listLeases(filter)).map(({ address }) => address).sort();
    expect(await found({})).toEqual(["10.1.0.2", "10.9.0.2", "fd00:1::2"]);
    expect(await found({ networkName: "db" })).toEqual(["10.9.0.2"]);
    expect(await found({ state: "cooling" })).toEqual(["10.9.0.2"]);
    expect(await found({ containerId: "c1" })).toEqual(["10.1.0.2", "fd00:1::2"]);
    expect(await found({ address: "fd00:1::2" })).toEqual(["fd00:1::2"]);
    expect(await found({ node: "n1", state: "bound" })).toEqual(["10.1.0.2", "fd00:1::2"]);
    expect(await found({ node: "n2" })).toEqual([]);
  });

  test("nodes are told of by what they hold, each attachment once", async () => {
    await makeWeb(service);
    await service().createNetwork({ name: "db", subnets: [{ subnet: "10.9.0.0/24" }] }, caller);
    expect(await service().listNodes()).toEqual([]);
    await service().acquire({ key: keyOf("c1"), bootId: "b1" }, caller);
    await service().acquire({ key: keyOf("c1", "db"), bootId: "b2" }, caller);
    await service().acquire({ key: keyOf("c2", "db") }, caller);
    await service().release({ key: keyOf("c2", "db") }, caller);
    const [{ lastAcquiredAt = "", ...node } = {}, ...others] = await service().listNodes();
    expect(node).toEqual({ name: "n1", networks: 2, attachments: 2, addresses: 3, bootId: "b2" });
    expect(others).toEqual([]);
    const [newest] = await service().listEndpoints({ networkName: "db" });
    expect(lastAcquiredAt).toBe(newest?.acquiredAt);
  });

  test("a list of many leases comes whole and in order", async () => {
    await service().createNetwork({ name: "web", subnets: [{ subnet: "10.1.0.0/21" }] }, caller);
    const keys = Array.from({ length: 1_234 }, (_, at) => keyOf(`c${at}`));
    await Promise.all(keys.map((key) => service().acquire({ key }, caller)));
    const leases = await service().listLeases({});
    const pieces: number[] = [];
    const streamed: Lease[] = [];
    for await (const piece of service().streamLeases({})) {
      pieces.push(piece.length);
      streamed.push(...piece);
    }
    expect(streamed).toEqual(leases);
    expect(pieces.length).toBeGreaterThan(2);
    expect(await joinPieces(service().streamEndpoints({}))).toEqual(await service().listEndpoints({}));
    expect(leases.length).toBe(1_234);
    expect(new Set(leases.map(({ containerId }) => containerId)).size).toBe(1_234);
    expect([leases[0]?.address, leases[500]?.address]).toEqual(["10.1.0.2", "10.1.1.246"]);
  });

  test("a reservation is for whom it names", async () => {
    await makeWeb(service);
    const reserved = await service().reserve(
      { networkName: "web", address: "10.1.0.2", reason: "the database", stickyName: "db" },
      caller,
    );
    expect([reserved.state, reserved.address, reserved.reason]).toEqual([
      "reserved",
      "10.1.0.2",
      "the database",
    ]);
    const other = await service().acquire({ key: keyOf("c1") }, caller);
    expect(other.addresses[0]?.address).toBe("10.1.0.3/24");
    const named = await service().acquire({ key: keyOf("c2"), stickyName: "db" }, caller);
    expect(named.addresses[0]?.address).toBe("10.1.0.2/24");
    const taken = service().reserve({ networkName: "web", address: "10.1.0.3" }, caller);
    expect((await failureOf(taken)).code).toBe("address-in-use");
  });

  test("a reservation is taken back, also one that is not there", async () => {
    await makeWeb(service);
    await service().reserve({ networkName: "web", address: "fd00:1::5" }, caller);
    await service().unreserve({ networkName: "web", address: "fd00:1::5" }, caller);
    await service().unreserve({ networkName: "web", address: "fd00:1::5" }, caller);
    expect(await service().listLeases({ state: "reserved" })).toEqual([]);
  });

  test("a quarantined address stays out of use until it is taken back", async () => {
    await makeWeb(service);
    await service().quarantine(
      { address: "10.1.0.2", addressSpace: "default", reason: "answers ARP" },
      caller,
    );
    const wish = { key: keyOf("c1"), requestedAddresses: ["10.1.0.2"] };
    expect((await failureOf(service().acquire(wish, caller))).code).toBe("address-in-use");
    const [lease] = await service().listLeases({ state: "quarantined" });
    expect([lease?.address, lease?.reason]).toEqual(["10.1.0.2", "answers ARP"]);
    await service().unquarantine({ address: "10.1.0.2" }, caller);
    const { addresses } = await service().acquire(wish, caller);
    expect(addresses[0]?.address).toBe("10.1.0.2/24");
    await service().quarantine({ address: "fd00:1::9", reason: "" }, caller);
    await service().unquarantine({ address: "fd00:1::9", addressSpace: "default" }, caller);
  });

  test("an address that is none is refused", async () => {
    const error = await failureOf(service().quarantine({ address: "10.1.0", reason: "x" }, caller));
    expect(error.code).toBe("invalid-config");
  });
}
