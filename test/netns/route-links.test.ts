/** lib/netlink/route against the kernel, judged by `ip` and `bridge`: links. Needs root. */
import { parseAddress } from "../../lib/addr/address.ts";
import { isAbsent, isPresent } from "../../lib/netlink/request.ts";
import { MACVLAN_MODE_BRIDGE } from "../../lib/netlink/route/link/macvlan.ts";
import { VXLAN_PORT, vxlanLocal } from "../../lib/netlink/route/link/vxlan.ts";
import {
  deleteLink,
  deleteLinkGroup,
  getLink,
  getLinks,
  IFF_UP,
  LINK_UP,
  newLink,
  setBridgePort,
  setLink,
} from "../../lib/netlink/route/link.ts";
import { failure, RouteNetns } from "../support/kernel/route-netns.ts";

type Shown = Record<string, unknown>;

describe("rtnetlink", () => {
  let netns: RouteNetns;
  let host: RouteNetns["host"];
  let container: RouteNetns["container"];
  let containerNetns: RouteNetns["containerNetns"];
  let connection: RouteNetns["connection"];
  let inside: RouteNetns["inside"];
  let show: RouteNetns["show"];
  let ifindexOf: RouteNetns["ifindexOf"];
  let makeBridge: RouteNetns["makeBridge"];
  let makeVxlan: RouteNetns["makeVxlan"];

  beforeEach(() => {
    netns = new RouteNetns();
    ({ host, container, containerNetns, connection, inside, show, ifindexOf, makeBridge, makeVxlan } = netns);
  });
  afterEach(() => netns.close());

  describe("links", () => {
    test("a veth is made in one request: one end a port of the bridge and up, the other in the container", () => {
      const master = makeBridge();
      const peer = { ifname: "eth0", address: "02:00:00:00:00:02", mtu: 1450, netNsFd: containerNetns.fd };
      const [, , [link]] = connection.execute([
        newLink({
          ifname: "veth1",
          mtu: 1450,
          master,
          ...LINK_UP,
          linkInfo: { kind: "veth", data: { peer } },
        }),
        setBridgePort({ ifname: "veth1" }, { hairpin: true, isolated: true, learning: false }),
        getLink({ ifname: "veth1" }),
      ]);
      expect(show("link", "show", "veth1")).toMatchObject({
        ifname: "veth1",
        mtu: 1450,
        master: "br0",
        linkinfo: {
          info_kind: "veth",
          info_slave_kind: "bridge",
          info_slave_data: { hairpin: true, isolated: true, learning: false, flood: true },
        },
      });
      expect(container.show<Shown>("link", "show", "eth0")).toMatchObject([
        { address: "02:00:00:00:00:02", mtu: 1450 },
      ]);
      expect(link).toMatchObject({
        ifname: "veth1",
        master,
        linkInfo: { kind: "veth", slaveKind: "bridge", slaveData: { hairpin: true, isolated: true } },
      });
      expect((link?.flags ?? 0) & IFF_UP).toBe(IFF_UP);
      expect(link?.families?.inet6?.statistics).toBeUndefined();
    });

    test("a peer cannot be made up, and the kernel says so", () => {
      const peer = { ifname: "b", ...LINK_UP };
      const error = failure(() =>
        connection.execute([newLink({ ifname: "a", linkInfo: { kind: "veth", data: { peer } } })]),
      );
      expect(error.errnoName).toBe("ENOTCONN");
      expect(host.show("link").map((each) => (each as Shown)["ifname"])).toEqual(["lo"]);
    });

    test("a bridge has what it was made with", () => {
      const data = {
        forwardDelay: 0,
        ageingTime: 60_000,
        multicastSnooping: false,
        groupForwardMask: 8,
        fdbLearnedMax: 500,
      };
      connection.execute([newLink({ ifname: "br1", group: 7, linkInfo: { kind: "bridge", data } })]);
      expect(show("link", "show", "br1")).toMatchObject({
        group: "7",
        linkinfo: {
          info_data: {
            forward_delay: 0,
            ageing_time: 60_000,
            mcast_snooping: 0,
            group_fwd_mask: "0x8",
          },
        },
      });
      const info = connection.get(getLink({ ifname: "br1" })).linkInfo;
      expect(info).toMatchObject({ kind: "bridge", data });
    });

    test("a VXLAN link has what it was made with, over IPv4 and IPv6", () => {
      makeVxlan();
      const data6 = {
        vni: 77,
        ...vxlanLocal(parseAddress("2001:db8::1")),
        port: VXLAN_PORT,
        proxy: true,
        ttlInherit: true,
        portRange: { low: 40_000, high: 50_000 },
        udpZeroChecksum6Transmit: true,
      };
      connection.execute([newLink({ ifname: "vx6", linkInfo: { kind: "vxlan", data: data6 } })]);
      expect(show("link", "show", "vx0")).toMatchObject({
        linkinfo: {
          info_kind: "vxlan",
          info_data: { id: 4097, local: "192.0.2.1", port: 4789, learning: false },
        },
      });
      expect(show("link", "show", "vx6")).toMatchObject({
        linkinfo: {
          info_data: {
            id: 77,
            local6: "2001:db8::1",
            proxy: true,
            port_range: { low: 40_000, high: 50_000 },
            udp_zero_csum6_tx: true,
          },
        },
      });
      expect(connection.get(getLink({ ifname: "vx6" })).linkInfo).toMatchObject({ data: data6 });
    });

    test("a macvlan and an ifb are made", () => {
      const link = makeBridge();
      const data = { mode: MACVLAN_MODE_BRIDGE, broadcastQueueLength: 2000 };
      connection.execute([
        newLink({ ifname: "mv0", link, netNsFd: containerNetns.fd, linkInfo: { kind: "macvlan", data } }),
        newLink({ ifname: "ifb7", ...LINK_UP, linkInfo: { kind: "ifb" } }),
      ]);
      expect(container.show<Shown>("link", "show", "mv0")).toMatchObject([
        { linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge", bcqueuelen: 2000 } } },
      ]);
      expect(show("link", "show", "ifb7")).toMatchObject({ linkinfo: { info_kind: "ifb" } });
      const told = inside.get(getLink({ ifname: "mv0" }));
      expect(told).toMatchObject({ link, linkInfo: { kind: "macvlan", data } });
      expect(told.linkNetnsId).toEqual(expect.any(Number));
    });

    test("a link is changed, renamed, and moved to another netns", () => {
      const peer = { ifname: "p" };
      connection.execute([newLink({ ifname: "a", linkInfo: { kind: "veth", data: { peer } } })]);
      const ifindex = ifindexOf("a");
      connection.execute([
        setLink({ ifname: "a" }, { mtu: 1280, alias: "text", address: "02:00:00:00:00:09" }),
        setLink({ ifindex }, { ifname: "b" }),
      ]);
      expect(show("link", "show", "b")).toMatchObject({
        ifindex,
        mtu: 1280,
        ifalias: "text",
        address: "02:00:00:00:00:09",
      });
      connection.execute([setLink({ ifindex }, { netNsFd: containerNetns.fd, ifname: "c" })]);
      expect(connection.find(getLink({ ifindex }))).toBeUndefined();
      expect(inside.get(getLink({ ifname: "c" }))).toMatchObject({ ifname: "c", mtu: 1280 });
    });

    test("links are listed by master and kind", () => {
      const master = makeBridge();
      for (const ifname of ["v0", "v1"]) {
        const peer = { ifname: `${ifname}p` };
        connection.execute([newLink({ ifname, master, linkInfo: { kind: "veth", data: { peer } } })]);
      }
      const names = (filter: Parameters<typeof getLinks>[0]) =>
        connection.dump(getLinks(filter)).map(({ ifname }) => ifname);
      expect(names({})).toEqual(expect.arrayContaining(["lo", "br0", "v0", "v1", "v0p", "v1p"]));
      expect(names({ master })).toEqual(["v0", "v1"]);
      expect(names({ kind: "bridge" })).toEqual(["br0"]);
      expect(names({ master, kind: "bridge" })).toEqual([]);
    });

    test("refusals are told apart and say what the kernel says", () => {
      makeBridge();
      const exists = failure(() =>
        connection.execute([newLink({ ifname: "br0", linkInfo: { kind: "bridge" } })]),
      );
      expect(exists.message).toContain("create bridge link br0: File exists (EEXIST)");
      expect(isPresent(exists)).toBe(true);
      const absent = failure(() => connection.execute([deleteLink({ ifname: "none" })]));
      expect(absent.message).toContain("delete link none: No such device (ENODEV)");
      expect(isAbsent(absent)).toBe(true);
      const mtu = failure(() => connection.execute([setLink({ ifname: "br0" }, { mtu: 20 })]));
      expect(mtu.message).toContain('change link br0: Invalid argument (EINVAL): kernel says "mtu less than');
      expect(mtu.details).toMatchObject({ errno: 22, kernelText: expect.stringContaining("mtu less") });
    });

    test("a group is deleted at once", () => {
      const members = ["g0", "g1"].map((ifname) => newLink({ ifname, group: 77, linkInfo: { kind: "ifb" } }));
      connection.execute(members);
      connection.execute([deleteLinkGroup(77)]);
      expect(connection.find(getLink({ ifname: "g0" }))).toBeUndefined();
      expect(connection.find(getLink({ ifname: "g1" }))).toBeUndefined();
      expect(failure(() => connection.execute([deleteLinkGroup(0)])).errnoName).toBe("EPERM");
    });
  });
});
