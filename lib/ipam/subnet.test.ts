import { formatAddress } from "../addr/address.ts";
import { formatPrefix } from "../addr/prefix.ts";
import { formatRange } from "../addr/range.ts";
import { FairleadError } from "../errors.ts";
import type { RangeDeclaration } from "./api.ts";
import type { SubnetRecord } from "./store.ts";
import { checkDisjointPools, poolOfRangeSet, subnetOfDeclaration, usableRuns, withheldOf } from "./subnet.ts";

const show = ({ subnet, gateway, ranges }: SubnetRecord) => ({
  subnet: formatPrefix(subnet),
  gateway: gateway === null ? null : formatAddress(gateway),
  ranges: ranges.map(formatRange),
});

const usable = (record: SubnetRecord) => {
  const pools = [{ family: record.subnet.address.family, subnets: [record] }];
  return usableRuns(record.ranges, withheldOf(pools)).map(formatRange);
};

const messageOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof FairleadError && error.code === "invalid-config") return error.message;
    throw error;
  }
  throw new Error("it did not fail");
};

describe("a declared range", () => {
  const rows: [string, RangeDeclaration, ReturnType<typeof show>, string[]][] = [
    [
      "has the reference's defaults in IPv4",
      { subnet: "10.1.0.0/24" },
      { subnet: "10.1.0.0/24", gateway: "10.1.0.1", ranges: ["10.1.0.1-10.1.0.254"] },
      ["10.1.0.2-10.1.0.254"],
    ],
    [
      "has the reference's defaults in IPv6, where the last address is no broadcast",
      { subnet: "fd00::/120" },
      { subnet: "fd00::/120", gateway: "fd00::1", ranges: ["fd00::1-fd00::ff"] },
      ["fd00::2-fd00::ff"],
    ],
    [
      "takes its bounds and its gateway",
      { subnet: "10.1.0.0/24", rangeStart: "10.1.0.10", rangeEnd: "10.1.0.20", gateway: "10.1.0.15" },
      { subnet: "10.1.0.0/24", gateway: "10.1.0.15", ranges: ["10.1.0.10-10.1.0.20"] },
      ["10.1.0.10-10.1.0.14", "10.1.0.16-10.1.0.20"],
    ],
    [
      "may span the network and broadcast addresses, which are not handed out all the same",
      { subnet: "10.1.0.0/30", rangeStart: "10.1.0.0", rangeEnd: "10.1.0.3" },
      { subnet: "10.1.0.0/30", gateway: "10.1.0.1", ranges: ["10.1.0.0-10.1.0.3"] },
      ["10.1.0.2"],
    ],
    [
      "may have its gateway in another subnet",
      { subnet: "10.1.0.0/30", gateway: "10.9.9.9" },
      { subnet: "10.1.0.0/30", gateway: "10.9.9.9", ranges: ["10.1.0.1-10.1.0.2"] },
      ["10.1.0.1-10.1.0.2"],
    ],
  ];
  test.each(rows)("%s", (_, declaration, expected, free) => {
    const record = subnetOfDeclaration(declaration);
    expect(show(record)).toEqual(expected);
    expect(usable(record)).toEqual(free);
  });

  test.each<[string, RangeDeclaration, string]>([
    ["is a /31", { subnet: "10.1.0.0/31" }, "at most /30"],
    ["is a /32", { subnet: "10.1.0.0/32" }, "at most /30"],
    ["is a /127", { subnet: "fd00::/127" }, "at most /126"],
    ["has host bits", { subnet: "10.1.0.1/24" }, "10.1.0.0/24"],
    ["is no prefix", { subnet: "10.1.0.0" }, "10.1.0.0"],
    ["starts outside", { subnet: "10.1.0.0/24", rangeStart: "10.1.1.5" }, "rangeStart 10.1.1.5"],
    ["ends outside", { subnet: "10.1.0.0/24", rangeEnd: "10.1.1.5" }, "rangeEnd 10.1.1.5"],
    [
      "ends before it starts",
      { subnet: "10.1.0.0/24", rangeStart: "10.1.0.9", rangeEnd: "10.1.0.8" },
      "ends before",
    ],
    [
      "has a gateway of the other family",
      { subnet: "10.1.0.0/24", gateway: "fd00::1" },
      "other address family",
    ],
  ])("is refused when it %s", (_, declaration, part) => {
    expect(messageOf(() => subnetOfDeclaration(declaration))).toContain(part);
  });
});

describe("a range set", () => {
  test("merges ranges of one subnet", () => {
    const pool = poolOfRangeSet([
      { subnet: "10.1.0.0/24", rangeStart: "10.1.0.10", rangeEnd: "10.1.0.19" },
      { subnet: "10.1.0.0/24", rangeStart: "10.1.0.30", rangeEnd: "10.1.0.39" },
      { subnet: "10.2.0.0/24" },
    ]);
    expect(pool.subnets.map(show)).toEqual([
      { subnet: "10.1.0.0/24", gateway: "10.1.0.1", ranges: ["10.1.0.10-10.1.0.19", "10.1.0.30-10.1.0.39"] },
      { subnet: "10.2.0.0/24", gateway: "10.2.0.1", ranges: ["10.2.0.1-10.2.0.254"] },
    ]);
  });

  test("is refused when it is empty, mixes families, or overlaps itself", () => {
    expect(messageOf(() => poolOfRangeSet([]))).toContain("empty");
    const mixed = [{ subnet: "10.1.0.0/24" }, { subnet: "fd00::/64" }];
    expect(messageOf(() => poolOfRangeSet(mixed))).toContain("mixes address families");
    const twice = [{ subnet: "10.1.0.0/24" }, { subnet: "10.1.0.0/16", rangeStart: "10.1.0.200" }];
    expect(messageOf(() => poolOfRangeSet(twice))).toContain("overlap");
  });

  test("may share a subnet with another one, but no address", () => {
    const low = poolOfRangeSet([{ subnet: "10.1.0.0/24", rangeEnd: "10.1.0.99" }]);
    const high = poolOfRangeSet([{ subnet: "10.1.0.0/24", rangeStart: "10.1.0.100" }]);
    const across = poolOfRangeSet([
      { subnet: "10.1.0.0/24", rangeStart: "10.1.0.99", rangeEnd: "10.1.0.100" },
    ]);
    expect(() => checkDisjointPools([low, high])).not.toThrow();
    expect(messageOf(() => checkDisjointPools([low, high, across]))).toContain("overlap");
  });

  test("keeps the gateways of all sets out of each", () => {
    const low = poolOfRangeSet([{ subnet: "10.1.0.0/24", rangeEnd: "10.1.0.3", gateway: "10.1.0.102" }]);
    const high = poolOfRangeSet([
      { subnet: "10.1.0.0/24", rangeStart: "10.1.0.101", rangeEnd: "10.1.0.103", gateway: "10.1.0.2" },
    ]);
    const withheld = withheldOf([low, high]);
    const runs = [low, high].map((pool) =>
      usableRuns(
        pool.subnets.flatMap(({ ranges }) => ranges),
        withheld,
      ).map(formatRange),
    );
    expect(runs).toEqual([
      ["10.1.0.1", "10.1.0.3"],
      ["10.1.0.101", "10.1.0.103"],
    ]);
  });
});

test("declarations of one subnet are one, those of others stay apart, also behind one gateway", () => {
  const [first, second] = [
    { subnet: "10.1.0.0/24", rangeStart: "10.1.0.10", rangeEnd: "10.1.0.19" },
    { subnet: "10.1.0.0/24", rangeStart: "10.1.0.30", rangeEnd: "10.1.0.39" },
  ];
  const gateway = "10.1.0.1";
  const pool = poolOfRangeSet([
    { ...first, gateway },
    { ...second, gateway },
    { subnet: "10.2.0.0/24", gateway },
  ]);
  expect(pool.subnets.map(show)).toEqual([
    { subnet: "10.1.0.0/24", gateway, ranges: ["10.1.0.10-10.1.0.19", "10.1.0.30-10.1.0.39"] },
    { subnet: "10.2.0.0/24", gateway, ranges: ["10.2.0.1-10.2.0.254"] },
  ]);
});
