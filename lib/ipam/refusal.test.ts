import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { parseAddress } from "../addr/address.ts";
import { addressInUse, notGrantable } from "./refusal.ts";
import type { LeaseRecord } from "./store.ts";

const refused = (over: Partial<LeaseRecord>) =>
  addressInUse("reserve address", leaseRecord(networkRecord("web", 1), "10.1.0.9", { version: 7, ...over }));
const reserved = { state: "reserved", reservation: { stickyName: "db-0", reason: "printer" } } as const;

test("programs hear whose an address is, and by which grant", () => {
  expect(refused({ containerId: "c1", ifname: "eth1", node: "n2", bootId: "b2" })).toMatchObject({
    code: "address-in-use",
    operation: "reserve address",
    object: "10.1.0.9",
    details: {
      address: "10.1.0.9",
      state: "bound",
      containerId: "c1",
      ifname: "eth1",
      node: "n2",
      bootId: "b2",
      mac: "02:00:00:00:00:01",
      sequence: 7,
    },
  });
});

test.each<[string, Partial<LeaseRecord>, string]>([
  ["its holder", { quarantine: "taken" }, 'it is held by container container-10.1.0.9 (eth0) on node "n1"'],
  ["its quarantine", { ...reserved, state: "quarantined", quarantine: "taken" }, "it is quarantined: taken"],
  ["whom it is reserved for", reserved, "it is reserved for db-0: printer"],
  [
    "why it is reserved",
    { reservation: { stickyName: "", reason: "printer" }, state: "reserved" },
    "it is reserved: printer",
  ],
])("people hear of %s first", (_what, over, reason) => {
  expect(refused(over).reason).toBe(reason);
});

test("programs hear which address of which network nobody can be granted", () => {
  const words = { reason: "it is the gateway", hint: "ask for another" };
  expect(notGrantable("web", parseAddress("fd00::1"), words)).toMatchObject({
    code: "invalid-config",
    object: "fd00::1 of network web",
    details: { networkName: "web", address: "fd00::1" },
    ...words,
  });
});
