import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { formatPrefix, parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import { EMPTY_DNS, EMPTY_RESULT, type ResultRoute } from "../../lib/cni/result.ts";
import type { RouteSpec } from "../../lib/host/addressing/routes.ts";
import { completeAddresses, isDefaultRoute, routesOf } from "./address-plan.ts";

const planned = (address: string, gateway?: string) => ({
  address: parseInterfaceAddress(address),
  gateway: gateway === undefined ? undefined : parseAddress(gateway),
});
const BOTH = [planned("10.1.0.2/24", "10.1.0.1"), planned("fd00::2/64", "fd00::1")];
const shown = ({ destination, gateway, ...rest }: RouteSpec) => ({
  to: formatPrefix(destination),
  ...(gateway && { via: formatAddress(gateway) }),
  ...rest,
});
const routes = (all: readonly ResultRoute[], ips = BOTH) => routesOf({ ips, routes: all }).map(shown);

test("a route goes through its own gateway, or that of its family", () => {
  expect(
    routes([{ dst: "0.0.0.0/0" }, { dst: "::/0" }, { dst: "192.0.2.7/24", gw: "10.1.0.9" }]),
  ).toStrictEqual([
    { to: "0.0.0.0/0", via: "10.1.0.1" },
    { to: "::/0", via: "fd00::1" },
    { to: "192.0.2.0/24", via: "10.1.0.9" },
  ]);
});

test("without a gateway of its family it has none", () => {
  expect(routes([{ dst: "::/0" }], [planned("10.1.0.2/24", "10.1.0.1")])).toStrictEqual([{ to: "::/0" }]);
  expect(routes([{ dst: "0.0.0.0/0" }], [planned("10.1.0.2/24")])).toStrictEqual([{ to: "0.0.0.0/0" }]);
});

test("one whose scope is the link, or narrower, has none either, unless it names one", () => {
  const dst = "192.0.2.0/24";
  const via = "10.1.0.1";
  expect(
    routes([
      { dst, scope: 253 },
      { dst, scope: 254 },
      { dst, scope: 252 },
      { dst, scope: 0 },
    ]),
  ).toEqual([
    { to: dst, scope: 253 },
    { to: dst, scope: 254 },
    { to: dst, scope: 252, via },
    { to: dst, scope: 0, via },
  ]);
  expect(routes([{ dst, scope: 253, gw: "10.1.0.9" }])).toEqual([{ to: dst, scope: 253, via: "10.1.0.9" }]);
});

test("attributes are passed on as they are, zeros too", () => {
  const attributes = { mtu: 1400, advmss: 1300, priority: 7, table: 0, scope: 0 };
  const [route] = routes([{ dst: "192.0.2.0/24", ...attributes }]);
  expect(route).toEqual({ to: "192.0.2.0/24", via: "10.1.0.1", ...attributes });
});

test.each([
  ["0.0.0.0/0", true],
  ["10.1.0.0/0", true],
  ["::/0", true],
  ["0.0.0.0/1", false],
  ["192.0.2.0/24", false],
  ["::/1", false],
])("whether %s leads everywhere: %s", (dst, expected) => {
  expect(isDefaultRoute({ dst })).toBe(expected);
});

describe("default routes", () => {
  const complete = (ips: { address: string; gateway?: string }[], given: ResultRoute[] = []) =>
    completeAddresses(
      { isGateway: false, isDefaultGateway: true, dns: null },
      { ...EMPTY_RESULT, ips, routes: given },
    );
  const IPV4 = { address: "10.1.0.2/24", gateway: "10.1.0.1" };

  test("are of the families that have addresses", () => {
    expect(complete([IPV4]).routes).toEqual([{ dst: "0.0.0.0/0", gw: "10.1.0.1" }]);
    expect(complete([{ address: "10.1.0.2/24" }]).routes).toEqual([]);
  });

  test("are made beside a route to somewhere else", () => {
    const given = [{ dst: "192.0.2.0/24", gw: "10.1.0.9" }];
    expect(complete([IPV4], given).routes).toEqual([...given, { dst: "0.0.0.0/0", gw: "10.1.0.1" }]);
  });

  test("take nothing from what IPAM says of dns", () => {
    expect(complete([IPV4]).dns).toBe(EMPTY_DNS);
  });
});
