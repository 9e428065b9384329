/** macvlan links, default routes and their metrics against the kernel, judged by `ip`. Needs root. */
import { parseAddress } from "../../lib/addr/address.ts";
import { parseInterfaceAddress, parsePrefix } from "../../lib/addr/prefix.ts";
import { chooseGatewayMetric } from "../../lib/host/addressing/gateway-metrics.ts";
import { findDefaultRouteLink } from "../../lib/host/addressing/routes.ts";
import { configureContainerLink } from "../../lib/host/attachment/container-end.ts";
import { ensureBridge, keepMacOfEmptyBridge } from "../../lib/host/bridge/verbs.ts";
import { type LinkState, requireLink } from "../../lib/host/links.ts";
import { createMacvlan, type MacvlanSpec, macvlanModeOf } from "../../lib/host/macvlan.ts";
import { isPresent } from "../../lib/netlink/request.ts";
import type { ShownRoute } from "../support/kernel/netns.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

const MAC = "02:00:00:00:0c:01";
const errorWith = (parts: object) => expect.objectContaining(parts);

let host: NetnsSide;
let container: NetnsSide;
let master: LinkState;

beforeEach(() => {
  host = new NetnsSide("fl-host");
  container = new NetnsSide("fl-cont");
  host.shown.ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
  for (const link of ["eth0", "far0"]) host.shown.ip("link", "set", link, "up");
  master = requireLink(host.connection, "eth0");
});
afterEach(() => {
  host.close();
  container.close();
});

describe("createMacvlan", () => {
  const spec = (keys: Partial<MacvlanSpec> = {}): MacvlanSpec => ({
    ifname: "eth0",
    master,
    masterNetns: host.netns,
    mode: "bridge",
    mac: MAC,
    alias: "fairlead:n/c/eth0",
    ...keys,
  });

  test("makes it in the container under a name that the host has too, in three round trips", () => {
    let made: LinkState | undefined;
    const sends = container.sendsOf(() => {
      made = createMacvlan(container.connection, spec({ mtu: 1400, broadcastQueueLength: 77 }));
    });
    expect(sends).toBe(3);
    expect(container.link("eth0")).toMatchObject({
      address: MAC,
      mtu: 1400,
      ifalias: "fairlead:n/c/eth0",
      linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge", bcqueuelen: 77 } },
    });
    expect(container.link("eth0")?.flags).not.toContain("UP");
    expect(made).toMatchObject({ mac: MAC, mtu: 1400, link: master.ifindex, alias: "fairlead:n/c/eth0" });
    expect(made && macvlanModeOf(made)).toBe("bridge");
  });

  test("beside the master it takes two", () => {
    const { masterNetns: _, ...beside } = spec({ ifname: "mv0", mode: "private" });
    expect(host.sendsOf(() => createMacvlan(host.connection, beside))).toBe(2);
    const made = requireLink(host.connection, "mv0");
    expect([made.linkNetnsId, macvlanModeOf(made)]).toEqual([null, "private"]);
    expect(macvlanModeOf(master)).toBeUndefined();
  });

  test("the number of the host's netns is given once, however many are made", () => {
    createMacvlan(container.connection, spec());
    createMacvlan(container.connection, spec({ ifname: "eth1", mac: "02:00:00:00:0c:02" }));
    const ids = container.shown.exec("ip", "netns", "list-id").match(/nsid \d+/g);
    expect(ids).toHaveLength(1);
  });

  test("a name that is taken, a master that is a port, a mode that leaves no room", () => {
    createMacvlan(container.connection, spec());
    expect(() => createMacvlan(container.connection, spec())).toThrow(
      errorWith({ code: "already-exists", details: expect.objectContaining({ exists: "container" }) }),
    );
    const passthru = spec({ ifname: "eth1", mode: "passthru" });
    expect(() => createMacvlan(container.connection, passthru)).toThrow(errorWith({ code: "in-use" }));
    const { link: bridge } = ensureBridge(host.connection, { name: "br0", mac: () => "02:00:00:00:00:01" });
    host.shown.ip("link", "set", "far0", "master", bridge.ifname);
    const port = requireLink(host.connection, "far0");
    const onPort = spec({ ifname: "eth1", master: port });
    expect(() => createMacvlan(container.connection, onPort)).toThrow(
      errorWith({ code: "in-use", message: expect.stringContaining("far0") }),
    );
    expect(container.link("eth1")).toBeUndefined();
  });
});

describe("findDefaultRouteLink", () => {
  const add = (...route: string[]) => host.shown.ip("route", "add", ...route);

  test("takes the lowest metric, IPv4 first, of the main table only", () => {
    expect(findDefaultRouteLink(host.connection)).toBeNull();
    const far = requireLink(host.connection, "far0");
    host.shown.ip("-6", "route", "add", "default", "dev", "far0", "metric", "5");
    expect(findDefaultRouteLink(host.connection)).toBe(far.ifindex);
    add("default", "dev", "far0", "metric", "1", "table", "100");
    add("default", "dev", "eth0", "metric", "300");
    expect(findDefaultRouteLink(host.connection)).toBe(master.ifindex);
    add("default", "dev", "far0", "metric", "200");
    expect(findDefaultRouteLink(host.connection)).toBe(far.ifindex);
  });

  test("takes the first of several ways, and no route that leads nowhere", () => {
    add("blackhole", "default");
    host.shown.ip("addr", "add", "10.1.0.2/24", "dev", "eth0");
    expect(findDefaultRouteLink(host.connection)).toBeNull();
    const ways = ["nexthop", "via", "10.1.0.1", "dev", "eth0", "nexthop", "via", "10.1.0.9", "dev", "eth0"];
    add("default", "metric", "9", ...ways);
    expect(findDefaultRouteLink(host.connection)).toBe(master.ifindex);
  });
});

describe("metrics of default routes", () => {
  const claim = (family: 4 | 6, ifindex = master.ifindex) => ({ family, priority: 1, ifindex });
  const configure = (metric: number, exclusive: boolean) =>
    configureContainerLink(host.connection, {
      ifindex: master.ifindex,
      addresses: [parseInterfaceAddress("10.1.0.2/24")],
      routes: [
        {
          destination: parsePrefix("0.0.0.0/0"),
          gateway: parseAddress("10.1.0.1"),
          priority: metric,
          exclusive,
        },
      ],
    });

  test.each([4, 6] as const)("follow those that the kernel has, in IPv%d", (family) => {
    const first = chooseGatewayMetric(host.connection, claim(family));
    expect(first).toEqual({ metric: 999_999_000, isOurs: false });
    const words = ["route", "add", "default", "dev", "far0", "metric", String(first.metric)];
    host.shown.ip(family === 4 ? "-4" : "-6", ...words);
    expect(chooseGatewayMetric(host.connection, claim(family)).metric).toBe(999_999_001);
    const far = requireLink(host.connection, "far0");
    expect(chooseGatewayMetric(host.connection, claim(family, far.ifindex))).toEqual({
      metric: 999_999_000,
      isOurs: true,
    });
  });

  test("an exclusive route that exists already is an error, and all else is in place", () => {
    host.shown.ip("route", "add", "default", "dev", "far0", "metric", "42");
    const failure = (() => {
      try {
        configure(42, true);
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(isPresent(failure)).toBe(true);
    expect(host.addresses("eth0").map(({ local }) => local)).toEqual(["10.1.0.2"]);
    configure(42, false);
    configure(43, true);
    const routes = host.shown.show<ShownRoute>("route", "show", "default");
    expect(routes.map(({ dev, metric }) => [dev, metric])).toEqual([
      ["far0", 42],
      ["eth0", 43],
    ]);
  });
});

describe("keepMacOfEmptyBridge", () => {
  const macOf = (name: string) => host.link(name)?.address;
  const lowest = "02:00:00:00:00:01";

  function port(bridge: string): void {
    host.shown.ip("link", "add", "p0", "address", lowest, "type", "veth", "peer", "name", "p1");
    for (const end of ["p0", "p1"]) host.shown.ip("link", "set", end, "up");
    host.shown.ip("link", "set", "p0", "master", bridge);
  }

  test("keeps it through the first and the last port", () => {
    host.shown.ip("link", "add", "br0", "type", "bridge");
    host.shown.ip("link", "set", "br0", "up");
    const mac = macOf("br0");
    keepMacOfEmptyBridge(host.connection, requireLink(host.connection, "br0"));
    port("br0");
    expect(macOf("br0")).toBe(mac);
    host.shown.ip("link", "del", "p0");
    expect(macOf("br0")).toBe(mac);
  });

  test("leaves one with ports to its ports", () => {
    host.shown.ip("link", "add", "br0", "type", "bridge");
    host.shown.ip("link", "set", "br0", "up");
    host.shown.ip("link", "set", "far0", "master", "br0");
    keepMacOfEmptyBridge(host.connection, requireLink(host.connection, "br0"));
    host.shown.ip("link", "set", "far0", "down");
    keepMacOfEmptyBridge(host.connection, requireLink(host.connection, "br0"));
    port("br0");
    expect(macOf("br0")).toBe(lowest);
  });
});
