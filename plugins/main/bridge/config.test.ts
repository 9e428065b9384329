import type { JsonObject } from "../../../lib/cni/json.ts";
import { readBridge, wantsVlans } from "./config.ts";

const read = (raw: JsonObject) => readBridge({ raw, networkName: "net" }).config;

test("every key has the default of the reference", () => {
  expect(read({})).toEqual({
    bridge: "cni0",
    isGateway: false,
    isDefaultGateway: false,
    forceAddress: false,
    ipMasq: false,
    ipMasqBackend: "",
    mtu: undefined,
    hairpinMode: false,
    promiscMode: false,
    vlan: 0,
    vlanTrunk: [],
    preserveDefaultVlan: false,
    macspoofchk: false,
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: false,
    isolation: false,
    internal: false,
    probe: false,
    publishPorts: false,
    routerAdvertisements: true,
    hostBinding: null,
    snat: true,
    sourceCheck: false,
    directRouting4: true,
    directRouting6: true,
  });
});

test("keys match in any case, as conflists in the field rely on", () => {
  expect(read({ BRIDGE: "br7", isgateway: true, IPMasq: true })).toMatchObject({
    bridge: "br7",
    isGateway: true,
    ipMasq: true,
  });
});

test("isDefaultGateway implies isGateway", () => {
  expect(read({ isDefaultGateway: true }).isGateway).toBe(true);
});

test("internal implies isolation", () => {
  expect(read({ internal: true })).toMatchObject({ internal: true, isolation: true });
  expect(read({ isolation: true })).toMatchObject({ internal: false, isolation: true });
});

test("mtu 0 is the kernel's choice", () => {
  expect(read({ mtu: 0 }).mtu).toBeUndefined();
  expect(read({ mtu: 1400 }).mtu).toBe(1400);
});

test.each([
  [[{ id: 100 }], [[100, 100]]],
  [[{ minID: 5, maxID: 9 }], [[5, 9]]],
  [
    [{ minID: 5, maxID: 9, id: 20 }, { id: 1 }],
    [
      [5, 9],
      [20, 20],
      [1, 1],
    ],
  ],
])("vlanTrunk %j is the union of its entries", (vlanTrunk, expected) => {
  const config = read({ vlanTrunk } as unknown as JsonObject);
  expect(config.vlanTrunk.map(({ first, last }) => [first, last])).toEqual(expected);
  expect(wantsVlans(config)).toBe(true);
});

test.each([
  [{}, false],
  [{ vlan: 0, vlanTrunk: [] }, false],
  [{ vlan: 1 }, true],
  [{ vlanTrunk: [{ id: 1 }] }, true],
] as const)("%j asks for VLANs: %s", (raw, expected) => {
  expect(wantsVlans(read(raw as unknown as JsonObject))).toBe(expected);
});

test.each([
  ["both hairpin and promiscuous", { hairpinMode: true, promiscMode: true }, "same time"],
  ["a bridge name of 16 bytes", { bridge: "a234567890123456" }, "16 bytes"],
  ["an empty bridge name", { bridge: "" }, "empty"],
  ["a VLAN above 4094", { vlan: 4095 }, "vlan"],
  ["a negative VLAN", { vlan: -1 }, "vlan"],
  ["a VLAN that is text", { vlan: "100" }, "vlan"],
  ["a flag that is text", { isGateway: "true" }, "isGateway"],
  ["a trunk entry without a VLAN", { vlanTrunk: [{}] }, "vlanTrunk[0]"],
  ["a trunk ID of 0", { vlanTrunk: [{ id: 0 }] }, "vlanTrunk[0].id"],
  ["half a range", { vlanTrunk: [{ minID: 5 }] }, "go together"],
  ["a range that is upside down", { vlanTrunk: [{ minID: 9, maxID: 5 }] }, "above"],
  ["an MTU beyond 65535", { mtu: 70000 }, "mtu"],
  ["a host binding that is no address", { hostBinding: "eth0" }, "hostBinding"],
])("%s is refused", (_name, raw, text) => {
  expect(() => read(raw as unknown as JsonObject)).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
  expect(() => read(raw as unknown as JsonObject)).toThrow(text);
});
