/** What a host routes by ways of its own, in any table, as VPNs and policy routing leave it. Needs root. */
import { formatPrefix } from "../../lib/addr/prefix.ts";
import { listRoutedPrefixes } from "../../lib/host/addressing/routed-prefixes.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

describe("prefixes that a host routes elsewhere", () => {
  let side: NetnsSide;
  const ip = (words: string) => side.shown.ip(...words.split(" "));
  const found = () => listRoutedPrefixes(side.connection).map(formatPrefix).sort();

  beforeEach(() => {
    side = new NetnsSide("fl-ways");
    ip("link add eth0 type veth peer name wg0");
    for (const link of ["eth0", "wg0"]) {
      side.shown.exec("sysctl", "-qw", `net.ipv6.conf.${link}.addr_gen_mode=1`);
      ip(`link set ${link} up`);
    }
    ip("-6 route flush table main");
    ip("address add 192.0.2.2/24 dev eth0");
    ip("route add default via 192.0.2.1");
  });
  afterEach(() => side.close());

  test("of main: subnets, blackholes; no default route, nor the halves of a VPN", () => {
    ip("route add 10.64.0.0/12 dev wg0");
    ip("route add blackhole 172.16.0.0/12");
    for (const half of ["0.0.0.0/1", "128.0.0.0/1"]) ip(`route add ${half} dev wg0`);
    for (const half of ["::/1", "8000::/1"]) ip(`-6 route add ${half} dev wg0`);
    ip("-6 route add fd77::/64 dev wg0");
    expect(found()).toEqual(["10.64.0.0/12", "172.16.0.0/12", "192.0.2.0/24", "fd77::/64"]);
  });

  test("of a full tunnel as wg-quick makes it: its other routes, and not its default route", () => {
    ip("route add default dev wg0 table 51820");
    ip("route add 10.64.0.0/24 dev wg0 table 51820");
    ip("-6 route add fd64::/64 dev wg0 table 51820");
    ip("rule add not fwmark 51820 table 51820");
    ip("rule add table main suppress_prefixlength 0");
    expect(found()).toEqual(["10.64.0.0/24", "192.0.2.0/24", "fd64::/64"]);
  });

  test("of a table that no rule leads to yet, and of one past 255, as a VRF has; `throw` is no way", () => {
    ip("route add 10.65.0.0/16 dev wg0 table 52");
    ip("route add throw 10.66.0.0/16 table 52");
    // As the kernel fills the table of a VRF: the subnet, and what names the host.
    ip("route add 10.67.0.0/24 dev wg0 table 1001");
    ip("route add local 10.67.0.1 dev wg0 table 1001");
    ip("route add broadcast 10.67.0.255 dev wg0 table 1001");
    const tables = found().filter((prefix) => prefix.startsWith("10."));
    expect(tables).toEqual(["10.65.0.0/16", "10.67.0.0/24"]);
  });

  test("that a rule names, whatever its table holds; an exception for main is none, nor is all but a prefix", () => {
    ip("route add default dev wg0 table 100");
    ip("rule add to 10.70.0.0/16 lookup 100");
    ip("rule add to 10.71.0.0/16 blackhole");
    ip("rule add to 10.72.0.0/16 lookup main");
    ip("rule add not to 10.73.0.0/16 lookup 100");
    ip("-6 rule add to fd70::/48 lookup 100");
    expect(found()).toEqual(["10.70.0.0/16", "10.71.0.0/16", "192.0.2.0/24", "fd70::/48"]);
  });
});
