import { formatPrefix } from "../lib/addr/prefix.ts";
import { parseRange } from "../lib/addr/range.ts";
import { parseNameServers, parseRoutes, parseRoutes6, readHostPrefixes } from "./host-prefixes.ts";

describe("what the host reaches by other ways", () => {
  test("routes of both families, without default routes", () => {
    const route = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun1\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0
tun1\t00000080\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0
tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
`;
    expect(parseRoutes(route).map(formatPrefix)).toEqual(["192.168.1.0/24", "10.0.0.0/8"]);
    const zeros = "0".repeat(32);
    const route6 = [
      `fd000000000000000000000000000000 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001     eth0`,
      `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0`,
      `${zeros} 01 ${zeros} 00 ${zeros} 00000400 00000001 00000000 00000003     tun1`,
      `8${zeros.slice(1)} 01 ${zeros} 00 ${zeros} 00000400 00000001 00000000 00000003     tun1`,
      `${zeros.slice(1)}1 80 ${zeros} 00 ${zeros} 00000000 00000002 00000000 80200001       lo`,
    ].join("\n");
    expect(parseRoutes6(route6).map(formatPrefix)).toEqual(["fd00::/64"]);
  });

  test("name servers", () => {
    expect(
      parseNameServers(
        "# nameserver 1.1.1.1\nnameserver 10.0.0.53\n nameserver fe80::1%eth0\nnameserver x\n",
      ),
    ).toEqual(["10.0.0.53", "fe80::1"]);
  });
});

test("of this machine they are what a request can hold", () => {
  expect(() => readHostPrefixes().map(parseRange)).not.toThrow();
});
