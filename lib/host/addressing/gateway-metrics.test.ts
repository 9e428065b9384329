import { AF_INET, AF_INET6 } from "../../netlink/route/family.ts";
import { type Route, RT_TABLE_MAIN, RTN_UNICAST } from "../../netlink/route/route.ts";
import { firstGatewayMetric, gatewayMetricAmong } from "./gateway-metrics.ts";

/** A default route as the kernel tells it, of a link that is not ours. */
const route = (priority: number | undefined, keys: Partial<Route> = {}): Route =>
  ({
    family: AF_INET,
    destinationLength: 0,
    headerTable: RT_TABLE_MAIN,
    type: RTN_UNICAST,
    ifindex: 2,
    ...(priority !== undefined && { priority }),
    ...keys,
  }) as Route;

const among = (routes: readonly Route[], priority = 0) =>
  gatewayMetricAmong(routes, { family: 4, priority, ifindex: 7 });

test("a higher priority has a lower metric, whatever is tied with it", () => {
  const priorities = [-(2 ** 31), -999_990, -7, -1, 0, 1, 100, 999_990, 2 ** 31 - 1];
  const metrics = priorities.map(firstGatewayMetric);
  for (const [at, metric] of metrics.entries()) {
    expect(metric).toBeGreaterThan(1024);
    expect(metric + 999).toBeLessThan(2 ** 31);
    const next = metrics[at + 1];
    if (next !== undefined && Math.abs(priorities[at] ?? 0) < 999_990)
      expect(next + 999).toBeLessThan(metric);
  }
  expect(firstGatewayMetric(3)).toBe(999_997_000);
});

test("among equals the first stays, also after one between them went", () => {
  expect(among([])).toEqual({ metric: 1_000_000_000, isOurs: false });
  expect(among([route(1_000_000_000)])).toEqual({ metric: 1_000_000_001, isOurs: false });
  expect(among([route(1_000_000_005)])).toEqual({ metric: 1_000_000_006, isOurs: false });
});

test("other priorities, other families, other tables and other destinations do not count", () => {
  const others = [
    route(999_999_000),
    route(1_000_001_000),
    route(undefined),
    route(1_000_000_000, { family: AF_INET6 }),
    route(1_000_000_000, { headerTable: 100 }),
    route(1_000_000_000, { destinationLength: 8 }),
  ];
  expect(among(others)).toEqual({ metric: 1_000_000_000, isOurs: false });
});

test("a route of the same link is ours, and kept", () => {
  const routes = [route(1_000_000_000), route(1_000_000_001, { ifindex: 7 })];
  expect(among(routes)).toEqual({ metric: 1_000_000_001, isOurs: true });
});

test("behind the last metric of a priority the highest free one is taken", () => {
  expect(among([route(1_000_000_999)]).metric).toBe(1_000_000_998);
  expect(among([route(1_000_000_999), route(1_000_000_998)]).metric).toBe(1_000_000_997);
});
