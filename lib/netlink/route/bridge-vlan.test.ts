import { decodeCapture, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { FairleadError } from "../../errors.ts";
import {
  addBridgeVlans,
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_RANGE_BEGIN,
  BRIDGE_VLAN_INFO_RANGE_END,
  BRIDGE_VLAN_INFO_UNTAGGED,
  type BridgeLink,
  bridgeLinkMessage,
  deleteBridgeVlans,
  getBridgeVlans,
  portVlans,
} from "./bridge-vlan.ts";
import { AF_BRIDGE } from "./family.ts";

const header = { family: AF_BRIDGE, linkType: 0, ifindex: 4, flags: 0, changeMask: 0 };

describe("requests", () => {
  test("to add a PVID are those of bridge", () => {
    const request = addBridgeVlans({ ifindex: 4 }, [{ vlan: 10, pvid: true, untagged: true }]);
    expectSameRequest(request, "vlan-add.request", bridgeLinkMessage);
    expect(request).toMatchObject({ operation: "add VLANs to bridge port", object: "ifindex 4" });
  });

  test("to add and delete a range are those of bridge", () => {
    const range = [{ vlan: 20, lastVlan: 30 }];
    expectSameRequest(addBridgeVlans({ ifindex: 4 }, range), "vlan-range-add.request", bridgeLinkMessage);
    expectSameRequest(
      deleteBridgeVlans({ ifindex: 4 }, range),
      "vlan-range-delete.request",
      bridgeLinkMessage,
    );
  });

  test("for the bridge itself are those of bridge", () => {
    const request = addBridgeVlans({ ifindex: 2, self: true }, [{ vlan: 7 }]);
    expectSameRequest(request, "vlan-self-add.request", bridgeLinkMessage);
  });

  test("may hold several VLANs", () => {
    const { payload } = addBridgeVlans({ ifindex: 4 }, [
      { vlan: 5, untagged: true },
      { vlan: 20, lastVlan: 30 },
    ]);
    expect(bridgeLinkMessage.decode(payload).families?.vlans).toEqual([
      { flags: BRIDGE_VLAN_INFO_UNTAGGED, vlan: 5 },
      { flags: BRIDGE_VLAN_INFO_RANGE_BEGIN, vlan: 20 },
      { flags: BRIDGE_VLAN_INFO_RANGE_END, vlan: 30 },
    ]);
  });

  test.each([
    ["no VLAN ID", { vlan: 0 }],
    ["a reserved one", { vlan: 4095 }],
    ["a range backwards", { vlan: 30, lastVlan: 20 }],
    ["a PVID that is a range", { vlan: 20, lastVlan: 30, pvid: true }],
  ])("with %s are refused", (_, vlan) => {
    expect(() => addBridgeVlans({ ifindex: 4 }, [vlan])).toThrow(FairleadError);
  });

  test("of a port by AF_BRIDGE carry its data in IFLA_PROTINFO, as bridge writes it", () => {
    const [captured] = decodeCapture("port-set-bridge.request", bridgeLinkMessage);
    expect(captured).toEqual({ ...header, port: { guard: true, hairpin: true } });
    const encoded = bridgeLinkMessage.encode({ ...header, port: { guard: true, hairpin: true } });
    expect(encoded.subarray(16, 20)).toEqual(Uint8Array.of(20, 0, 12, 0x80));
  });
});

describe("the VLANs of a port", () => {
  test("are told with their ranges joined", () => {
    const vlans = [
      { flags: BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, vlan: 10 },
      { flags: BRIDGE_VLAN_INFO_RANGE_BEGIN, vlan: 20 },
      { flags: BRIDGE_VLAN_INFO_RANGE_END, vlan: 30 },
      { flags: 0, vlan: 40 },
    ];
    const link: BridgeLink = { ...header, families: { vlans } };
    expect(portVlans(link)).toEqual([
      { vlan: 10, pvid: true, untagged: true },
      { vlan: 20, lastVlan: 30 },
      { vlan: 40 },
    ]);
    expect(portVlans(header)).toEqual([]);
  });

  test("are listed for one link or all", () => {
    expect(getBridgeVlans(4).accepts?.({ ...header, ifindex: 5 })).toBe(false);
    expect(getBridgeVlans(4).accepts?.(header)).toBe(true);
    expect(getBridgeVlans().accepts?.({ ...header, ifindex: 5 })).toBe(true);
  });
});
