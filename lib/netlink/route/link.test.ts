import { decodeCapture, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { BR_STATE_DISABLED, bridgePortTable } from "./link/bridge.ts";
import {
  deleteLink,
  deleteLinkGroup,
  getLink,
  getLinks,
  IFF_UP,
  IN6_ADDR_GEN_MODE_EUI64,
  LINK_DOWN,
  LINK_UP,
  type Link,
  linkMessage,
  newLink,
  RTEXT_FILTER_SKIP_STATS,
  setBridgePort,
  setLink,
} from "./link.ts";

describe("requests", () => {
  test("to create a veth into a bridge are those of ip", () => {
    const peer = { ifname: "c0", address: "02:00:00:00:00:02", mtu: 1450 };
    const request = newLink({
      ifname: "h0",
      mtu: 1450,
      master: 2,
      linkInfo: { kind: "veth", data: { peer } },
    });
    expectSameRequest(request, "veth-add.request", linkMessage);
    expect(request).toMatchObject({ operation: "create veth link", object: "h0" });
  });

  test("to create an ifb are those of ip", () => {
    expectSameRequest(newLink({ ifname: "ifb9", linkInfo: { kind: "ifb" } }), "ifb-add.request", linkMessage);
  });

  test("to set what a bridge keeps about a port carry the bytes that ip sends", () => {
    const port = {
      hairpin: true,
      isolated: true,
      unicastFlood: false,
      learning: false,
      neighbourSuppression: true,
    };
    const request = setBridgePort({ ifindex: 4 }, port);
    expect(request).toMatchObject({ operation: "change bridge port", object: "ifindex 4" });
    const info = linkMessage.decode(request.payload).linkInfo;
    expect(info).toEqual({ slaveKind: "bridge", slaveData: port });
    // ip calls the kind "bridge_slave" and names no slave kind, so that its data stays whole here.
    const [captured] = decodeCapture("port-set.request", linkMessage);
    expect(captured?.linkInfo?.unknown).toEqual([{ type: 5, payload: bridgePortTable.encode(port) }]);
  });

  test("to delete a link are those of ip", () => {
    const [captured] = decodeCapture("link-delete.request", linkMessage);
    expectSameRequest(deleteLink({ ifindex: captured?.ifindex ?? 0 }), "link-delete.request", linkMessage);
  });

  test("to move a link name the netns by file descriptor", () => {
    const { payload, flags } = setLink({ ifindex: 4 }, { netNsFd: 9, ifname: "eth0" });
    expect(flags).toBe(0);
    expect(linkMessage.decode(payload)).toMatchObject({ ifindex: 4, netNsFd: 9, ifname: "eth0" });
  });

  test("to set a link up or down touch no other flag", () => {
    const up = linkMessage.decode(setLink({ ifname: "a" }, LINK_UP).payload);
    expect(up).toMatchObject({ ifname: "a", flags: IFF_UP, changeMask: IFF_UP });
    const down = linkMessage.decode(setLink({ ifindex: 3 }, LINK_DOWN).payload);
    expect(down).toMatchObject({ ifindex: 3, flags: 0, changeMask: IFF_UP });
  });

  test("to get a link leave the statistics of IPv6 out", () => {
    const { payload } = getLink({ ifname: "eth0" });
    expect(linkMessage.decode(payload)).toEqual({
      ...emptyHeader,
      ifname: "eth0",
      extendedMask: RTEXT_FILTER_SKIP_STATS,
    });
  });

  test("to delete a group name it", () => {
    expect(linkMessage.decode(deleteLinkGroup(77).payload)).toEqual({ ...emptyHeader, group: 77 });
  });

  test("to list links filter by master and kind, in the kernel and here", () => {
    const { payload, accepts } = getLinks({ master: 2, kind: "veth" });
    expect(linkMessage.decode(payload)).toMatchObject({ master: 2, linkInfo: { kind: "veth" } });
    const link = (master: number | undefined, kind: string): Link => ({
      ...emptyHeader,
      master,
      linkInfo: { kind },
    });
    expect(accepts?.(link(2, "veth"))).toBe(true);
    expect(accepts?.(link(3, "veth"))).toBe(false);
    expect(accepts?.(link(2, "macvlan"))).toBe(false);
    expect(accepts?.(link(undefined, "veth"))).toBe(false);
    expect(getLinks().accepts?.(link(undefined, "vxlan"))).toBe(true);
  });
});

const emptyHeader = { family: 0, linkType: 0, ifindex: 0, flags: 0, changeMask: 0 };

describe("a link (captured)", () => {
  const [link] = decodeCapture("veth-show.reply", linkMessage);

  test("has what ip shows of it", () => {
    expect(link).toMatchObject({
      family: 0,
      linkType: 1,
      ifindex: 4,
      ifname: "h0",
      mtu: 1450,
      minMtu: 68,
      maxMtu: 65535,
      master: 2,
      link: 3,
      qdisc: "noop",
      transmitQueueLength: 1000,
      operstate: 2,
      group: 0,
      promiscuity: 1,
      allmulti: 1,
      transmitQueues: 2,
      carrier: 0,
      broadcast: "ff:ff:ff:ff:ff:ff",
      families: { inet6: { addressGenerationMode: IN6_ADDR_GEN_MODE_EUI64 } },
    });
    expect(link?.address).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(link?.statistics64).toHaveLength(200);
  });

  test("has what the bridge keeps about its port", () => {
    const info = link?.linkInfo;
    expect(info).toMatchObject({ kind: "veth", slaveKind: "bridge" });
    expect(info?.slaveKind === "bridge" && info.slaveData).toMatchObject({
      state: BR_STATE_DISABLED,
      priority: 32,
      cost: 2,
      hairpin: true,
      guard: true,
      learning: false,
      unicastFlood: false,
      multicastFlood: true,
      broadcastFlood: true,
      neighbourSuppression: true,
      isolated: true,
      locked: false,
      id: 0x8001,
      number: 1,
      designatedPort: 32769,
      rootId: { priority: 0x8000, address: "02:00:00:00:00:01" },
      bridgeId: { priority: 0x8000, address: "02:00:00:00:00:01" },
      holdTimer: 0n,
      multicastEhtHostsLimit: 512,
    });
  });

  test("keeps what is not known here: XDP, pacing, ports of devices", () => {
    expect(link?.unknown?.map(({ type }) => type)).toEqual([66, 43, 62, 65]);
  });
});
