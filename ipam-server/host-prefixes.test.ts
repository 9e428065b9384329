import { parseRange } from "../lib/addr/range.ts";
import { hostPrefixes, nameservers, routePrefixes } from "./host-prefixes.ts";

test("routes of the kernel's table, without the default one", () => {
  const table = [
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0",
    "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
    "tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0",
    "tun0\t0500400A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0",
    "",
  ].join("\n");
  expect(routePrefixes(table)).toEqual(["192.0.2.0/24", "10.0.0.0/8", "10.64.0.5/32"]);
});

test("name servers of the resolver's file", () => {
  const text =
    "# nameserver 192.0.2.1\nnameserver 192.0.2.53\n nameserver\t2001:db8::53%eth0 ; x\nnameserver here\n";
  expect(nameservers(text)).toEqual(["192.0.2.53", "2001:db8::53"]);
});

test("of this machine they are what a request can hold", () => {
  expect(() => hostPrefixes().map(parseRange)).not.toThrow();
});
