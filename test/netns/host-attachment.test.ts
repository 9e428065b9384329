import { parseAddress } from "../../lib/addr/address.ts";
import { formatPrefix, parseInterfaceAddress, parsePrefix } from "../../lib/addr/prefix.ts";
import { addAddresses, listAddresses, removeAddresses } from "../../lib/host/addressing/addresses.ts";
import { removeNeighbours, replaceNeighbours } from "../../lib/host/addressing/neighbours.ts";
import { addRoutes } from "../../lib/host/addressing/routes.ts";
import { configureContainerLink } from "../../lib/host/attachment/container-end.ts";
import { ensureBridge, ensureGatewayAddresses } from "../../lib/host/bridge/verbs.ts";
import { createVethInto } from "../../lib/host/veth.ts";
import type { ShownRoute } from "../support/kernel/netns.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

const MAC = "02:00:00:00:00:01";
const errorWith = (parts: object) => expect.objectContaining(parts);
const saying = (text: string) => errorWith({ message: expect.stringContaining(text) });
const addresses = (...texts: string[]) => texts.map(parseInterfaceAddress);

describe("attachments", () => {
  let host: NetnsSide;
  let container: NetnsSide;
  const bridge = (name = "br0") => ensureBridge(host.connection, { name, mac: () => MAC }).link;

  beforeEach(() => {
    host = new NetnsSide("fl-host");
    container = new NetnsSide("fl-cont");
  });
  afterEach(() => {
    host.close();
    container.close();
  });

  describe("createVethInto", () => {
    const spec = () => ({
      hostIfname: "flv0",
      containerIfname: "eth0",
      netns: container.netns,
      masterIfindex: bridge().ifindex,
    });

    test("makes both ends as asked, in one round trip", () => {
      const wanted = {
        ...spec(),
        mtu: 1400,
        containerMac: "02:00:00:00:0c:01",
        hostMac: "02:00:00:00:0b:01",
      };
      let pair: ReturnType<typeof createVethInto> | undefined;
      expect(host.sendsOf(() => (pair = createVethInto(host.connection, wanted)))).toBe(1);
      const [outer, inner] = [host.link("flv0"), container.link("eth0")];
      expect(outer).toMatchObject({ address: "02:00:00:00:0b:01", mtu: 1400, master: "br0" });
      expect(outer?.flags).toContain("UP");
      expect(inner).toMatchObject({ address: "02:00:00:00:0c:01", mtu: 1400 });
      expect(inner?.flags).not.toContain("UP");
      expect(pair?.containerIfindex).toBe(inner?.ifindex);
      expect(pair?.host).toMatchObject({
        ifindex: outer?.ifindex,
        mac: outer?.address,
        mtu: 1400,
        isUp: true,
      });
    });

    test("sets what only an existing port can have, in a second one", () => {
      const port = { hairpin: true, isolated: true, learning: false, unicastFlood: false };
      const wanted = { ...spec(), alias: "attachment c1/eth0", port };
      expect(host.sendsOf(() => createVethInto(host.connection, wanted))).toBe(2);
      const { ifalias, linkinfo } = host.link("flv0") ?? {};
      expect(ifalias).toBe("attachment c1/eth0");
      expect(linkinfo?.info_slave_data).toMatchObject({
        hairpin: true,
        isolated: true,
        learning: false,
        flood: false,
      });
    });

    test("leaves no pair behind when the port's settings are refused", () => {
      const wanted = { ...spec(), port: { state: 250 } };
      expect(() => createVethInto(host.connection, wanted)).toThrow(errorWith({ code: "kernel-refused" }));
      expect([host.link("flv0"), container.link("eth0")]).toEqual([undefined, undefined]);
    });

    test("says that the container has such an interface, and makes nothing", () => {
      container.shown.ip("link", "add", "eth0", "type", "bridge");
      expect(() => createVethInto(host.connection, spec())).toThrow(
        errorWith({ code: "already-exists", details: { exists: "container", ifname: "eth0" } }),
      );
      expect(() => createVethInto(host.connection, spec())).toThrow(
        saying(`${container.shown.path} has an interface`),
      );
      expect(host.link("flv0")).toBeUndefined();
    });

    test("says that the host end exists, and touches neither it nor the container", () => {
      const wanted = { ...spec(), alias: "mine", port: { hairpin: true } };
      host.shown.ip("link", "add", "flv0", "master", "br0", "type", "veth", "peer", "name", "other");
      expect(() => createVethInto(host.connection, wanted)).toThrow(
        errorWith({ code: "already-exists", details: { exists: "host", ifname: "flv0" } }),
      );
      expect(host.link("flv0")?.ifalias).toBeUndefined();
      expect(host.link("flv0")?.linkinfo?.info_slave_data?.["hairpin"]).toBe(false);
      expect(container.link("eth0")).toBeUndefined();
    });

    test.each([67, 65_536, 1500.5])("refuses the MTU %p in words, as the kernel would without", (mtu) => {
      const error = errorWith({
        code: "invalid-config",
        message: expect.stringContaining("from 68 to 65535"),
      });
      expect(() => createVethInto(host.connection, { ...spec(), mtu })).toThrow(error);
      expect(() => ensureBridge(host.connection, { name: "br9", mac: () => MAC, mtu })).toThrow(error);
      expect(host.link("flv0")).toBeUndefined();
    });

    test.each([68, 65_535])("takes the MTU %p, as the kernel does", (mtu) => {
      createVethInto(host.connection, { ...spec(), mtu });
      expect([host.link("flv0")?.mtu, container.link("eth0")?.mtu]).toEqual([mtu, mtu]);
    });
  });

  describe("configureContainerLink", () => {
    const attach = () => {
      const pair = createVethInto(host.connection, {
        hostIfname: "flv0",
        containerIfname: "eth0",
        netns: container.netns,
        masterIfindex: bridge().ifindex,
      });
      return pair.containerIfindex;
    };
    const routes = (family: "-4" | "-6") =>
      container.shown
        .show<ShownRoute>(family, "route", "show", "dev", "eth0")
        .filter((r) => !r.dst.startsWith("fe80"));

    test("addresses, link and routes in one round trip, and ping works at once", () => {
      ensureGatewayAddresses(host.connection, {
        link: bridge(),
        addresses: addresses("10.1.0.1/16", "fd00:1::1/64"),
      });
      const ifindex = attach();
      const spec = {
        ifindex,
        addresses: addresses("10.1.0.2/16", "fd00:1::2/64"),
        routes: [
          { destination: parsePrefix("0.0.0.0/0"), gateway: parseAddress("10.1.0.1") },
          { destination: parsePrefix("::/0"), gateway: parseAddress("fd00:1::1") },
        ],
      };
      let state: ReturnType<typeof configureContainerLink> | undefined;
      expect(container.sendsOf(() => (state = configureContainerLink(container.connection, spec)))).toBe(1);
      expect(state).toMatchObject({ ifname: "eth0", isUp: true, ifindex });
      expect(container.addresses("eth0").map((a) => [a.local, a.prefixlen, a.tentative])).toEqual([
        ["10.1.0.2", 16, undefined],
        ["fd00:1::2", 64, undefined],
      ]);
      expect(container.shown.exec("ping", "-c1", "-W5", "10.1.0.1")).toContain("1 received");
      expect(container.shown.exec("ping", "-c1", "-W5", "fd00:1::1")).toContain("1 received");
    });

    test("every attribute of a route is in the kernel", () => {
      const ifindex = attach();
      configureContainerLink(container.connection, {
        ifindex,
        addresses: addresses("10.1.0.2/16", "fd00:1::2/64"),
        routes: [
          {
            destination: parsePrefix("10.7.0.0/16"),
            gateway: parseAddress("10.1.0.1"),
            mtu: 1300,
            advmss: 1200,
            priority: 77,
          },
          { destination: parsePrefix("10.8.0.0/16"), scope: 253 },
          { destination: parsePrefix("10.9.0.0/16"), gateway: parseAddress("10.1.0.1"), table: 5000 },
          {
            destination: parsePrefix("fd00:7::/64"),
            gateway: parseAddress("fd00:1::1"),
            mtu: 1300,
            advmss: 1200,
            priority: 78,
          },
        ],
      });
      expect(routes("-4").find((r) => r.dst === "10.7.0.0/16")).toMatchObject({
        gateway: "10.1.0.1",
        metric: 77,
        metrics: [{ mtu: 1300, advmss: 1200 }],
      });
      expect(routes("-4").find((r) => r.dst === "10.8.0.0/16")).toMatchObject({ scope: "link" });
      expect(container.shown.ip("route", "show", "table", "5000")).toContain("10.9.0.0/16 via 10.1.0.1");
      expect(routes("-6").find((r) => r.dst === "fd00:7::/64")).toMatchObject({
        gateway: "fd00:1::1",
        metric: 78,
        metrics: [{ mtu: 1300, advmss: 1200 }],
      });
    });

    test("may be repeated; the first of two routes to one place wins", () => {
      const spec = {
        ifindex: attach(),
        addresses: addresses("10.1.0.2/16"),
        routes: [
          { destination: parsePrefix("0.0.0.0/0"), gateway: parseAddress("10.1.0.1") },
          { destination: parsePrefix("0.0.0.0/0"), gateway: parseAddress("10.1.0.3") },
        ],
      };
      configureContainerLink(container.connection, spec);
      configureContainerLink(container.connection, spec);
      expect(routes("-4").filter((r) => r.dst === "default")).toMatchObject([{ gateway: "10.1.0.1" }]);
    });

    test("a gateway in no subnet is a mistake that says so", () => {
      const spec = {
        ifindex: attach(),
        addresses: addresses("10.1.0.2/16", "fd00:1::2/64"),
        routes: [{ destination: parsePrefix("0.0.0.0/0"), gateway: parseAddress("10.9.0.1") }],
      };
      expect(() => configureContainerLink(container.connection, spec)).toThrow(
        errorWith({
          code: "invalid-config",
          message: expect.stringContaining("add route 0.0.0.0/0 via 10.9.0.1: the gateway is in no subnet"),
        }),
      );
      const v6 = {
        ...spec,
        routes: [{ destination: parsePrefix("::/0"), gateway: parseAddress("fd00:9::1") }],
      };
      expect(() => configureContainerLink(container.connection, v6)).toThrow(
        errorWith({ code: "invalid-config" }),
      );
    });

    test("a single address reaches its gateway all the same", () => {
      const spec = {
        ifindex: attach(),
        addresses: addresses("10.1.0.2/32", "fd00:1::2/128"),
        routes: [
          { destination: parsePrefix("0.0.0.0/0"), gateway: parseAddress("169.254.1.1") },
          { destination: parsePrefix("::/0"), gateway: parseAddress("fd00:9::1") },
        ],
      };
      configureContainerLink(container.connection, spec);
      expect(routes("-4")[0]).toMatchObject({ dst: "default", gateway: "169.254.1.1", flags: ["onlink"] });
      expect(routes("-6").find((r) => r.dst === "default")).toMatchObject({
        gateway: "fd00:9::1",
        flags: ["onlink"],
      });
    });

    test("leaves the link down when asked", () => {
      const spec = { ifindex: attach(), addresses: [], routes: [] };
      expect(configureContainerLink(container.connection, { ...spec, up: false }).isUp).toBe(false);
      expect(container.link("eth0")?.flags).not.toContain("UP");
      expect(configureContainerLink(container.connection, spec).isUp).toBe(true);
    });

    test("lets IPv6 look for duplicates when asked, and says when there is one", () => {
      const spec = {
        ifindex: attach(),
        addresses: addresses("fd00:1::2/64"),
        routes: [],
        duplicateAddressDetection: true,
      };
      configureContainerLink(container.connection, spec);
      expect(container.addresses("eth0").map((a) => [a.local, a.tentative, a.nodad])).toEqual([
        ["fd00:1::2", undefined, undefined],
      ]);
      ensureGatewayAddresses(host.connection, { link: bridge(), addresses: addresses("fd00:1::1/64") });
      expect(() =>
        configureContainerLink(container.connection, { ...spec, addresses: addresses("fd00:1::1/64") }),
      ).toThrow(errorWith({ code: "address-in-use", object: "fd00:1::1/64" }));
    });

    test("addRoutes works on a link that is there", () => {
      const ifindex = attach();
      configureContainerLink(container.connection, {
        ifindex,
        addresses: addresses("10.1.0.2/16"),
        routes: [],
      });
      addRoutes(container.connection, ifindex, [{ destination: parsePrefix("10.5.0.0/16") }]);
      addRoutes(container.connection, ifindex, [{ destination: parsePrefix("10.5.0.0/16") }]);
      expect(routes("-4").filter((r) => r.dst === "10.5.0.0/16")).toHaveLength(1);
      expect(() =>
        addRoutes(container.connection, 4711, [{ destination: parsePrefix("10.6.0.0/16") }]),
      ).toThrow(errorWith({ code: "kernel-refused" }));
    });
  });

  test("addresses are added and removed, once and again", () => {
    const { ifindex } = bridge();
    const all = addresses(...Array.from({ length: 100 }, (_, i) => `10.1.${i}.1/24`), "fd00:1::1/64");
    addAddresses(host.connection, ifindex, all);
    addAddresses(host.connection, ifindex, all);
    expect(host.addresses("br0")).toHaveLength(101);
    const listed = listAddresses(host.connection, ifindex).map(formatPrefix);
    expect(listed).toEqual(expect.arrayContaining(all.map(formatPrefix)));
    removeAddresses(host.connection, ifindex, all);
    removeAddresses(host.connection, ifindex, all);
    expect(host.addresses("br0")).toHaveLength(0);
    expect(() => addAddresses(host.connection, 4711, addresses("10.1.0.1/24"))).toThrow(
      errorWith({ code: "kernel-refused" }),
    );
  });

  test("neighbours are replaced and removed, once and again", () => {
    const { ifindex } = bridge();
    const shown = () =>
      host.shown.show<{ dst: string; lladdr: string; state: string[] }>(
        "neigh",
        "show",
        "nud",
        "permanent",
        "dev",
        "br0",
      );
    const [four, six] = [parseAddress("10.1.0.9"), parseAddress("fd00:1::9")];
    for (const mac of ["02:00:00:00:00:09", "02:00:00:00:00:0a"]) {
      replaceNeighbours(host.connection, ifindex, [
        { address: four, mac },
        { address: six, mac },
      ]);
      expect(
        shown()
          .map(({ dst, lladdr }) => [dst, lladdr])
          .sort(),
      ).toEqual([
        ["10.1.0.9", mac],
        ["fd00:1::9", mac],
      ]);
    }
    removeNeighbours(host.connection, ifindex, [four, six]);
    removeNeighbours(host.connection, ifindex, [four, six]);
    expect(shown()).toEqual([]);
  });
});
