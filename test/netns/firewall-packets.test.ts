/**
 * What Fairlead's firewall rules do to packets. Needs root, nft, ping and bash.
 *
 *     container 10.1.0.2 ── port ── bridge cni0 10.1.0.1 ── host ── uplink 198.51.100.2 ── internet 198.51.100.1
 *
 * The internet knows the way back to the container, so that a packet that is not masqueraded is seen and answered;
 * counters there tell by which source address it came.
 */
import { parsePrefix } from "../../lib/addr/prefix.ts";
import { ensureMasquerade, removeMasquerade } from "../../lib/host/firewall/masquerade/verbs.ts";
import { ensureMacSpoofCheck, removeMacSpoofCheck } from "../../lib/host/firewall/source/mac-spoof.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";

/** The network has more than the bridge's own subnet: 10.1.200.0/24 is behind the uplink, on the internet's side. */
const WEB = {
  networkName: "web",
  prefixes: [parsePrefix("10.1.0.0/16"), parsePrefix("fd00:1::/64")],
  bridge: "cni0",
};
const { bridge: _none, ...WITHOUT_BRIDGE } = WEB;
const MAC = "02:00:00:00:00:02";

const COUNTERS = `table inet watch {
  counter masqueraded { }
  counter leaked { }
  counter own { }
  chain in { type filter hook prerouting priority raw; policy accept;
    ip daddr 198.51.100.1 ip saddr 198.51.100.2 counter name masqueraded
    ip6 daddr 2001:db8:51::1 ip6 saddr 2001:db8:51::2 icmpv6 type echo-request counter name masqueraded
    ip daddr 198.51.100.1 ip saddr 10.1.0.0/16 counter name leaked
    ip6 daddr 2001:db8:51::1 ip6 saddr fd00:1::/64 counter name leaked
    ip daddr 10.1.200.1 ip saddr 10.1.0.2 counter name own
    ip daddr 10.1.200.1 ip saddr 198.51.100.2 counter name masqueraded
  }
}`;

/** Turns what is sent to port 9 into resets of connections that nobody has. */
const RESETS = `table ip mangle {
  chain out { type filter hook output priority mangle; policy accept;
    tcp dport 9 tcp flags set rst
  }
}`;

let container: NftNetns;
let host: NftNetns;
let internet: NftNetns;

beforeAll(() => {
  container = new NftNetns("container");
  host = new NftNetns("host");
  internet = new NftNetns("internet");
  for (const netns of [container, host, internet]) {
    // No waiting for somebody who might have the same link-local address.
    netns.exec("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
  }
  host.exec(
    "sh",
    "-c",
    "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
  );
  host.ip("link", "add", "cni0", "type", "bridge");
  host.ip(
    "link",
    "add",
    "port",
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "address",
    MAC,
    "netns",
    container.name,
  );
  host.ip("link", "set", "port", "master", "cni0", "up");
  host.ip("link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", internet.name);
  addresses(host, "cni0", "10.1.0.1/24", "fd00:1::1/64");
  addresses(host, "uplink", "198.51.100.2/24", "2001:db8:51::2/64");
  addresses(container, "eth0", "10.1.0.2/24", "fd00:1::2/64");
  addresses(internet, "eth0", "198.51.100.1/24", "2001:db8:51::1/64", "10.1.200.1/24");
  container.ip("route", "add", "default", "via", "10.1.0.1");
  container.ip("route", "add", "default", "via", "fd00:1::1");
  host.ip("route", "add", "10.1.200.0/24", "via", "198.51.100.1");
  internet.ip("route", "add", "10.1.0.0/24", "via", "198.51.100.2");
  internet.ip("route", "add", "fd00:1::/64", "via", "2001:db8:51::2");
});
afterAll(() => {
  for (const netns of [container, host, internet]) netns.close();
});

beforeEach(() => {
  host.apply("flush ruleset");
  internet.apply(`flush ruleset\n${COUNTERS}`);
});

function addresses(netns: NftNetns, ifname: string, ...texts: string[]): void {
  for (const text of texts)
    netns.ip("address", "add", text, "dev", ifname, ...(text.includes(":") ? ["nodad"] : []));
  netns.ip("link", "set", ifname, "up");
}

function ping(address: string): void {
  container.exec("ping", "-c", "1", "-W", "2", address);
}

/** Packets that the internet has seen so far. */
function seen(): Record<string, number> {
  const { nftables } = JSON.parse(internet.exec("nft", "--json", "list", "counters"));
  const counters = nftables.flatMap(
    ({ counter }: { counter?: { name: string; packets: number } }) => counter ?? [],
  );
  return Object.fromEntries(
    counters.map(({ name, packets }: { name: string; packets: number }) => [name, packets]),
  );
}

describe.each([
  ["by bridge", WEB],
  ["by prefix alone", WITHOUT_BRIDGE],
])("masquerading %s", (_how, spec) => {
  test("changes the source of what leaves the network, in both families", () => {
    ping("198.51.100.1");
    ping("2001:db8:51::1");
    expect(seen()).toEqual({ masqueraded: 0, leaked: 2, own: 0 });
    ensureMasquerade(host.nft, spec);
    ping("198.51.100.1");
    ping("2001:db8:51::1");
    expect(seen()).toEqual({ masqueraded: 2, leaked: 2, own: 0 });
    removeMasquerade(host.nft, spec.networkName);
    ping("198.51.100.1");
    expect(seen()).toEqual({ masqueraded: 2, leaked: 3, own: 0 });
  });

  test("leaves alone what stays in the network, and what the host itself sends", () => {
    ensureMasquerade(host.nft, spec);
    ping("10.1.200.1");
    ping("10.1.0.1");
    host.exec("ping", "-c", "1", "-W", "2", "10.1.0.2");
    expect(seen()).toEqual({ masqueraded: 0, leaked: 0, own: 1 });
  });

  test("lets no packet out that connection tracking does not know", () => {
    ensureMasquerade(host.nft, spec);
    sendReset();
    expect(seen()).toMatchObject({ masqueraded: 0, leaked: 0 });
    host.apply("flush chain inet fairlead forward-invalid");
    sendReset();
    expect(seen().leaked).toBeGreaterThan(0);
  });
});

function sendReset(): void {
  container.apply(`flush ruleset\n${RESETS}`);
  container.exec("sh", "-c", "timeout 0.5 bash -c 'exec 3<>/dev/tcp/198.51.100.1/9' 2>/dev/null || true");
  container.apply("flush ruleset");
}

test("a network on another bridge is not masqueraded", () => {
  ensureMasquerade(host.nft, { ...WEB, bridge: "cni1" });
  ping("198.51.100.1");
  expect(seen()).toEqual({ masqueraded: 0, leaked: 1, own: 0 });
});

describe("source MAC checks", () => {
  const attachment = { key: "web/c1/eth0", hostIfname: "port", mac: MAC };
  const setMac = (mac: string) => {
    container.ip("link", "set", "eth0", "address", mac);
    container.ip("route", "replace", "default", "via", "10.1.0.1");
  };
  afterEach(() => setMac(MAC));

  test("drop what comes from another MAC, and nothing else", () => {
    ensureMacSpoofCheck(host.nft, attachment);
    ping("10.1.0.1");
    setMac("02:00:00:00:00:99");
    const output = container.exec("sh", "-c", "ping -c 1 -W 1 10.1.0.1 || true");
    expect(output).toContain("1 packets transmitted, 0 received");
    removeMacSpoofCheck(host.nft, "port");
    ping("10.1.0.1");
  });

  test("do not touch other ports", () => {
    ensureMacSpoofCheck(host.nft, { ...attachment, hostIfname: "port2", mac: "02:00:00:00:00:99" });
    ping("10.1.0.1");
  });
});
