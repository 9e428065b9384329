import { readCapture } from "../../../../test/support/kernel/captures.ts";
import { expectSameRequest } from "../../../../test/support/kernel/route-captures.ts";
import { parseAddress } from "../../../addr/address.ts";
import { FairleadError } from "../../../errors.ts";
import { linkMessage, linkTable, newLink, setLink } from "../link.ts";
import { bridgePortTable } from "./bridge.ts";
import {
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PRIVATE,
  MACVLAN_MODE_SOURCE,
  MACVLAN_MODE_VEPA,
} from "./macvlan.ts";
import { VXLAN_PORT, vxlanGroup, vxlanLocal, vxlanTable } from "./vxlan.ts";

function capturedInfo(name: string) {
  return linkTable.decode(readCapture(`route/${name}.linkinfo`)).linkInfo;
}

describe("bridge", () => {
  test("is created as ip creates it", () => {
    const data = { forwardDelay: 0, stpState: 0, multicastSnooping: false };
    const request = newLink({
      ifname: "br0",
      address: "02:00:00:00:00:01",
      mtu: 1450,
      transmitQueueLength: 500,
      alias: "net1",
      linkInfo: { kind: "bridge", data },
    });
    expectSameRequest(request, "bridge-add.request", linkMessage);
  });

  test("is decoded as the kernel tells it", () => {
    const info = capturedInfo("bridge-show");
    expect(info?.kind === "bridge" && info.data).toMatchObject({
      forwardDelay: 0,
      helloTime: 200,
      maxAge: 2000,
      ageingTime: 30000,
      stpState: 0,
      priority: 32768,
      vlanFiltering: false,
      groupForwardMask: 0,
      rootId: { priority: 0x8000, address: "02:00:00:00:00:01" },
      bridgeId: { priority: 0x8000, address: "02:00:00:00:00:01" },
      groupAddress: "01:80:c2:00:00:00",
      booleanOptions: { values: 0, mask: 0x1f },
      multicastSnooping: false,
      multicastHashMax: 4096,
      multicastIgmpVersion: 2,
      multicastQuerierInterval: 25500n,
      callIptables: false,
      fdbLearnedMax: 0,
    });
    expect(info?.unknown).toBeUndefined();
    expect(info?.kind === "bridge" && info.data?.unknown).toBeUndefined();
  });

  test("a port's data is nested in the attribute that the kernel reads by its flag", () => {
    expect(bridgePortTable.encode({ hairpin: true, flush: true })).toEqual(
      Uint8Array.of(5, 0, 4, 0, 1, 0, 0, 0, 4, 0, 24, 0),
    );
  });
});

describe("vxlan", () => {
  const portRange = { low: 40000, high: 50000 };

  test("is created as ip creates it, ports big-endian and VNI not", () => {
    const data = {
      vni: 4097,
      ...vxlanLocal(parseAddress("192.0.2.1")),
      port: VXLAN_PORT,
      learning: false,
      proxy: true,
      ttl: 64,
      portRange,
    };
    expectSameRequest(
      newLink({ ifname: "vx0", linkInfo: { kind: "vxlan", data } }),
      "vxlan-add.request",
      linkMessage,
    );
  });

  test("is created over IPv6 as ip creates it", () => {
    const data = {
      vni: 77,
      ...vxlanLocal(parseAddress("2001:db8::1")),
      ...vxlanGroup(parseAddress("ff02::77")),
      link: 2,
      port: VXLAN_PORT,
      learning: false,
      udpZeroChecksum6Transmit: true,
      label: 0x12345,
    };
    expectSameRequest(
      newLink({ ifname: "vx6", linkInfo: { kind: "vxlan", data } }),
      "vxlan6-add.request",
      linkMessage,
    );
  });

  test("is decoded as the kernel tells it", () => {
    const info = capturedInfo("vxlan-show");
    expect(info).toMatchObject({
      kind: "vxlan",
      data: {
        vni: 4097,
        local: parseAddress("192.0.2.1"),
        ttl: 64,
        ttlInherit: false,
        learning: false,
        proxy: true,
        ageingSeconds: 300,
        port: 4789,
        portRange,
        udpChecksum: true,
        localBypass: true,
      },
    });
    expect(info?.kind === "vxlan" && info.data?.unknown).toBeUndefined();
  });

  test("over IPv6 is decoded as the kernel tells it", () => {
    const info = capturedInfo("vxlan6-show");
    expect(info?.kind === "vxlan" && info.data).toMatchObject({
      vni: 77,
      group6: parseAddress("ff02::77"),
      local6: parseAddress("2001:db8::1"),
      link: 2,
      label: 0x12345,
      udpZeroChecksum6Transmit: true,
    });
  });

  test("inherits the TTL by a flag when written, by a byte when told", () => {
    expect(vxlanTable.encode({ ttlInherit: true })).toEqual(Uint8Array.of(4, 0, 28, 0));
    expect(vxlanTable.decode(Uint8Array.of(4, 0, 28, 0))).toEqual({ ttlInherit: true });
    expect(vxlanTable.decode(Uint8Array.of(5, 0, 28, 0, 1, 0, 0, 0))).toEqual({ ttlInherit: true });
    expect(() => vxlanTable.decode(Uint8Array.of(6, 0, 28, 0, 1, 0, 0, 0))).toThrow(FairleadError);
  });
});

describe("macvlan", () => {
  test("is created as ip creates it", () => {
    const data = { mode: MACVLAN_MODE_PRIVATE, broadcastQueueLength: 2000 };
    const request = newLink({ ifname: "mv0", link: 2, linkInfo: { kind: "macvlan", data } });
    expectSameRequest(request, "macvlan-add.request", linkMessage);
  });

  test("with MAC, MTU and a queue of its own, too", () => {
    const request = newLink({
      ifname: "mv2",
      link: 2,
      address: "02:00:00:00:00:42",
      mtu: 1400,
      linkInfo: { kind: "macvlan", data: { mode: MACVLAN_MODE_VEPA, broadcastQueueLength: 500 } },
    });
    expectSameRequest(request, "macvlan-mtu-add.request", linkMessage);
  });

  test("and on a link of another namespace", () => {
    const request = newLink({
      ifname: "eth0",
      link: 2,
      linkNetnsId: 7,
      address: "02:00:00:00:00:41",
      linkInfo: { kind: "macvlan", data: { mode: MACVLAN_MODE_BRIDGE } },
    });
    expectSameRequest(request, "macvlan-netns-add.request", linkMessage);
  });

  test("is decoded as the kernel tells it", () => {
    expect(capturedInfo("macvlan-show")).toEqual({
      kind: "macvlan",
      data: {
        mode: MACVLAN_MODE_PRIVATE,
        flags: 0,
        sourceAddressCount: 0,
        broadcastQueueLength: 2000,
        broadcastQueueLengthUsed: 2000,
      },
    });
  });

  const sourceAddresses = ["02:00:00:00:00:31", "02:00:00:00:00:32"];

  test("gets a list of source addresses as ip sets it", () => {
    const change = {
      linkInfo: { kind: "macvlan", data: { sourceAddressMode: 3, sourceAddresses } },
    } as const;
    const { payload } = setLink({ ifindex: 8 }, change);
    const captured = linkMessage.decode(readCapture("route/macvlan-source-set.request").subarray(16));
    expect(linkMessage.decode(payload)).toEqual(captured);
  });

  test("tells its list of source addresses", () => {
    expect(capturedInfo("macvlan-source-show")).toMatchObject({
      kind: "macvlan",
      data: { mode: MACVLAN_MODE_SOURCE, sourceAddressCount: 2, sourceAddresses },
    });
  });
});
