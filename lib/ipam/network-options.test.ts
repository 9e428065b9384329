import {
  bridgeIfname,
  DRIVER_RULES,
  type Driver,
  isolatedFamilies,
  OPTION,
  readBridgeOptions,
  readProbe,
  rulesOf,
} from "./network-options.ts";

const NETWORK_ID = "ab".repeat(32);

test("an option that is not given has its default, and so has one that does not parse", () => {
  const plain = readBridgeOptions({ id: NETWORK_ID, options: {} });
  expect(plain).toMatchObject({ icc: true, ipMasquerade: true, hostBinding: null, mtu: null });
  const options = { "com.docker.network.driver.mtu": "large" };
  expect(readBridgeOptions({ id: NETWORK_ID, options })).toEqual(plain);
});

test("options are read in Docker's words", () => {
  const options = {
    "com.docker.network.driver.mtu": "1400",
    "com.docker.network.bridge.enable_icc": "false",
    "com.docker.network.bridge.enable_ip_masquerade": "false",
    "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
  };
  expect(readBridgeOptions({ id: NETWORK_ID, options })).toMatchObject({
    icc: false,
    ipMasquerade: false,
    hostBinding: "127.0.0.1",
    mtu: 1400,
  });
});

test.each([
  [undefined, undefined, []],
  ["nat", "nat", []],
  ["nat-unprotected", undefined, [4]],
  ["nat", "nat-unprotected", [6]],
  ["nat-unprotected", "nat-unprotected", [4, 6]],
  ["routed", "isolated", []],
])("with gateway modes %s and %s hosts outside reach containers in families %j", (four, six, families) => {
  const options = {
    ...(four !== undefined && { [OPTION.gatewayMode4]: four }),
    ...(six !== undefined && { [OPTION.gatewayMode6]: six }),
  };
  expect(readBridgeOptions({ id: NETWORK_ID, options }).routedInto).toEqual(families);
});

test.each([
  [undefined, undefined, false, []],
  ["nat", "nat-unprotected", false, []],
  ["isolated", undefined, true, [4]],
  ["nat", "isolated", true, [6]],
  ["isolated", "isolated", true, [4, 6]],
])("with gateway modes %s and %s a bridge without addresses: %s, families %j", (...row) => {
  const [four, six, isolated, families] = row;
  const options = {
    ...(four !== undefined && { [OPTION.gatewayMode4]: four }),
    ...(six !== undefined && { [OPTION.gatewayMode6]: six }),
  };
  expect(readBridgeOptions({ id: NETWORK_ID, options }).isolated).toBe(isolated);
  expect(isolatedFamilies(options)).toEqual(families);
});

test("of a driver that nobody knows here there are no rules", () => {
  expect(rulesOf("ipvlan")).toBeNull();
  expect(rulesOf("toString")).toBeNull();
  expect(rulesOf("macvlan")).toBe(DRIVER_RULES.macvlan);
});

test("switches are read in any of their words, what is none counts as not given", () => {
  const read = (value: string) => {
    const options = { [OPTION.sourceCheck]: value, [OPTION.probe]: value };
    const { sourceCheck, probe } = readBridgeOptions({ id: NETWORK_ID, options });
    return [sourceCheck, probe, readProbe(options, true)];
  };
  for (const word of ["on", "true", "1", "T"]) expect(read(word)).toEqual([true, true, true]);
  for (const word of ["off", "false", "0", "F"]) expect(read(word)).toEqual([false, false, false]);
  for (const word of ["maybe", ""]) expect(read(word)).toEqual([true, false, true]);
});

test("a bridge is named by its option, else by the beginning of its network's ID", () => {
  expect(bridgeIfname({ id: NETWORK_ID, options: {} })).toBe("fl-abababababab");
  expect(bridgeIfname({ id: NETWORK_ID, options: { [OPTION.bridgeName]: "br0" } })).toBe("br0");
});

describe("values of options", () => {
  const problemOf = (driver: Driver, option: string, value: string) =>
    DRIVER_RULES[driver].options[option]?.(value);

  test.each([
    ["bridge", OPTION.mtu, ["68", "1500", "65535"], ["67", "65536", "1e3", "-1500", "", "100000", " 1500"]],
    ["macvlan", OPTION.mtu, ["68", "65535"], ["67", "65536"]],
    ["bridge", OPTION.icc, ["1", "t", "FALSE"], ["on", "yes", "", "toString"]],
    ["bridge", OPTION.ipMasquerade, ["true", "F"], ["off", "tRUE"]],
    ["bridge", OPTION.hostBinding, ["127.0.0.1", "0.0.0.0"], ["::1", "localhost", "", "127.0.0.1/8"]],
    ["bridge", OPTION.sourceCheck, ["on", "off", "true"], ["yes", "", "valueOf"]],
    ["macvlan", OPTION.macvlanMode, ["bridge", "private", "vepa", "passthru"], ["source", ""]],
    ["bridge", OPTION.gatewayMode4, ["nat", "nat-unprotected"], ["", "constructor"]],
  ] as const)("%s, %s: which are taken", (...[driver, option, taken, refused]) => {
    for (const value of taken) expect(problemOf(driver, option, value)).toBeNull();
    for (const value of refused)
      expect(problemOf(driver, option, value)).toMatch(/^it is (none|not|neither)/);
  });

  test("a gateway mode of Docker's that is not there has a hint, another word has none", () => {
    expect(problemOf("bridge", OPTION.gatewayMode6, "routed")).toMatch(/; use nat-unprotected/);
    expect(problemOf("bridge", OPTION.gatewayMode6, "isolated")).toBeNull();
    expect(problemOf("bridge", OPTION.gatewayMode6, "toString")).toBe(
      "it is none of nat, nat-unprotected, isolated",
    );
  });
});
