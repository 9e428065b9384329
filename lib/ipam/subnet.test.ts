import { formatAddress } from "../addr/address.ts";
import { formatPrefix } from "../addr/prefix.ts";
import { formatRange } from "../addr/range.ts";
import { FairleadError } from "../errors.ts";
import type { RangeDeclaration } from "./api.ts";
import type { PoolRecord, SubnetRecord } from "./store.ts";
import {
  checkDisjointPools,
  poolOf,
  poolsOfRangeSets,
  subnetOfDeclaration,
  usableRuns,
  withheldOf,
} from "./subnet.ts";
import { subnetOfSpec } from "./subnet-spec.ts";

const show = ({ subnet, gateway, ranges }: SubnetRecord) => ({
  subnet: formatPrefix(subnet),
  gateway: gateway === null ? null : formatAddress(gateway),
  ranges: ranges.map(formatRange),
});

const usable = (record: SubnetRecord) => {
  const pools = [{ family: record.subnet.address.family, subnets: [record] }];
  return usableRuns(record.ranges, withheldOf(pools)).map(formatRange);
};

const poolOfRangeSet = (set: readonly RangeDeclaration[]) => poolsOfRangeSets([set])[0] as PoolRecord;

const refusalOf = (action: () => unknown): FairleadError => {
  try {
    action();
  } catch (error) {
    if (error instanceof FairleadError && error.code === "invalid-config") return error;
    throw error;
  }
  throw new Error("it did not fail");
};

const messageOf = (action: () => unknown): string => refusalOf(action).message;

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
      "may span the first address of IPv6, which is not handed out either",
      { subnet: "fd00::/126", rangeStart: "fd00::", rangeEnd: "fd00::3" },
      { subnet: "fd00::/126", gateway: "fd00::1", ranges: ["fd00::-fd00::3"] },
      ["fd00::2-fd00::3"],
    ],
    [
      "may have its gateway in another subnet",
      { subnet: "10.1.0.0/30", gateway: "10.9.9.9" },
      { subnet: "10.1.0.0/30", gateway: "10.9.9.9", ranges: ["10.1.0.1-10.1.0.2"] },
      ["10.1.0.1-10.1.0.2"],
    ],
  ];
  test.each(rows)("%s", (...[_, declaration, expected, free]) => {
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
    [
      "starts outside",
      { subnet: "10.1.0.0/24", rangeStart: "10.1.1.5" },
      "rangeStart: 10.1.1.5 is not in 10.1.0.0/24",
    ],
    [
      "ends outside",
      { subnet: "10.1.0.0/24", rangeEnd: "10.1.1.5" },
      "rangeEnd: 10.1.1.5 is not in 10.1.0.0/24",
    ],
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
    [
      "excludes what ends outside",
      { subnet: "10.1.0.0/24", exclude: ["10.1.0.250-10.1.1.5"] },
      "10.1.0.250-10.1.1.5 is not in 10.1.0.0/24",
    ],
    [
      "excludes what begins outside",
      { subnet: "10.1.0.0/24", exclude: ["10.0.255.250-10.1.0.5"] },
      "10.0.255.250-10.1.0.5 is not in 10.1.0.0/24",
    ],
  ])("is refused when it %s", (_, declaration, part) => {
    expect(messageOf(() => subnetOfDeclaration(declaration))).toContain(part);
  });
});

describe("a fault of a declaration says its place, and its advice fits there", () => {
  const fine = { subnet: "10.9.0.0/24" };
  const second = (range: object) => [
    [fine],
    [{ subnet: "10.8.0.0/24" }, { subnet: "10.1.0.0/24", ...range }],
  ];
  const place = "rangeSets[1][1]";
  test.each<[string, readonly (readonly RangeDeclaration[])[], string, string]>([
    [
      `${place}.subnet`,
      second({ subnet: "10.1.0.7" }),
      '"10.1.0.7" is refused: it has no prefix length',
      "write it like 10.1.0.0/24",
    ],
    [
      `${place}.subnet`,
      second({ subnet: "10.1.0.7/24" }),
      '"10.1.0.7/24" is refused: it has bits beyond its length',
      "write 10.1.0.0/24",
    ],
    [
      `${place}.subnet`,
      second({ subnet: "usePodCidr" }),
      '"usePodCidr" is refused: an IPv4 address has four numbers, like 10.1.2.3',
      "",
    ],
    [
      `${place}.subnet`,
      second({ subnet: "10.1.0.0/255.255.255.0" }),
      '"10.1.0.0/255.255.255.0" is refused: the prefix length is not 0 to 32',
      "write the number of bits after the slash, like 10.1.0.0/24",
    ],
    [
      `${place}.subnet`,
      second({ subnet: "10.1.0.0/31" }),
      '"10.1.0.0/31" is too small to hand out addresses of',
      "use a prefix of at most /30",
    ],
    [
      `${place}.rangeStart`,
      second({ rangeStart: "10.1.0.300" }),
      '"10.1.0.300" is refused: "300" is not 0 to 255',
      "",
    ],
    [
      `${place}.rangeStart`,
      second({ rangeStart: "10.1.0.255" }),
      "the range 10.1.0.255 to 10.1.0.254 ends before it starts",
      "give an address up to 10.1.0.254",
    ],
    [
      `${place}.rangeEnd`,
      second({ rangeEnd: "10.7.0.1" }),
      "10.7.0.1 is not in 10.1.0.0/24",
      "give an address of that",
    ],
    [
      `${place}.rangeEnd`,
      second({ rangeStart: "10.1.0.9", rangeEnd: "10.1.0.3" }),
      "the range 10.1.0.9 to 10.1.0.3 ends before it starts",
      "give an address from 10.1.0.9 on",
    ],
    [
      `${place}.gateway`,
      second({ gateway: "10.1.0.1/24" }),
      '"10.1.0.1/24" is refused: it has a prefix length',
      "write the address alone: 10.1.0.1",
    ],
    [
      `${place}.gateway`,
      second({ gateway: "fd00::1" }),
      "fd00::1 is of the other address family than the subnet 10.1.0.0/24",
      "give an address of the subnet's family, or leave it out",
    ],
    [
      `${place}.exclude[1]`,
      second({ exclude: ["10.1.0.9", "10.1.0.9-10.1.0.5"] }),
      '"10.1.0.9-10.1.0.5" is refused: it ends before it starts',
      "write 10.1.0.5-10.1.0.9",
    ],
    [
      `${place}.exclude[0]`,
      second({ exclude: ["10.0.0.0/8"] }),
      "10.0.0.0/8 is not in 10.1.0.0/24",
      "give a part of that",
    ],
    [
      `${place}.subnet`,
      second({ subnet: "fd00::/64" }),
      "one range set mixes address families: 10.8.0.0/24 and fd00::/64",
      "put each family into a range set of its own",
    ],
    ["rangeSets[1]", [[fine], []], "the range set is empty", "give it a range, or leave it out"],
    [
      place,
      second({ subnet: "10.8.0.0/28" }),
      "its addresses 10.8.0.1-10.8.0.14 overlap 10.8.0.1-10.8.0.254 of rangeSets[1][0]",
      "set them apart by rangeStart and rangeEnd, or name them once",
    ],
    [
      place,
      second({ subnet: "10.9.0.0/16", rangeEnd: "10.9.0.1" }),
      "its addresses 10.9.0.1 overlap 10.9.0.1-10.9.0.254 of rangeSets[0][0]",
      "set them apart by rangeStart and rangeEnd, or name them once",
    ],
  ])("%s of %j", (...[field, rangeSets, reason, hint]) => {
    expect(refusalOf(() => poolsOfRangeSets(rangeSets))).toMatchObject({
      object: field,
      reason,
      hint,
      details: { field },
    });
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

test("what any declaration of a subnet excludes is withheld of all, and all of their ranges may be asked for", () => {
  const pool = poolOfRangeSet([
    { subnet: "10.1.0.0/24", rangeStart: "10.1.0.10", rangeEnd: "10.1.0.19", exclude: ["10.1.0.12"] },
    { subnet: "10.1.0.0/24", rangeStart: "10.1.0.30", rangeEnd: "10.1.0.39", exclude: ["10.1.0.32"] },
  ]);
  const [subnet, ...others] = pool.subnets;
  expect(others).toEqual([]);
  expect(subnet?.exclusions.map(formatRange)).toEqual(["10.1.0.12", "10.1.0.32"]);
  expect(subnet?.askable.map(formatRange)).toEqual(["10.1.0.10-10.1.0.19", "10.1.0.30-10.1.0.39"]);
});

test("subnets without a gateway are one, and none of those with one", () => {
  const half = (gateway: string | null, ipRange: string) =>
    subnetOfSpec({ subnet: "10.1.0.0/24", gateway, ipRange });
  const [low, high] = ["10.1.0.0/25", "10.1.0.128/25"] as const;
  const gateways = (...records: SubnetRecord[]) => poolOf(records).subnets.map((each) => show(each).gateway);
  expect(gateways(half(null, low), half(null, high))).toEqual([null]);
  expect(gateways(half(null, low), half("10.1.0.1", high))).toEqual([null, "10.1.0.1"]);
  expect(gateways(half("10.1.0.1", low), half(null, high))).toEqual(["10.1.0.1", null]);
});

test("a declared range knows whether its gateway was given, and comes out of no default pool", () => {
  const flags = [{}, { gateway: "10.1.0.1" }].map((more) => {
    const { gatewayGiven, fromDefaultPool } = subnetOfDeclaration({ subnet: "10.1.0.0/24", ...more });
    return [gatewayGiven, fromDefaultPool];
  });
  expect(flags).toEqual([
    [false, false],
    [true, false],
  ]);
});
