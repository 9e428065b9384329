import { parseAddress } from "../../lib/addr/address.ts";
import type { LeaseRecord, NetworkRecord } from "../../lib/ipam/store.ts";
import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { NetworkState } from "./network-state.ts";
import { stateAt, viewLease, viewLeasedAddress, viewNetwork } from "./views.ts";

const RECORD = networkRecord("web", 1);
const NETWORK = new NetworkState(RECORD);
const RESERVED = { reservation: { stickyName: "db-0", reason: "for the database" } };

const lease = (over: Partial<LeaseRecord>, address = "10.1.0.20"): LeaseRecord =>
  leaseRecord(RECORD, address, over);

/** The network with only some of its pools. */
const withPools = (pools: NetworkRecord["pools"]): NetworkState => new NetworkState({ ...RECORD, pools });

test("what cools down is free, or reserved, from the instant that it says", () => {
  const cooling = lease({ state: "cooling", untilMs: 5_000 });
  const reserved = { ...cooling, ...RESERVED };
  expect([4_999, 5_000].map((nowMs) => stateAt(cooling, nowMs))).toEqual(["cooling", null]);
  expect([4_999, 5_000].map((nowMs) => stateAt(reserved, nowMs))).toEqual(["cooling", "reserved"]);
  expect(stateAt(lease({ state: "quarantined", untilMs: 1 }), 5_000)).toBe("quarantined");
});

test("a reserved address tells nothing of who had it", () => {
  const view = viewLease(NETWORK, lease({ ...RESERVED, state: "cooling", untilMs: 5_000 }), "reserved");
  expect(view).toMatchObject({ ...NOBODY, state: "reserved", until: null, reason: "for the database" });
  expect(view).not.toHaveProperty("bootId");
});

const NOBODY = { containerId: "", ifname: "", node: "", mac: "", names: [] };

test("an address that cools down tells who had it, and until when", () => {
  const view = viewLease(NETWORK, lease({ state: "cooling", untilMs: 5_000 }), "cooling");
  expect(view).toMatchObject({
    ...{ containerId: "container-10.1.0.20", ifname: "eth0", node: "n1", mac: "02:00:00:00:00:01" },
    ...{ names: ["web", "www"], bootId: "boot-1", until: "1970-01-01T00:00:05.000Z", reason: "" },
  });
});

test("only what cools down has an end, and only what is of a known boot has a boot", () => {
  const view = viewLease(NETWORK, lease({ untilMs: 5_000, bootId: "" }), "bound");
  expect(view).toMatchObject({ until: null, subnet: "10.1.0.0/24" });
  expect(view).not.toHaveProperty("bootId");
  expect(viewLease(NETWORK, lease({ state: "cooling" }), "cooling").until).toBeNull();
});

test("why an address is withdrawn comes before why it is reserved", () => {
  const withdrawn = { ...RESERVED, state: "quarantined", quarantine: "somebody else has it" } as const;
  expect(viewLease(NETWORK, lease(withdrawn), "quarantined").reason).toBe("somebody else has it");
});

test("an address that no subnet holds any more is shown, and never answered to an acquire", () => {
  const stray = lease({ state: "quarantined" }, "10.9.0.1");
  expect(viewLease(NETWORK, stray, "quarantined")).toMatchObject({ address: "10.9.0.1", subnet: "" });
  expect(() => viewLeasedAddress(NETWORK, stray)).toThrow("no subnet of web holds 10.9.0.1");
  const [first] = RECORD.pools;
  const fewer = withPools(first === undefined ? [] : [first]);
  expect(viewLease(fewer, lease({ pool: 7 }), "bound").subnet).toBe("10.1.0.0/24");
});

test("an acquire is answered with the gateway of the subnet, if there is one", () => {
  expect(viewLeasedAddress(NETWORK, lease({ sequence: 9 }))).toEqual({
    ...{ address: "10.1.0.20/24", gateway: "10.1.0.1", subnet: "10.1.0.0/24", pool: 0, sequence: 9 },
  });
  expect(viewLeasedAddress(NETWORK, lease({ pool: 1 }, "fd00:1::7"))).toMatchObject({
    ...{ address: "fd00:1::7/64", gateway: null, subnet: "fd00:1::/64", pool: 1 },
  });
});

test("a network has IPv6 when one of its pools has", () => {
  const [four, six] = RECORD.pools;
  if (four === undefined || six === undefined) throw new Error("a pool of each family is needed");
  const flags = [[four], [six], [four, six], []].map((pools) => viewNetwork(withPools(pools)).ipv6);
  expect(flags).toEqual([false, true, true, false]);
  const [subnet] = viewNetwork(NETWORK).pools[0]?.subnets ?? [];
  expect(subnet).toMatchObject({
    ...{ gateway: "10.1.0.1", ipRange: "10.1.0.0/24", auxAddresses: { printer: "10.1.0.9" } },
    exclusions: ["10.1.0.16-10.1.0.31"],
  });
});

test("gateways, excluded and auxiliary addresses cannot be asked for; others can, of the pool that has them", () => {
  const asked = ["10.1.0.1", "10.1.0.16", "10.1.0.9", "10.1.0.0", "10.9.0.1", "10.1.0.40", "fd00:1::7"];
  const pools = asked.map((address) => NETWORK.poolForRequest(parseAddress(address)));
  expect(pools).toEqual([null, null, null, null, null, 0, 1]);
});
