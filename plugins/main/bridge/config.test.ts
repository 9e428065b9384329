import type { JsonObject } from "../../../lib/cni/json.ts";
import { readBridge, readRemovalKeys, wantsVlans } from "./config.ts";

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

test("ports are published here only where the network says so, on its own address", () => {
  const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80 }] };
  const mappings = (raw: JsonObject) =>
    readBridge({ raw: { runtimeConfig, ...raw }, networkName: "net" }).mappings;
  const mapping = { protocol: "tcp", hostPort: 8080, containerPort: 80, count: 1 };
  expect(mappings({})).toEqual([]);
  expect(mappings({ publishPorts: true })).toEqual([{ ...mapping, hostAddress: null }]);
  expect(mappings({ publishPorts: true, hostBinding: "192.0.2.1" })).toEqual([
    { ...mapping, hostAddress: { family: 4, value: 0xc0_00_02_01n } },
  ]);
});

test("ports that nobody is to publish here keep none from being attached", () => {
  const runtimeConfig = { portMappings: [{ hostPort: -1 }] } as unknown as JsonObject;
  expect(read({ runtimeConfig }).publishPorts).toBe(false);
  expect(() => read({ runtimeConfig, publishPorts: true })).toThrow("portMappings[0].hostPort");
});

test("router advertisements are somebody else's business unless the bridge is the gateway, or the key says so", () => {
  expect(read({ isGateway: true }).routerAdvertisements).toBe(false);
  expect(read({ isGateway: true, routerAdvertisements: true }).routerAdvertisements).toBe(true);
  expect(read({ routerAdvertisements: false }).routerAdvertisements).toBe(false);
});

test.each([{ hairpinMode: true }, { promiscMode: true }])("%j alone is fine", (raw) => {
  expect(read(raw)).toMatchObject(raw);
});

test.each<[JsonObject, string | null, boolean]>([
  [{}, "cni0", false],
  [{ bridge: null }, "cni0", false],
  [{ Bridge: "br1", macspoofchk: true }, "br1", true],
  [{ bridge: "br1", publishPorts: true }, "br1", true],
  [{ bridge: "" }, null, false],
  [{ bridge: "no/bridge", macspoofchk: "yes" }, null, false],
  [{ bridge: 7, vlan: -1 }, null, false],
])("DEL reads %j past what is wrong: bridge %j, rules: %s", (raw, bridge, wantsRules) => {
  expect(readRemovalKeys(raw, () => undefined)).toEqual({ bridge, wantsRules });
});

test("mtu 0 is the kernel's choice", () => {
  expect(read({ mtu: 0 }).mtu).toBeUndefined();
  expect(read({ mtu: 1400 }).mtu).toBe(1400);
});

test.each([
  [[{ id: 100 }], [[100, 100]]],
  [[{ minID: 5, maxID: 9 }], [[5, 9]]],
  [[{ minID: 1, maxID: 4094 }], [[1, 4094]]],
  [[{ minID: 7, maxID: 7 }], [[7, 7]]],
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
  ["a trunk ID above 4094", { vlanTrunk: [{ id: 4095 }] }, "vlanTrunk[0].id"],
  ["half a range", { vlanTrunk: [{ minID: 5 }] }, "go together"],
  ["the other half of a range", { vlanTrunk: [{ maxID: 5 }] }, "go together"],
  ["half a range beside an ID", { vlanTrunk: [{ id: 7 }, { id: 7, maxID: 5 }] }, "vlanTrunk[1]"],
  ["a range that is upside down", { vlanTrunk: [{ minID: 9, maxID: 5 }] }, "above"],
  ["an MTU beyond 65535", { mtu: 70000 }, "mtu"],
  ["a host binding that is no address", { hostBinding: "eth0" }, "hostBinding"],
])("%s is refused", (_name, raw, text) => {
  expect(() => read(raw as unknown as JsonObject)).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
  expect(() => read(raw as unknown as JsonObject)).toThrow(text);
});
