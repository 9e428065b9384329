/** lib/netlink/route against the kernel, judged by `ip` and `bridge`: what is on links, routes and rules. Needs root. */
import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { parseInterfaceAddress, parsePrefix } from "../../lib/addr/prefix.ts";
import { REQUESTS_PER_SEND } from "../../lib/netlink/connection.ts";
import { isAbsent, isPresent } from "../../lib/netlink/request.ts";
import {
  deleteAddress,
  getAddresses,
  IFA_F_NODAD,
  localAddress,
  newAddress,
} from "../../lib/netlink/route/address.ts";
import { addBridgeVlans, getBridgeVlans } from "../../lib/netlink/route/bridge-vlan.ts";
import {
  deleteFdbEntry,
  deleteNeighbour,
  getFdbEntries,
  getNeighbours,
  NTF_PROXY,
  NUD_PERMANENT,
  newFdbEntry,
  newNeighbour,
} from "../../lib/netlink/route/neighbour.ts";
import {
  deleteRoute,
  getRoutes,
  lookUpRoute,
  newRoute,
  RTN_BLACKHOLE,
} from "../../lib/netlink/route/route.ts";
import { deleteRule, getRules, newRule } from "../../lib/netlink/route/rule.ts";
import { failure, RouteNetns } from "../support/kernel/route-netns.ts";

type Shown = Record<string, unknown>;

const ALL_ZERO = "00:00:00:00:00:00";

describe("rtnetlink", () => {
  let netns: RouteNetns;
  let host: RouteNetns["host"];
  let connection: RouteNetns["connection"];
  let show: RouteNetns["show"];
  let makeBridge: RouteNetns["makeBridge"];
  let makeVxlan: RouteNetns["makeVxlan"];

  beforeEach(() => {
    netns = new RouteNetns();
    ({ host, connection, show, makeBridge, makeVxlan } = netns);
  });
  afterEach(() => netns.close());

  describe("addresses", () => {
    const v4 = parseInterfaceAddress("10.1.2.3/24");
    const v6 = parseInterfaceAddress("2001:db8:1::5/64");

    test("are added, listed and deleted", () => {
      const ifindex = makeBridge();
      connection.execute([
        newAddress({ ifindex, address: v4, broadcast: parseAddress("10.1.2.255"), routePriority: 50 }),
        newAddress({ ifindex, address: v6, flags: IFA_F_NODAD }),
      ]);
      const { addr_info } = show("addr", "show", "br0") as { addr_info: Shown[] };
      expect(addr_info).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            local: "10.1.2.3",
            prefixlen: 24,
            broadcast: "10.1.2.255",
            metric: 50,
            scope: "global",
          }),
          expect.objectContaining({ local: "2001:db8:1::5", prefixlen: 64, nodad: true }),
        ]),
      );
      expect(addr_info.filter((each) => each["local"] === "2001:db8:1::5" && each["tentative"])).toEqual([]);
      expect(connection.dump(getAddresses({ ifindex, family: 4 })).map(localAddress)).toEqual([v4]);
      expect(connection.dump(getAddresses({ ifindex, family: 6 })).map(localAddress)).toContainEqual(v6);
      expect(connection.dump(getAddresses({ ifindex: 1 })).map(localAddress)).not.toContainEqual(v4);

      expect(isPresent(failure(() => connection.execute([newAddress({ ifindex, address: v4 })])))).toBe(true);
      connection.execute([newAddress({ ifindex, address: v4, validSeconds: 900 }, "replace")]);
      connection.execute([deleteAddress({ ifindex, address: v4 }), deleteAddress({ ifindex, address: v6 })]);
      expect(isAbsent(failure(() => connection.execute([deleteAddress({ ifindex, address: v4 })])))).toBe(
        true,
      );
      expect(connection.dump(getAddresses({ ifindex, family: 4 }))).toEqual([]);
    });

    test("are listed by link without a kernel that filters", () => {
      const ifindex = makeBridge();
      connection.execute([newAddress({ ifindex, address: v4 })]);
      const { accepts, ...all } = getAddresses({ family: 4 });
      const everything = connection.dump(all);
      expect(everything.length).toBeGreaterThan(1);
      const filter = getAddresses({ ifindex, family: 4 });
      expect(everything.filter((address) => filter.accepts?.(address)).map(localAddress)).toEqual([v4]);
      expect(accepts).toBeDefined();
    });
  });

  describe("routes", () => {
    const gateway = parseAddress("10.1.2.1");
    let ifindex: number;

    beforeEach(() => {
      ifindex = makeBridge();
      connection.execute([newAddress({ ifindex, address: parseInterfaceAddress("10.1.2.3/24") })]);
    });

    test("have their metrics, source, priority and table", () => {
      const route = {
        destination: parsePrefix("10.9.0.0/16"),
        gateway,
        preferredSource: parseAddress("10.1.2.3"),
        metrics: { mtu: 1400, advmss: 1360 },
        priority: 7,
        table: 300,
      };
      connection.execute([newRoute(route)]);
      expect(show("route", "show", "table", "300")).toMatchObject({
        dst: "10.9.0.0/16",
        gateway: "10.1.2.1",
        dev: "br0",
        prefsrc: "10.1.2.3",
        metric: 7,
        metrics: [{ mtu: 1400, advmss: 1360 }],
      });
      expect(connection.dump(getRoutes({ table: 300 }))).toMatchObject([
        { table: 300, ifindex, priority: 7 },
      ]);
      expect(isPresent(failure(() => connection.execute([newRoute(route)])))).toBe(true);
      connection.execute([deleteRoute(route)]);
      expect(isAbsent(failure(() => connection.execute([deleteRoute(route)])))).toBe(true);
    });

    test("lead nowhere, through a gateway of the other family, several ways, or to a gateway off the link", () => {
      connection.execute([
        newRoute({ destination: parsePrefix("10.20.0.0/16"), type: RTN_BLACKHOLE }),
        newRoute({ destination: parsePrefix("10.21.0.0/16"), gateway: parseAddress("fe80::1"), ifindex }),
        newRoute({
          destination: parsePrefix("10.22.0.0/16"),
          nexthops: [
            { gateway, ifindex, weight: 3 },
            { gateway: parseAddress("10.1.2.2"), ifindex },
          ],
        }),
        newRoute({
          destination: parsePrefix("0.0.0.0/0"),
          gateway: parseAddress("192.0.2.1"),
          ifindex,
          onlink: true,
        }),
        newRoute({ destination: parsePrefix("2001:db8:7::/48"), ifindex, priority: 9 }),
      ]);
      expect(show("route", "show", "10.20.0.0/16")).toMatchObject({ type: "blackhole" });
      expect(show("route", "show", "10.21.0.0/16")).toMatchObject({ via: { host: "fe80::1" } });
      expect(show("route", "show", "10.22.0.0/16")).toMatchObject({
        nexthops: [
          { gateway: "10.1.2.1", weight: 3 },
          { gateway: "10.1.2.2", weight: 1 },
        ],
      });
      expect(show("route", "show", "default")).toMatchObject({
        gateway: "192.0.2.1",
        flags: expect.arrayContaining(["onlink"]),
      });
      expect(show("-6", "route", "show", "2001:db8:7::/48")).toMatchObject({ dev: "br0", metric: 9 });

      const told = connection.dump(getRoutes({ family: 4, ifindex }));
      const several = told.find(({ multipath }) => multipath);
      expect(several?.multipath?.map(({ hops }) => hops)).toEqual([2, 0]);
    });

    test("are looked up", () => {
      const destination = parsePrefix("10.21.0.0/16");
      connection.execute([newRoute({ destination, gateway, ifindex })]);
      const path = connection.get(lookUpRoute({ destination: parseAddress("10.21.7.7") }));
      expect(path).toMatchObject({ ifindex, gateway, destinationLength: 32 });
      expect(path.preferredSource && formatAddress(path.preferredSource)).toBe("10.1.2.3");
      const route = connection.get(
        lookUpRoute({ destination: parseAddress("10.21.7.7"), matchedRoute: true }),
      );
      expect(route).toMatchObject({ destination: destination.address, destinationLength: 16 });
      const nowhere = failure(() => connection.get(lookUpRoute({ destination: parseAddress("8.8.8.8") })));
      expect(nowhere.errnoName).toBe("ENETUNREACH");
    });

    test("that the kernel refuses say why", () => {
      const route = { destination: parsePrefix("10.50.0.0/16"), gateway: parseAddress("10.99.99.99") };
      expect(failure(() => connection.execute([newRoute(route)])).message).toBe(
        'add route 10.50.0.0/16 via 10.99.99.99: Network is unreachable (ENETUNREACH): kernel says "Nexthop has invalid gateway"',
      );
    });
  });

  describe("neighbours", () => {
    test("are added, listed and deleted, proxies apart", () => {
      const ifindex = makeBridge();
      const entry = { ifindex, address: parseAddress("10.1.2.9"), mac: "02:00:00:00:00:09" };
      const proxy = { ifindex, address: parseAddress("10.1.2.77"), flags: NTF_PROXY };
      connection.execute([newNeighbour(entry), newNeighbour(proxy)]);
      expect(host.show<Shown>("neigh", "show", "dev", "br0", "nud", "permanent")).toMatchObject([
        { dst: "10.1.2.9", lladdr: "02:00:00:00:00:09", state: ["PERMANENT"] },
      ]);
      // The kernel adds entries for the multicast groups that it joins.
      const told = connection.dump(getNeighbours({ ifindex, family: 4 }));
      expect(told.filter(({ state }) => state === NUD_PERMANENT)).toMatchObject([
        { destination: entry.address, linkLayerAddress: entry.mac },
      ]);
      expect(connection.dump(getNeighbours({ ifindex, family: 4, proxy: true }))).toMatchObject([
        { destination: proxy.address },
      ]);
      connection.execute([newNeighbour({ ...entry, mac: "02:00:00:00:00:0a" }, "replace")]);
      expect(host.ip("neigh", "show", "dev", "br0")).toContain("02:00:00:00:00:0a");
      connection.execute([deleteNeighbour(entry), deleteNeighbour(proxy)]);
      expect(isAbsent(failure(() => connection.execute([deleteNeighbour(entry)])))).toBe(true);
    });

    test("of a VXLAN link forward to VTEPs, flooding to several", () => {
      const ifindex = makeVxlan();
      const to = (mac: string, destination: string) => ({
        ifindex,
        mac,
        destination: parseAddress(destination),
      });
      connection.execute([
        newFdbEntry({ ...to("02:00:00:00:00:0a", "192.0.2.7"), vni: 9, port: 8472 }, "replace"),
        newFdbEntry(to(ALL_ZERO, "192.0.2.8"), "append"),
        newFdbEntry(to(ALL_ZERO, "192.0.2.9"), "append"),
        newFdbEntry(to(ALL_ZERO, "192.0.2.9"), "append"),
      ]);
      const shown = host.exec("bridge", "fdb", "show", "dev", "vx0").trim().split("\n").sort();
      expect(shown.map((line) => line.trim())).toEqual([
        `${ALL_ZERO} dst 192.0.2.8 self permanent`,
        `${ALL_ZERO} dst 192.0.2.9 self permanent`,
        "02:00:00:00:00:0a dst 192.0.2.7 port 8472 vni 9 self permanent",
      ]);
      connection.execute([deleteFdbEntry(to(ALL_ZERO, "192.0.2.8"))]);
      const told = connection.dump(getFdbEntries(ifindex));
      expect(
        told.map(({ linkLayerAddress, destination }) => [
          linkLayerAddress,
          destination && formatAddress(destination),
        ]),
      ).toEqual(
        expect.arrayContaining([
          [ALL_ZERO, "192.0.2.9"],
          ["02:00:00:00:00:0a", "192.0.2.7"],
        ]),
      );
      expect(told).toHaveLength(2);
      expect(connection.attempt([deleteFdbEntry(to(ALL_ZERO, "192.0.2.8"))])).toMatchObject([{ ok: true }]);
      const unknown = { ifindex, mac: "02:00:00:00:00:0f" };
      expect(isAbsent(failure(() => connection.execute([deleteFdbEntry(unknown)])))).toBe(true);
    });

    test("of a large table are added in many pipelined requests, and listed in many parts", () => {
      const ifindex = makeVxlan();
      const count = 20 * REQUESTS_PER_SEND + 1;
      const entries = Array.from({ length: count }, (_, index) => ({
        ifindex,
        mac: `02:00:00:00:${(index >> 8).toString(16).padStart(2, "0")}:${(index & 255).toString(16).padStart(2, "0")}`,
        destination: parseAddress("192.0.2.7"),
      }));
      const results = connection.attempt(entries.map((entry) => newFdbEntry(entry)));
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
      const told = connection.dump(getFdbEntries(ifindex));
      expect(new Set(told.map(({ linkLayerAddress }) => linkLayerAddress)).size).toBe(count);
    });
  });

  describe("rules", () => {
    test("are added, listed and deleted", () => {
      const rule = {
        family: 4,
        priority: 1000,
        from: parsePrefix("10.1.2.0/24"),
        mark: 0x10,
        markMask: 0xff,
        inputIfname: "lo",
        table: 300,
      } as const;
      connection.execute([newRule(rule)]);
      expect(host.show<Shown>("rule", "show", "priority", "1000")).toMatchObject([
        {
          priority: 1000,
          src: "10.1.2.0",
          srclen: 24,
          fwmark: "0x10",
          fwmask: "0xff",
          iif: "lo",
          table: "300",
        },
      ]);
      const told = connection.dump(getRules(4)).find(({ priority }) => priority === 1000);
      expect(told).toMatchObject({ table: 300, mark: 0x10, source: rule.from.address, inputIfname: "lo" });
      expect(isPresent(failure(() => connection.execute([newRule(rule)])))).toBe(true);
      connection.execute([deleteRule(rule)]);
      expect(isAbsent(failure(() => connection.execute([deleteRule(rule)])))).toBe(true);
      expect(connection.dump(getRules(6)).every(({ family }) => family === 10)).toBe(true);
    });
  });

  describe("VLANs of a bridge's ports", () => {
    test("are taken, or refused by a kernel without VLAN filtering", () => {
      const ifindex = makeBridge();
      const request = addBridgeVlans({ ifindex, self: true }, [{ vlan: 10 }]);
      const [result] = connection.attempt([request]);
      const told = connection.dump(getBridgeVlans(ifindex));
      expect(told).toMatchObject([{ ifname: "br0", ifindex }]);
      if (result.ok) expect(told[0]?.families?.vlans).toContainEqual({ flags: 0, vlan: 10 });
      else
        expect(result.error).toMatchObject({
          errnoName: "EOPNOTSUPP",
          operation: "add VLANs to bridge port",
        });
    });
  });
});
