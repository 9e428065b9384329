import { formatPrefix } from "../addr/prefix.ts";
import { formatRange } from "../addr/range.ts";
import { FairleadError } from "../errors.ts";
import type { SubnetSpec } from "./api.ts";
import type { SubnetRecord } from "./store.ts";
import { usableRuns, withheldOf } from "./subnet.ts";
import { poolsOfSubnets, subnetOfSpec } from "./subnet-spec.ts";

const usable = (record: SubnetRecord): string[] => {
  const pools = [{ family: record.subnet.address.family, subnets: [record] }];
  return usableRuns(record.ranges, withheldOf(pools)).map(formatRange);
};

/** The refusal that `action` fails with. */
function refusalOf(action: () => unknown): FairleadError {
  try {
    action();
  } catch (error) {
    if (error instanceof FairleadError && error.code === "invalid-config") return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe("a subnet of the API", () => {
  test("hands out only ipRange unasked, and every host on request", () => {
    const record = subnetOfSpec({ subnet: "10.1.0.0/24", ipRange: "10.1.0.128/25" });
    expect(record.ranges.map(formatRange)).toEqual(["10.1.0.128-10.1.0.254"]);
    expect(record.askable.map(formatRange)).toEqual(["10.1.0.1-10.1.0.254"]);
  });

  test("withholds gateway, exclusions and auxiliary addresses", () => {
    const spec: SubnetSpec = {
      subnet: "10.1.0.0/28",
      gateway: "10.1.0.14",
      exclusions: ["10.1.0.4-10.1.0.6", "10.1.0.8/31", "10.1.0.12"],
      auxAddresses: { router: "10.1.0.2" },
    };
    expect(usable(subnetOfSpec(spec))).toEqual([
      "10.1.0.1",
      "10.1.0.3",
      "10.1.0.7",
      "10.1.0.10-10.1.0.11",
      "10.1.0.13",
    ]);
  });

  test("refuses with what would be right, ours or the parser's", () => {
    const ours = refusalOf(() => subnetOfSpec({ subnet: "10.1.0.5/24" }));
    expect(ours.hint).toBe("write 10.1.0.0/24");
    expect(refusalOf(() => subnetOfSpec({ subnet: "10.1.0.0" })).hint).toBe("write it like 10.1.0.0/24");
    expect(refusalOf(() => subnetOfSpec({ subnet: "10.1.0.0/24", gateway: "router" })).hint).toBe("");
  });

  test("may have no gateway", () => {
    expect(usable(subnetOfSpec({ subnet: "10.1.0.0/30", gateway: null }))).toEqual(["10.1.0.1-10.1.0.2"]);
  });

  test("remembers what was given", () => {
    const given = subnetOfSpec({ subnet: "10.1.0.0/24", gateway: "10.1.0.1", ipRange: "10.1.0.64/26" });
    expect([given.gatewayGiven, given.ipRange && formatPrefix(given.ipRange)]).toEqual([
      true,
      "10.1.0.64/26",
    ]);
    const plain = subnetOfSpec({ subnet: "10.1.0.0/24" });
    expect([plain.gatewayGiven, plain.ipRange]).toEqual([false, null]);
    expect(subnetOfSpec({ subnet: "10.1.0.0/24", gateway: null }).gatewayGiven).toBe(false);
  });

  test.each<[SubnetSpec, string[]]>([
    [{ subnet: "10.1.0.0/31" }, ["10.1.0.1"]],
    [{ subnet: "10.1.0.0/31", gateway: "10.1.0.1" }, ["10.1.0.0"]],
    [{ subnet: "10.1.0.0/31", gateway: null }, ["10.1.0.0-10.1.0.1"]],
    [{ subnet: "10.1.0.7/32", gateway: null }, ["10.1.0.7"]],
    [{ subnet: "fd00::/127" }, ["fd00::1"]],
    [{ subnet: "fd00::5/128", gateway: null }, ["fd00::5"]],
  ])("is of the smallest sizes, where every address is a host: %j", (spec, expected) => {
    expect(usable(subnetOfSpec(spec))).toEqual(expected);
  });

  const SUBNET = "10.1.0.0/24";
  test.each<[SubnetSpec, Record<string, string>, string]>([
    [{ subnet: "10.1.0.0" }, { rule: "subnet-invalid", subnet: "10.1.0.0" }, "no prefix length"],
    [{ subnet: "10.1.0.0/33" }, { rule: "subnet-invalid", subnet: "10.1.0.0/33" }, "not 0 to 32"],
    [{ subnet: "10.1.0/24" }, { rule: "subnet-invalid", subnet: "10.1.0/24" }, "four numbers"],
    [{ subnet: "::ffff:10.1.0.0/120" }, { rule: "subnet-invalid" }, "IPv4-mapped"],
    [{ subnet: "fd00::/64%eth0" }, { rule: "subnet-invalid" }, ""],
    [
      { subnet: "10.1.0.7/24" },
      { rule: "subnet-host-bits", subnet: "10.1.0.7/24", correct: SUBNET },
      "invalid subnet: it should be 10.1.0.0/24",
    ],
    [{ subnet: "fd00::7/64" }, { rule: "subnet-host-bits", correct: "fd00::/64" }, "it should be fd00::/64"],
    [{ subnet: "0.0.0.0/0" }, { rule: "subnet-reserved", reserved: "0.0.0.0/8" }, "this network"],
    [{ subnet: "127.1.0.0/16" }, { rule: "subnet-reserved", reserved: "127.0.0.0/8" }, "loopback"],
    [{ subnet: "239.1.0.0/16" }, { rule: "subnet-reserved", reserved: "224.0.0.0/4" }, "multicast"],
    [{ subnet: "255.255.255.0/24" }, { rule: "subnet-reserved", reserved: "240.0.0.0/4" }, "reserved"],
    [{ subnet: "fe80::/64" }, { rule: "subnet-reserved", reserved: "fe80::/10" }, "link-local"],
    [{ subnet: "ff05::/64" }, { rule: "subnet-reserved", reserved: "ff00::/8" }, "multicast"],
    [{ subnet: SUBNET, ipRange: "10.1.0.9" }, { rule: "ip-range-invalid", ipRange: "10.1.0.9" }, "length"],
    [
      { subnet: SUBNET, ipRange: "10.1.0.130/25" },
      { rule: "ip-range-host-bits", ipRange: "10.1.0.130/25", correct: "10.1.0.128/25" },
      "it should be 10.1.0.128/25",
    ],
    [{ subnet: SUBNET, ipRange: "10.2.0.0/25" }, { rule: "ip-range-outside", subnet: SUBNET }, "not in it"],
    [{ subnet: SUBNET, ipRange: "10.1.0.0/16" }, { rule: "ip-range-outside" }, "bigger"],
    [{ subnet: SUBNET, ipRange: "fd00::/64" }, { rule: "ip-range-outside" }, "other address family"],
    [{ subnet: SUBNET, gateway: "router" }, { rule: "gateway-invalid", gateway: "router" }, ""],
    [
      { subnet: SUBNET, gateway: "10.2.0.1" },
      { rule: "gateway-outside", gateway: "10.2.0.1", subnet: SUBNET },
      "gateway 10.2.0.1 is not in it",
    ],
    [{ subnet: SUBNET, gateway: "fd00::1" }, { rule: "gateway-outside" }, "not in it"],
    [{ subnet: SUBNET, gateway: "10.1.0.255" }, { rule: "gateway-reserved" }, "broadcast"],
    [{ subnet: SUBNET, gateway: "10.1.0.0" }, { rule: "gateway-reserved" }, "network"],
    [
      { subnet: SUBNET, auxAddresses: { printer: "10.2.0.3" } },
      { rule: "aux-address-outside", name: "printer", address: "10.2.0.3", subnet: SUBNET },
      "aux address printer 10.2.0.3 is not in it",
    ],
    [{ subnet: SUBNET, auxAddresses: { a: "10.1.0.255" } }, { rule: "aux-address-reserved" }, "broadcast"],
    [
      { subnet: SUBNET, auxAddresses: { a: "10.1.0.1" } },
      { rule: "aux-address-conflict", name: "a", holder: "the gateway" },
      "the gateway's already",
    ],
    [
      { subnet: SUBNET, auxAddresses: { a: "10.1.0.5", b: "10.1.0.5" } },
      { rule: "aux-address-conflict", name: "b", holder: "aux address a" },
      "aux address a's already",
    ],
    [{ subnet: SUBNET, exclusions: ["x"] }, { rule: "exclusion-invalid", exclusion: "x" }, ""],
    [{ subnet: SUBNET, exclusions: ["10.1.0.250-10.1.1.3"] }, { rule: "exclusion-outside" }, "exclusion"],
    [{ subnet: "10.1.0.7/32" }, { rule: "subnet-used-up", subnet: "10.1.0.7/32" }, "no address is left"],
    [{ subnet: "10.1.0.0/30", exclusions: ["10.1.0.2"] }, { rule: "subnet-used-up" }, "no address is left"],
  ])("is refused by a rule: %j", (spec, details, words) => {
    const { details: told, reason } = refusalOf(() => subnetOfSpec(spec));
    expect(told).toMatchObject(details);
    expect(reason).toContain(words);
  });

  test("is refused when rangeStart is outside of ipRange", () => {
    const spec = { subnet: "10.1.0.0/24", ipRange: "10.1.0.0/25", rangeStart: "10.1.0.200" };
    expect(refusalOf(() => subnetOfSpec(spec)).message).toContain("rangeStart");
  });

  test("becomes one pool per family, in the order in which the families appear", () => {
    const texts = ["fd00::/64", "10.1.0.0/24", "10.2.0.0/24", "fd00:1::/64"];
    const pools = poolsOfSubnets(texts.map((subnet) => subnetOfSpec({ subnet })));
    expect(
      pools.map(({ family, subnets }) => [family, ...subnets.map(({ subnet }) => formatPrefix(subnet))]),
    ).toEqual([
      [6, "fd00::/64", "fd00:1::/64"],
      [4, "10.1.0.0/24", "10.2.0.0/24"],
    ]);
  });

  test("overlaps no other one of its network", () => {
    const nested = ["10.1.0.0/16", "10.1.3.0/24"].map((subnet) => subnetOfSpec({ subnet }));
    const { details, reason } = refusalOf(() => poolsOfSubnets(nested));
    expect(details).toEqual({ rule: "subnets-overlap", subnet: "10.1.3.0/24", otherSubnet: "10.1.0.0/16" });
    expect(reason).toBe("they overlap");
  });
});
