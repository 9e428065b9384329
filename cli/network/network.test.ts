import type { Network } from "../../lib/ipam/api.ts";
import { alignCells, alignTabs } from "../output/columns.ts";
import { listFilter, pruneFilter } from "./filters.ts";
import { naturalOrder } from "./order.ts";
import { matchSubnets } from "./subnets.ts";

describe("addresses are matched to subnets", () => {
  const match = (given: Partial<Parameters<typeof matchSubnets>[0]>) =>
    matchSubnets({ subnets: [], ranges: [], gateways: [], auxAddresses: {}, ...given });

  test("in any order, each to the one that it lies in", () => {
    const subnets = ["10.1.0.0/24", "fd00:1::/64"];
    const gateways = ["fd00:1::fe", "10.1.0.254"];
    const auxAddresses = { a: "10.1.0.9", b: "fd00:1::9" };
    expect(match({ subnets, gateways, ranges: ["10.1.0.128/25"], auxAddresses })).toEqual([
      {
        subnet: "10.1.0.0/24",
        ipRange: "10.1.0.128/25",
        gateway: "10.1.0.254",
        auxAddresses: { a: "10.1.0.9" },
      },
      { subnet: "fd00:1::/64", gateway: "fd00:1::fe", auxAddresses: { b: "fd00:1::9" } },
    ]);
  });

  test.each([
    [{ gateways: ["10.9.0.1"] }, "every ip-range or gateway must have a corresponding subnet"],
    [{ subnets: ["10.9.0.0/24"], gateways: ["10.10.0.1"] }, "no matching subnet for gateway 10.10.0.1"],
    [{ subnets: ["10.9.0.0/24"], gateways: ["bogus"] }, "no matching subnet for gateway bogus"],
    [{ subnets: ["10.9.0.0/24"], ranges: ["10.10.0.0/24"] }, "no matching subnet for range 10.10.0.0/24"],
    [{ subnets: ["10.9.0.0/24"], auxAddresses: { x: "" } }, "no matching subnet for aux-address "],
    [
      { subnets: ["10.9.0.0/24", "10.9.0.0/25"] },
      "multiple overlapping subnet configuration is not supported",
    ],
    [{ subnets: ["10.0.0.0/33"] }, "Invalid subnet 10.0.0.0/33 : invalid CIDR address: 10.0.0.0/33"],
    [{ subnets: ["10.0.0.1/24"] }, "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"],
    [
      { subnets: ["10.9.0.0/24", "10.8.0.0/24"], gateways: ["10.9.0.1", "10.9.0.2"] },
      "cannot configure multiple gateways (10.9.0.2, 10.9.0.1) for the same subnet (10.9.0.0/24)",
    ],
    [
      { subnets: ["10.9.0.0/24", "10.8.0.0/24"], ranges: ["10.9.0.0/25", "10.9.0.128/25"] },
      "cannot configure multiple ranges (10.9.0.128/25, 10.9.0.0/25) on the same subnet (10.9.0.0/24)",
    ],
  ])("%j is refused", (given, message) => {
    expect(() => match(given)).toThrow(message);
  });
});

test("names are sorted by the numbers in them", () => {
  const names = ["net10", "net2", "a", "net02", "bridge", "net", "b1c10", "b1c9"];
  expect([...names].sort(naturalOrder)).toEqual([
    "a",
    "b1c9",
    "b1c10",
    "bridge",
    "net",
    "net2",
    "net02",
    "net10",
  ]);
});

describe("filters", () => {
  const network = (name: string, more: Partial<Network> = {}): Network =>
    ({
      name,
      id: `${name}00`,
      driver: "bridge",
      origin: "api",
      labels: {},
      attachments: 0,
      createdAt: "2026-01-02T00:00:00.000Z",
      ...more,
    }) as Network;
  const all = [
    network("bridge", { origin: "predefined" }),
    network("host", { origin: "predefined", driver: "host" }),
    network("web", { labels: { env: "prod", keep: "" }, attachments: 1 }),
    network("web2", { labels: { env: "test" } }),
    network("old", { origin: "conflist", createdAt: "2025-01-01T00:00:00.000Z" }),
  ];
  const names = (filters: string[]) => all.filter(listFilter(filters)).map(({ name }) => name);

  test.each([
    [[], ["bridge", "host", "web", "web2", "old"]],
    [["driver=host"], ["host"]],
    [
      ["driver=host", "driver=bridge", "name=web"],
      ["web", "web2"],
    ],
    [
      ["name=^web$", "name=ho"],
      ["host", "web"],
    ],
    [["name=("], []],
    [["id=web2"], ["web2"]],
    [["label=env"], ["web", "web2"]],
    [["label=env=prod"], ["web"]],
    [["label=env", "label=keep"], ["web"]],
    [
      ["scope=local", "type=builtin"],
      ["bridge", "host"],
    ],
    [["scope=swarm"], []],
    [
      ["type=custom", "type=builtin"],
      ["bridge", "host", "web", "web2", "old"],
    ],
    [["dangling=true"], ["web2", "old"]],
    [["dangling=0"], ["bridge", "host", "web"]],
  ])("%j", (filters, expected) => {
    expect(names(filters)).toEqual(expected);
  });

  test.each([
    [["bogus=x"], "Invalid filter 'bogus'"],
    [["dangling=maybe"], "invalid value for filter 'dangling'"],
    [["type=odd"], "invalid filter: 'type'='odd'"],
  ])("%j is refused", (filters, message) => {
    expect(() => names(filters)).toThrow(message);
  });

  const now = Date.parse("2026-01-03T00:00:00Z");
  test.each([
    [["until=24h"], 5],
    [["until=24h1m"], 1],
    [["until=2025-06-01"], 1],
    [["until=1767312000"], 5],
    [["label!=env"], 3],
    [["label=env", "label!=env=test"], 1],
  ])("of prune: %j", (filters, count) => {
    expect(all.filter(pruneFilter(filters, now))).toHaveLength(count);
  });

  test.each([
    [["until=soon"], 'failed to parse value as time or duration: "soon"'],
    [["name=web"], "Invalid filter 'name'"],
  ])("of prune: %j is refused", (filters, message) => {
    expect(() => pruneFilter(filters, now)).toThrow(message);
  });
});

describe("columns", () => {
  test("are at least ten wide and three apart, the last one is open", () => {
    expect(alignTabs(["ID\tNAME\tX", "1234567890ab\tfrontend-1\tyy"])).toEqual([
      "ID             NAME         X",
      "1234567890ab   frontend-1   yy",
    ]);
  });

  test("one column gives way on a narrow terminal, and control characters are shown", () => {
    const rows = [
      ["ID", "NAME", "DRIVER"],
      ["1", "a-very-long-name-of-a-network", "bridge"],
      ["2", "\u001b[2J", "bridge"],
    ];
    const lines = alignCells(rows, { columns: 40, cutAt: 1 });
    expect(lines).toEqual([
      "ID        NAME                    DRIVER",
      "1         a-very-long-name-of…    bridge".replace("…    ", "-…   "),
      "2         \\u001b[2J               bridge",
    ]);
    expect(alignCells(rows, { columns: null, cutAt: 1 })[1]).toContain("a-very-long-name-of-a-network");
  });
});
