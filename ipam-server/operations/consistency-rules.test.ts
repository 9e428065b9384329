/** What the check finds among records in memory that no request could make so. */
import { parseAddress } from "../../lib/addr/address.ts";
import type { Finding } from "../../lib/ipam/api.ts";
import { poolsOfSubnets, subnetOfSpec } from "../../lib/ipam/subnet-spec.ts";
import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { NetworkState } from "../state/network-state.ts";
import { Snapshot } from "../state/snapshot.ts";
import { State } from "../state/state.ts";
import { beginRules } from "./consistency-rules.ts";

/** What breaks the rules, all in one go. */
function checkRules(state: State, nowMs: number): Finding[] {
  const rules = beginRules(state, nowMs);
  const snapshot = new Snapshot(state, nowMs);
  const findings = [...rules.walk(snapshot)].flatMap((finding) => finding ?? []);
  snapshot.close();
  return findings;
}

describe("rules among the records in memory", () => {
  test("networks that share addresses are found in whatever order they came", () => {
    const subnets = ["10.1.0.0/24", "10.9.0.0/24", "10.1.0.128/25"];
    for (const order of [subnets, [...subnets].reverse()]) {
      const all = new State();
      for (const [at, subnet] of order.entries()) {
        const pools = poolsOfSubnets([subnetOfSpec({ subnet })]);
        const id = `${at}`.repeat(64);
        all.insertNetwork(new NetworkState({ ...networkRecord(`n${at}`, at + 1), id, pools }));
      }
      expect(checkRules(all, 0).map(({ object }) => object)).toEqual(["subnet 10.1.0.128/25"]);
    }
  });

  test("of several pairs of networks that share addresses, each is found", () => {
    const all = new State();
    const subnets = ["10.1.0.0/24", "10.1.0.0/25", "10.2.0.0/24", "10.2.0.0/25", "10.3.0.0/24"];
    for (const [at, subnet] of subnets.entries()) {
      const pools = poolsOfSubnets([subnetOfSpec({ subnet })]);
      const id = `${at}`.repeat(64);
      all.insertNetwork(new NetworkState({ ...networkRecord(`n${at}`, at + 1), id, pools }));
    }
    expect(checkRules(all, 0).map(({ object }) => object)).toEqual([
      "subnet 10.1.0.0/25",
      "subnet 10.2.0.0/25",
    ]);
  });

  const record = {
    ...networkRecord("web", 1),
    pools: poolsOfSubnets([subnetOfSpec({ subnet: "10.1.0.0/24", rangeEnd: "10.1.0.99" })]),
  };
  let state: State;
  beforeEach(() => {
    state = new State();
  });
  const problemsOf = (...networks: NetworkState[]): string[] => {
    for (const network of networks) state.insertNetwork(network);
    return checkRules(state, 0).map(({ severity, object, problem }) => `${severity} ${object}: ${problem}`);
  };
  const stateWith = (...addresses: [string, object][]): NetworkState => {
    const network = new NetworkState(record, state.attachments);
    for (const [address, over] of addresses) network.replaceLease(null, leaseRecord(record, address, over));
    return network;
  };

  test("an attachment with two addresses of a pool", () => {
    const twice = { containerId: "a" };
    expect(problemsOf(stateWith(["10.1.0.2", twice], ["10.1.0.3", twice]))).toEqual([
      "error attachment a/eth0: it holds 10.1.0.2 and 10.1.0.3 of pool 0",
      "error network web: 2 leases are indexed, 1 are bound",
    ]);
  });

  test("a lease outside of its network, and one outside of the ranges", () => {
    expect(problemsOf(stateWith(["10.9.0.1", {}], ["10.1.0.200", { containerId: "b" }]))).toEqual([
      "warning lease 10.1.0.200: it is outside the ranges of network web",
      "error lease 10.9.0.1: no subnet of network web holds it",
    ]);
  });

  test("an address that was asked for outside the ranges, which may be", () => {
    const pools = poolsOfSubnets([subnetOfSpec({ subnet: "10.1.0.0/24", ipRange: "10.1.0.128/25" })]);
    const network = new NetworkState({ ...record, pools }, state.attachments);
    network.replaceLease(null, leaseRecord(network.record, "10.1.0.9", {}));
    expect(problemsOf(network)).toEqual([]);
  });

  test("an attachment that the index does not have", () => {
    const network = stateWith(["10.1.0.2", { containerId: "a" }]);
    const slot = network.slotAt(parseAddress("10.1.0.2"));
    if (slot === undefined) throw new Error("there is no slot");
    slot.record = { ...slot.record, containerId: "b" };
    expect(problemsOf(network)).toEqual(["error attachment b/eth0: the index does not have it"]);
  });

  test("a counter that is wrong", () => {
    const network = stateWith(["10.1.0.2", {}]);
    const slot = network.slotAt(leaseRecord(record, "10.1.0.2", {}).address);
    if (slot === undefined) throw new Error("there is no slot");
    slot.record = { ...slot.record, state: "quarantined" };
    expect(problemsOf(network)).toEqual([
      "error network web: 1 leases are indexed, 0 are bound",
      "error network web: pool 0 counts 1 bound, its records are 0",
      "error network web: pool 0 counts 0 quarantined, its records are 1",
    ]);
  });

  test("an address that has cooled down by now is counted nowhere", () => {
    state.insertNetwork(stateWith(["10.1.0.2", { state: "cooling", untilMs: 1_000 }]));
    expect(checkRules(state, 999)).toEqual([]);
    expect(checkRules(state, 1_000)).toEqual([]);
  });

  test("an attachment of a network that is gone", () => {
    stateWith(["10.1.0.2", {}]);
    expect(problemsOf(new NetworkState(record, state.attachments))).toEqual([
      "error index by container: it holds 1 attachments, the networks hold 0",
    ]);
  });

  test("an address that two networks know of, where they may share a subnet", () => {
    const pools = poolsOfSubnets([subnetOfSpec({ subnet: "10.1.0.0/24", rangeStart: "10.1.0.100" })]);
    const twin = { ...networkRecord("twin", 2), pools };
    const shared = [record, twin].map((each) => ({ ...each, origin: "conflist" as const }));
    const networks = shared.map((each) => new NetworkState(each, state.attachments));
    for (const [at, network] of networks.entries()) {
      const containerId = `c${at}`;
      for (const address of ["10.1.0.7", `10.1.0.${20 + 100 * at}`])
        network.replaceLease(
          null,
          leaseRecord(network.record, address, { containerId, pool: 0, ifname: address }),
        );
    }
    expect(problemsOf(...networks)).toEqual([
      "warning lease 10.1.0.7: it is outside the ranges of network twin",
      "error lease 10.1.0.7: networks web and twin both know of it",
    ]);
  });

  test("networks that share addresses", () => {
    const other = {
      ...networkRecord("other", 2),
      pools: poolsOfSubnets([subnetOfSpec({ subnet: "10.1.0.128/25" })]),
    };
    expect(problemsOf(new NetworkState(record), new NetworkState(other))).toEqual([
      "error subnet 10.1.0.128/25: networks web and other share it: network web has 10.1.0.0/24 in address space default already",
    ]);
    state = new State();
    const both = poolsOfSubnets(["10.1.0.0/25", "10.2.0.0/24"].map((subnet) => subnetOfSpec({ subnet })));
    const own = poolsOfSubnets(["10.1.0.0/24", "10.2.0.0/25"].map((subnet) => subnetOfSpec({ subnet })));
    expect(
      problemsOf(new NetworkState({ ...record, pools: own }), new NetworkState({ ...other, pools: both })),
    ).toEqual([expect.stringContaining("networks web and other share it: network web has 10.1.0.0/24")]);
    const elsewhere = { ...other, addressSpace: "lab" };
    state = new State();
    expect(problemsOf(new NetworkState(record), new NetworkState(elsewhere))).toEqual([]);
  });
});
