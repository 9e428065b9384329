import { decodeCapture, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { parseAddress } from "../../addr/address.ts";
import { parsePrefix } from "../../addr/prefix.ts";
import { FairleadError } from "../../errors.ts";
import { AF_INET, AF_INET6 } from "./family.ts";
import {
  deleteRoute,
  getRoutes,
  lookUpRoute,
  newRoute,
  type Route,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_F_FIB_MATCH,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT_KERNEL,
  routeMessage,
  routeTable,
} from "./route.ts";

const gateway = parseAddress("10.1.2.1");

describe("requests", () => {
  test("to add a route with metrics in a table above 255 are those of ip", () => {
    const request = newRoute({
      destination: parsePrefix("10.9.0.0/16"),
      gateway,
      ifindex: 2,
      preferredSource: parseAddress("10.1.2.3"),
      metrics: { mtu: 1400, advmss: 1360 },
      priority: 7,
      table: 300,
    });
    expectSameRequest(request, "route-metrics-add.request", routeMessage);
    expect(request).toMatchObject({
      operation: "add route",
      object: "10.9.0.0/16 via 10.1.2.1 on ifindex 2 in table 300",
    });
  });

  test("to add a route without a gateway are those of ip: scope link", () => {
    const request = newRoute({ destination: parsePrefix("10.8.0.0/16"), ifindex: 2 });
    expectSameRequest(request, "route-link-add.request", routeMessage);
  });

  test("to add a route by a gateway of the other family are those of ip", () => {
    const destination = parsePrefix("10.10.0.0/16");
    const request = newRoute({ destination, gateway: parseAddress("fe80::1"), ifindex: 2 });
    expectSameRequest(request, "route-via-add.request", routeMessage);
  });

  test("to add a route by several ways are those of ip", () => {
    const nexthops = [
      { gateway, ifindex: 2, weight: 2 },
      { gateway: parseAddress("10.1.2.2"), ifindex: 2 },
    ];
    const request = newRoute({ destination: parsePrefix("10.11.0.0/16"), nexthops });
    expectSameRequest(request, "route-multipath-add.request", routeMessage);
  });

  test("to add a default route leave the destination out, where ip writes zeros", () => {
    const destination = parsePrefix("::/0");
    const { payload } = newRoute({
      destination,
      gateway: parseAddress("2001:db8:1::1"),
      ifindex: 2,
      onlink: true,
    });
    const [captured] = decodeCapture("route6-default-add.request", routeMessage);
    if (!captured) throw new Error("no route");
    const { destination: zeros, ...rest } = captured;
    expect(zeros).toEqual(destination.address);
    expect(routeMessage.decode(payload)).toEqual(rest);
    expect(rest.flags).toBe(RTNH_F_ONLINK);
  });

  test("to delete a route are those of ip: what is not given does not matter", () => {
    const request = deleteRoute({ destination: parsePrefix("10.8.0.0/16"), ifindex: 2 });
    expectSameRequest(request, "route-link-delete.request", routeMessage);
    expect(routeMessage.decode(request.payload).scope).toBe(RT_SCOPE_NOWHERE);
  });

  test("have the scope that the kind of route calls for", () => {
    const scope = (request: Parameters<typeof newRoute>[0]) =>
      routeMessage.decode(newRoute(request).payload).scope;
    const destination = parsePrefix("10.8.0.0/16");
    expect(scope({ destination, gateway, ifindex: 2 })).toBe(RT_SCOPE_UNIVERSE);
    expect(scope({ destination, type: RTN_BLACKHOLE })).toBe(RT_SCOPE_UNIVERSE);
    expect(scope({ destination, type: RTN_LOCAL, ifindex: 1 })).toBe(RT_SCOPE_HOST);
    expect(scope({ destination: parsePrefix("2001:db8::/32"), ifindex: 2 })).toBe(RT_SCOPE_UNIVERSE);
    expect(scope({ destination, ifindex: 2, scope: RT_SCOPE_HOST })).toBe(RT_SCOPE_HOST);
  });

  test("to look a route up name the whole address", () => {
    const { payload } = lookUpRoute({
      destination: parseAddress("10.10.1.1"),
      source: gateway,
      mark: 3,
      matchedRoute: true,
    });
    expect(routeMessage.decode(payload)).toMatchObject({
      family: AF_INET,
      destinationLength: 32,
      sourceLength: 32,
      flags: RTM_F_FIB_MATCH,
      source: gateway,
      mark: 3,
    });
  });

  test("to list filter by family, table and link, in the kernel and here", () => {
    const { payload, accepts } = getRoutes({ family: 4, table: RT_TABLE_MAIN, ifindex: 2 });
    expect(routeMessage.decode(payload)).toMatchObject({ family: AF_INET, table: 254, ifindex: 2 });
    const [matched] = decodeCapture("route-match.reply", routeMessage);
    if (!matched) throw new Error("no route");
    expect(accepts?.(matched)).toBe(true);
    expect(accepts?.({ ...matched, table: 300 })).toBe(false);
    expect(accepts?.({ ...matched, table: undefined, headerTable: 255 })).toBe(false);
    expect(accepts?.({ ...matched, family: AF_INET6 })).toBe(false);
    expect(accepts?.({ ...matched, multipath: undefined, ifindex: 3 })).toBe(false);
    expect(getRoutes().accepts?.({ ...matched, family: AF_INET6, table: 300 })).toBe(true);
  });
});

function routeTo(routes: readonly Route[], destination: string): Route | undefined {
  const { address, length } = parsePrefix(destination);
  return routes.find(
    (route) => route.destinationLength === length && route.destination?.value === address.value,
  );
}

describe("routes (captured)", () => {
  const routes = decodeCapture("route-show.reply", routeMessage);

  test("have the metrics that ip shows", () => {
    expect(routeTo(routes, "10.9.0.0/16")).toMatchObject({
      family: AF_INET,
      type: RTN_UNICAST,
      table: 300,
      priority: 7,
      ifindex: 2,
      gateway,
      preferredSource: parseAddress("10.1.2.3"),
      metrics: { mtu: 1400, advmss: 1360 },
    });
  });

  test("have gateways of the other family", () => {
    expect(routeTo(routes, "10.10.0.0/16")).toMatchObject({ via: parseAddress("fe80::1"), ifindex: 2 });
  });

  test("have several nexthops with weights", () => {
    expect(routeTo(routes, "10.11.0.0/16")?.multipath).toEqual([
      { flags: 0, hops: 1, ifindex: 2, gateway },
      { flags: 0, hops: 0, ifindex: 2, gateway: parseAddress("10.1.2.2") },
    ]);
  });

  test("are those of the kernel, too", () => {
    expect(routeTo(routes, "127.0.0.0/8")).toMatchObject({ protocol: RTPROT_KERNEL, scope: RT_SCOPE_HOST });
    expect(routeTo(routes, "10.1.2.0/24")).toMatchObject({ scope: RT_SCOPE_LINK, priority: 50 });
    expect(routes.length).toBeGreaterThanOrEqual(8);
    expect(routes.filter(({ unknown }) => unknown)).toEqual([]);
  });

  test("that answer a lookup say what the packet would do", () => {
    expect(decodeCapture("route-lookup.reply", routeMessage)).toMatchObject([
      {
        destinationLength: 32,
        ifindex: 2,
        via: parseAddress("fe80::1"),
        preferredSource: parseAddress("10.1.2.3"),
      },
    ]);
  });
});

describe("nested layouts", () => {
  test.each([
    ["a nexthop beyond the end", [12, 0, 9, 0, 16, 0, 0, 0, 2, 0, 0, 0]],
    ["a nexthop shorter than its struct", [12, 0, 9, 0, 4, 0, 0, 0, 2, 0, 0, 0]],
    ["a cut nexthop", [8, 0, 9, 0, 8, 0, 0, 0]],
    ["a via of no family's length", [8, 0, 18, 0, 10, 0, 1, 2]],
  ])("refuse %s", (_, wire) => {
    expect(() => routeTable.decode(Uint8Array.from(wire))).toThrow(FairleadError);
  });
});
