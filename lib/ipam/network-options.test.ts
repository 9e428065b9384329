import { readBridgeOptions } from "./network-options.ts";

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
