import { parseAddress } from "../../../lib/addr/address.ts";
import { parseInterfaceAddress } from "../../../lib/addr/prefix.ts";
import { formatResult } from "../../../lib/cni/result.ts";
import type { LinkState } from "../../../lib/host/links.ts";
import { isLoopbackAddress, loopbackResult } from "./loopback.ts";

test.each([
  ["127.0.0.1", true],
  ["127.255.255.254", true],
  ["126.255.255.255", false],
  ["128.0.0.0", false],
  ["::1", true],
  ["::", false],
  ["::2", false],
  ["fe80::1", false],
])("%s is a loopback address: %s", (text, expected) => {
  expect(isLoopbackAddress(parseAddress(text))).toBe(expected);
});

describe("the result", () => {
  const link = { ifname: "lo", mac: "00:00:00:00:00:00", mtu: 65536 } as LinkState;
  const result = (...addresses: string[]) =>
    loopbackResult(link, addresses.map(parseInterfaceAddress), "/run/netns/c1");

  test("names the link and the first address of each family", () => {
    expect(result("::1/128", "127.0.0.1/8", "127.0.0.2/8")).toMatchObject({
      interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", mtu: 65536, sandbox: "/run/netns/c1" }],
      ips: [
        { address: "127.0.0.1/8", interface: 0 },
        { address: "::1/128", interface: 0 },
      ],
    });
  });

  test("can be told in the oldest version", () => {
    expect(formatResult(result("127.0.0.1/8", "127.0.0.2/8"), "0.1.0")).toEqual({
      cniVersion: "0.1.0",
      ip4: { ip: "127.0.0.1/8" },
      dns: {},
    });
  });
});
