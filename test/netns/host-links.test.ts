import { parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import { lookAtBridge } from "../../lib/host/bridge/look.ts";
import {
  ensureBridge,
  ensureGatewayAddresses,
  refuseMovedGateway,
  removeBridgeIfUnused,
} from "../../lib/host/bridge/verbs.ts";
import { findLink, listBridgePorts, removeLink, requireLink, setLinkUp } from "../../lib/host/links.ts";
import { createVethInto } from "../../lib/host/veth.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

const MAC = "02:00:00:00:00:01";
const errorWith = (parts: object) => expect.objectContaining(parts);
const saying = (text: string) => errorWith({ message: expect.stringContaining(text) });
const addresses = (...texts: string[]) => texts.map(parseInterfaceAddress);

describe("links and bridges", () => {
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

  describe("links", () => {
    test("are found by name and by ifindex, as ip shows them", () => {
      host.shown.ip("link", "add", "v0", "mtu", "1400", "type", "veth", "peer", "name", "v1");
      const shown = host.link("v0");
      const found = requireLink(host.connection, "v0");
      expect(found).toMatchObject({
        ifname: "v0",
        ifindex: shown?.ifindex,
        mac: shown?.address,
        mtu: 1400,
        kind: "veth",
        isUp: false,
        master: null,
        link: host.link("v1")?.ifindex,
        linkNetnsId: null,
      });
      expect(findLink(host.connection, found.ifindex)).toEqual(found);
    });

    test("that are not there are null, or an error that says so", () => {
      expect(findLink(host.connection, "none")).toBeNull();
      expect(findLink(host.connection, 4711)).toBeNull();
      expect(() => requireLink(host.connection, "none")).toThrow(errorWith({ code: "not-found" }));
    });

    test("are removed once, and again", () => {
      host.shown.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
      expect(removeLink(host.connection, "v0")).toBe(true);
      expect(removeLink(host.connection, "v0")).toBe(false);
      expect(host.link("v1")).toBeUndefined();
      expect(() => removeLink(host.connection, "lo")).toThrow(errorWith({ code: "kernel-refused" }));
    });

    test("are set up", () => {
      setLinkUp(host.connection, "lo");
      setLinkUp(host.connection, "lo");
      expect(host.link("lo")?.flags).toContain("UP");
    });
  });

  describe("ensureBridge", () => {
    test("makes it with its own MAC, up, in one round trip after looking", () => {
      expect(host.sendsOf(() => ensureBridge(host.connection, { name: "br1", mac: () => MAC }))).toBe(2);
      expect(host.link("br1")).toMatchObject({ address: MAC, mtu: 1500 });
    });

    test("gives it its MTU by a request of its own, which makes the MTU stay", () => {
      const sends = host.sendsOf(() => {
        const { link, created } = ensureBridge(host.connection, { name: "br0", mac: () => MAC, mtu: 1450 });
        expect([created, link.mac, link.mtu, link.isUp, link.kind]).toEqual([
          true,
          MAC,
          1450,
          true,
          "bridge",
        ]);
      });
      expect(sends).toBe(3);
      expect(host.link("br0")).toMatchObject({ address: MAC, mtu: 1450, linkinfo: { info_kind: "bridge" } });
      expect(host.link("br0")?.flags).toContain("UP");
    });

    test("keeps its MAC when ports come and go", () => {
      const { ifindex } = bridge();
      const spec = {
        hostIfname: "low",
        containerIfname: "eth0",
        netns: container.netns,
        masterIfindex: ifindex,
      };
      createVethInto(host.connection, { ...spec, hostMac: "02:00:00:00:00:00" });
      expect(host.link("br0")?.address).toBe(MAC);
      removeLink(host.connection, "low");
      expect(host.link("br0")?.address).toBe(MAC);
    });

    test("finds one that is there, as it is, in one round trip", () => {
      host.shown.ip("link", "add", "br0", "address", "02:00:00:00:00:99", "up", "type", "bridge");
      const sends = host.sendsOf(() => {
        const { link, created } = ensureBridge(host.connection, { name: "br0", mac: () => MAC, mtu: 1450 });
        expect([created, link.mac, link.mtu]).toEqual([false, "02:00:00:00:00:99", 1500]);
      });
      expect(sends).toBe(1);
    });

    test("sets one up that is down", () => {
      host.shown.ip("link", "add", "br0", "type", "bridge");
      expect(ensureBridge(host.connection, { name: "br0", mac: () => MAC }).link.isUp).toBe(true);
      expect(host.link("br0")?.flags).toContain("UP");
    });

    test("is promiscuous when asked, new or not", () => {
      ensureBridge(host.connection, { name: "br0", mac: () => MAC, promiscuous: true });
      expect(host.link("br0")?.promiscuity).toBe(1);
      bridge("br1");
      const { link } = ensureBridge(host.connection, { name: "br1", mac: () => MAC, promiscuous: true });
      expect([link.isPromiscuous, host.link("br1")?.promiscuity]).toEqual([true, 1]);
      bridge("br1");
      expect(host.link("br1")?.promiscuity).toBe(1);
    });

    test("shows its alias", () => {
      const { link } = ensureBridge(host.connection, { name: "br0", mac: () => MAC, alias: "network blue" });
      expect([link.alias, host.link("br0")?.ifalias]).toEqual(["network blue", "network blue"]);
    });

    test("does not take a link of another kind for one, and says what it is", () => {
      host.shown.ip("link", "add", "br0", "type", "veth", "peer", "name", "br1");
      expect(() => bridge()).toThrow(errorWith({ code: "already-exists", details: { kind: "veth" } }));
      expect(() => bridge()).toThrow(
        saying("find bridge br0: there is a link of that name, but it is of kind veth"),
      );
      expect(() => bridge("lo")).toThrow(saying("it is a physical one"));
    });

    test("says in the kernel's words that it cannot filter VLANs, and leaves no bridge", () => {
      const attempt = () =>
        ensureBridge(host.connection, { name: "br0", mac: () => MAC, vlanFiltering: true });
      const kernelCan = kernelFiltersVlans(host);
      if (kernelCan) {
        expect(attempt().created).toBe(true);
        expect(host.link("br0")?.linkinfo?.info_data?.["vlan_filtering"]).toBe(1);
      } else {
        expect(attempt).toThrow(errorWith({ errnoName: "EOPNOTSUPP" }));
        expect(host.link("br0")).toBeUndefined();
      }
    });
  });

  test("removeBridgeIfUnused removes it only without ports", () => {
    const { ifindex } = bridge();
    createVethInto(host.connection, {
      hostIfname: "v0",
      containerIfname: "eth0",
      netns: container.netns,
      masterIfindex: ifindex,
    });
    expect(listBridgePorts(host.connection, ifindex).map((port) => port.ifname)).toEqual(["v0"]);
    expect(removeBridgeIfUnused(host.connection, "br0")).toBe(false);
    removeLink(host.connection, "v0");
    expect(removeBridgeIfUnused(host.connection, "br0")).toBe(true);
    expect(removeBridgeIfUnused(host.connection, "br0")).toBe(false);
    expect(removeBridgeIfUnused(host.connection, "lo")).toBe(false);
    expect(host.link("br0")).toBeUndefined();
  });

  describe("ensureGatewayAddresses", () => {
    const ensure = (texts: string[], forceAddress = false) =>
      ensureGatewayAddresses(host.connection, {
        link: bridge(),
        addresses: addresses(...texts),
        forceAddress,
      });
    const shown = () => host.addresses("br0").map(({ local, prefixlen }) => `${local}/${prefixlen}`);

    test("adds both families at once, ready for use, in two round trips, later in one", () => {
      const link = bridge();
      const spec = { link, addresses: addresses("10.1.0.1/16", "fd00:1::1/64") };
      expect(host.sendsOf(() => ensureGatewayAddresses(host.connection, spec))).toBe(2);
      expect(host.sendsOf(() => ensureGatewayAddresses(host.connection, spec))).toBe(1);
      expect(shown()).toEqual(["10.1.0.1/16", "fd00:1::1/64"]);
      expect(host.addresses("br0").map(({ tentative, scope }) => [tentative, scope])).toEqual([
        [undefined, "global"],
        [undefined, "global"],
      ]);
    });

    test("takes no second IPv4 address, whatever its prefix, unless forced", () => {
      ensure(["10.1.0.1/16"]);
      expect(() => ensure(["10.2.0.1/16"])).toThrow(errorWith({ code: "in-use" }));
      expect(() => ensure(["10.1.0.1/24"])).toThrow(saying("it has the address 10.1.0.1/16"));
      expect(shown()).toEqual(["10.1.0.1/16"]);
      ensure(["10.2.0.1/16"], true);
      expect(shown()).toEqual(["10.2.0.1/16"]);
      ensure(["10.2.0.1/24"], true);
      expect(shown()).toEqual(["10.2.0.1/24"]);
    });

    test("gateways of the network's other subnets stay, forced or not; a stranger's stands in the way", () => {
      const ensureBeside = (text: string, forceAddress = false) =>
        ensureGatewayAddresses(host.connection, {
          link: bridge(),
          addresses: addresses(text),
          forceAddress,
          siblings: () => addresses("10.1.0.1/24", "10.2.0.1/24", "10.3.0.1/24"),
        });
      ensureBeside("10.1.0.1/24");
      ensureBeside("10.2.0.1/24");
      ensureBeside("10.3.0.1/24", true);
      expect(shown()).toEqual(["10.1.0.1/24", "10.2.0.1/24", "10.3.0.1/24"]);
      expect(() => ensure(["10.4.0.1/24"])).toThrow(errorWith({ code: "in-use" }));
    });

    test("widens the prefix of a gateway that stays, and keeps it for who has the narrower one", () => {
      const widen = (...texts: string[]) =>
        ensureGatewayAddresses(host.connection, {
          link: bridge(),
          addresses: addresses(...texts),
          mayWiden: true,
        });
      widen("10.1.0.1/24", "fd00:1::1/64");
      widen("10.1.0.1/23", "fd00:1::1/60");
      expect(shown()).toEqual(["10.1.0.1/23", "fd00:1::1/60"]);
      expect(host.shown.show<{ dst: string }>("route").map(({ dst }) => dst)).toEqual(["10.1.0.0/23"]);
      widen("10.1.0.1/24", "fd00:1::1/64");
      expect(shown()).toEqual(["10.1.0.1/23", "fd00:1::1/60"]);
      expect(() => widen("10.1.0.9/22")).toThrow(errorWith({ code: "in-use" }));
    });

    test("a gateway that moved inside of its subnet is refused while the bridge has ports", () => {
      ensure(["10.1.0.1/24"]);
      const refuse = (...texts: string[]) =>
        refuseMovedGateway(
          host.connection,
          lookAtBridge(host.connection, { bridge: "br0", port: "nosuch" }),
          addresses(...texts),
        );
      refuse("10.1.0.254/24");
      host.shown.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
      host.shown.ip("link", "set", "v0", "master", "br0");
      expect(() => refuse("10.1.0.254/24")).toThrow(
        saying("its gateway is 10.1.0.1, the configuration says 10.1.0.254, and 1 attachments"),
      );
      refuse("10.1.0.1/23");
      refuse("10.1.0.254/24", "10.1.0.1/24");
      refuse("10.2.0.1/24");
      refuseMovedGateway(
        host.connection,
        lookAtBridge(host.connection, { bridge: "nosuch", port: "br0" }),
        addresses("10.1.0.254/24"),
      );
    });

    test("takes several IPv6 addresses unless they overlap", () => {
      ensure(["fd00:1::1/64"]);
      ensure(["fd00:2::1/64"]);
      expect(shown().sort()).toEqual(["fd00:1::1/64", "fd00:2::1/64"]);
      expect(() => ensure(["fd00:1::2/48"])).toThrow(errorWith({ code: "in-use" }));
      ensure(["fd00:1::2/48"], true);
      expect(shown().sort()).toEqual(["fd00:1::2/48", "fd00:2::1/64"]);
    });

    test("is content with one that is there beside others", () => {
      host.shown.ip("link", "add", "br0", "up", "type", "bridge");
      host.shown.ip("address", "add", "10.9.0.1/16", "dev", "br0");
      host.shown.ip("address", "add", "10.1.0.1/16", "dev", "br0");
      ensure(["10.1.0.1/16"]);
      expect(shown()).toEqual(["10.9.0.1/16", "10.1.0.1/16"]);
    });

    test("the link-local address that the kernel made is in nobody's way", () => {
      bridge();
      ensure(["fe80::1/64"]);
      expect(host.shown.ip("-6", "address", "show", "dev", "br0")).toContain("inet6 fe80::1/64");
    });
  });
});

/** Asked with `ip`: a kernel without CONFIG_BRIDGE_VLAN_FILTERING refuses. */
function kernelFiltersVlans(side: NetnsSide): boolean {
  try {
    side.shown.ip("link", "add", "probe", "type", "bridge", "vlan_filtering", "1");
    side.shown.ip("link", "del", "probe");
    return true;
  } catch {
    return false;
  }
}
