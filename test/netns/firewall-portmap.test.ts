/** Published ports in nftables, with `nft` as the judge. Needs root and nft. */
import { parseAddress } from "../../lib/addr/address.ts";
import { removeUnusedPortmap } from "../../lib/host/firewall/ports/chains.ts";
import { checkPublishedPorts } from "../../lib/host/firewall/ports/check.ts";
import { keepHostPorts, releaseHostPorts, releaseHostPortsOf } from "../../lib/host/firewall/ports/kept.ts";
import { type PublishSpec, publishPorts } from "../../lib/host/firewall/ports/publish.ts";
import { unpublishPorts, unpublishStalePorts } from "../../lib/host/firewall/ports/unpublish.ts";
import { listedByNft, sorted } from "../support/kernel/nft-judge.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";
import { C1, elements, port, spec, TCP_PORTS } from "../support/kernel/published-ports.ts";

/** The whole table, for a container that publishes one TCP port on every address and one UDP port on one. */
const EXPECTED = `
table inet fairlead {
  map portmap4 { type inet_proto . inet_service : ipv4_addr . inet_service
    elements = { tcp . 8080 comment "web/c1/eth0" : 10.1.0.2 . 80 }
  }
  map portmap-bound4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
    elements = { udp . 198.51.100.2 . 53 comment "web/c1/eth0" : 10.1.0.2 . 5353 }
  }
  map portmap-standby4 { type ifname . inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
  }
  set portmap-kept4 { type inet_proto . ipv4_addr . inet_service
  }
  set portmap-masquerade4 { type ipv4_addr
  }
  set portmap-self4 { type ipv4_addr . ipv4_addr
    elements = { 10.1.0.2 . 10.1.0.2 comment "web/c1/eth0" }
  }
  map portmap6 { type inet_proto . inet_service : ipv6_addr . inet_service
    elements = { tcp . 8080 comment "web/c1/eth0" : fd00:1::2 . 80 }
  }
  map portmap-bound6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service
  }
  map portmap-standby6 { type ifname . inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service
  }
  set portmap-kept6 { type inet_proto . ipv6_addr . inet_service
  }
  set portmap-masquerade6 { type ipv6_addr
  }
  set portmap-self6 { type ipv6_addr . ipv6_addr
    elements = { fd00:1::2 . fd00:1::2 comment "web/c1/eth0" }
  }
  set portmap-hairpin { type ifname . ifname
    elements = { "cni0" . "cni0" }
  }
  set portmap-attachments { type ifname
    elements = { "ATTACHMENT" comment "web/c1/eth0 tcp/0.0.0.0:8080 tcp/[::]:8080 udp/198.51.100.2:53" }
  }
  set portmap-shared { type ifname
  }
  chain portmap-dnat {
    meta nfproto ipv4 meta l4proto . ip daddr . th dport @portmap-kept4 return
    meta nfproto ipv4 dnat ip to meta l4proto . ip daddr . th dport map @portmap-bound4
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @portmap4
    meta nfproto ipv6 meta l4proto . ip6 daddr . th dport @portmap-kept6 return
    meta nfproto ipv6 dnat ip6 to meta l4proto . ip6 daddr . th dport map @portmap-bound6
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @portmap6
  }
  chain portmap-prerouting {
    type nat hook prerouting priority -100
    fib daddr type local jump portmap-dnat
  }
  chain portmap-output {
    type nat hook output priority -100
    fib daddr type local jump portmap-dnat
  }
  chain portmap-postrouting {
    type nat hook postrouting priority 100
    ct status dnat iifname . oifname @portmap-hairpin masquerade
    ct status dnat ip saddr 127.0.0.0/8 oifname . oifname @portmap-hairpin masquerade
    ct status dnat ip saddr . ip daddr @portmap-self4 masquerade
    ct status dnat ip6 saddr . ip6 daddr @portmap-self6 masquerade
    ct status dnat ip daddr @portmap-masquerade4 masquerade
    ct status dnat ip6 daddr @portmap-masquerade6 masquerade
  }
  chain portmap-loopback {
    type filter hook prerouting priority -300
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip saddr 127.0.0.0/8 drop
  }
}`;

let host: NftNetns;
beforeEach(() => {
  host = new NftNetns("portmap");
});
afterEach(() => host.close());

function tag(): string {
  return /"([0-9a-f]{15})"/.exec(host.list())?.[1] ?? "";
}

test("the table is the one that nft makes of the description", () => {
  publishPorts(host.nft, C1);
  expect(sorted(host.listJson())).toEqual(listedByNft(EXPECTED.replace("ATTACHMENT", tag())));
});

test("publishing is idempotent, and one transaction; CHECK agrees", () => {
  publishPorts(host.nft, C1);
  const before = host.list();
  const generation = host.nft.generation();
  publishPorts(host.nft, C1);
  expect(host.list()).toBe(before);
  checkPublishedPorts(host.nft, C1);
  publishPorts(host.nft, spec("c2", [port("tcp", "0.0.0.0", { from: 81, to: 80 })]));
  // Every look at what is there ends a transaction of nothing; this one and the change.
  expect(host.nft.generation() - generation).toBeLessThanOrEqual(6);
});

test("what an attachment published before is replaced", () => {
  publishPorts(host.nft, C1);
  publishPorts(host.nft, spec("c1", [port("tcp", "0.0.0.0", { from: 8081, to: 80 })]));
  expect(elements(host, "portmap4")).toEqual([expect.stringContaining("8081")]);
  expect(elements(host, "portmap-bound4")).toEqual([]);
  expect(elements(host, "portmap6")).toEqual([]);
});

test.each([
  ["every address over every address", "0.0.0.0", "0.0.0.0", true],
  ["every address over one", "127.0.0.1", "0.0.0.0", true],
  ["one over every address", "0.0.0.0", "127.0.0.1", true],
  ["one over the same one", "127.0.0.1", "127.0.0.1", true],
  ["one beside another one", "127.0.0.1", "198.51.100.2", false],
  ["IPv6 beside IPv4", "0.0.0.0", "::", false],
])("%s: refused, naming the holder: %#", (...[_what, first, second, refused]) => {
  publishPorts(host.nft, spec("c1", [port("tcp", first, { from: 80, to: 80 })]));
  const publish = () =>
    publishPorts(
      host.nft,
      spec("c2", [port("tcp", "0.0.0.0", { from: 81, to: 81 }), port("tcp", second, { from: 80, to: 80 })]),
    );
  if (!refused) return publish();
  expect(publish).toThrow(
    expect.objectContaining({
      code: "in-use",
      reason: `container c1 (interface eth0, network web) has tcp/${first}:80`,
    }),
  );
  expect(elements(host, "portmap4").join()).not.toContain("81");
});

test("UDP beside TCP is no conflict", () => {
  publishPorts(host.nft, spec("c1", [port("tcp", "0.0.0.0", { from: 53, to: 53 })]));
  publishPorts(
    host.nft,
    spec("c2", [port("udp", "0.0.0.0", { from: 53, to: 53 }), port("sctp", "0.0.0.0", { from: 53, to: 53 })]),
  );
  expect(elements(host, "portmap4")).toHaveLength(3);
});

test("unpublishing takes back exactly the attachment's own, twice, and changes nothing where there is nothing", () => {
  publishPorts(host.nft, spec("c2", [port("tcp", "0.0.0.0", { from: 81, to: 80 })]));
  const before = host.list();
  publishPorts(host.nft, C1);
  expect(unpublishPorts(host.nft, C1.holder)).toHaveLength(3);
  expect(host.list()).toBe(before);
  const [generation, sent] = [host.nft.generation(), host.sent];
  expect(unpublishPorts(host.nft, C1.holder)).toEqual([]);
  expect(host.sent - sent).toBe(1);
  expect(host.nft.generation()).toBe(generation);
});

test("unpublishing on a host that never published anything is one question", () => {
  expect(unpublishPorts(host.nft, C1.holder)).toEqual([]);
  expect(host.sent).toBe(1);
  expect(host.list()).toBe("");
});

test("more ports than fit a comment, or a datagram of the usual size", () => {
  const many = Array.from({ length: 300 }, (_, at) =>
    port("udp", "0.0.0.0", { from: 10_000 + 2 * at, to: 10_000 + at }),
  );
  publishPorts(host.nft, spec("c1", many));
  checkPublishedPorts(host.nft, spec("c1", many));
  expect(elements(host, "portmap4")).toHaveLength(300);
  publishPorts(host.nft, spec("c1", many));
  expect(() => publishPorts(host.nft, spec("c2", many.slice(250)))).toThrow("has udp/0.0.0.0:10500");
  expect(unpublishPorts(host.nft, C1.holder)).toHaveLength(300);
  expect(elements(host, "portmap4")).toEqual([]);
  expect(elements(host, "portmap-attachments")).toEqual([]);
});

test("a run of ports is written down as a range", () => {
  const run = Array.from({ length: 10 }, (_, at) =>
    port("tcp", "127.0.0.1", { from: 8000 + at, to: 80 + at }),
  );
  publishPorts(host.nft, spec("c1", run));
  expect(host.list()).toContain('comment "web/c1/eth0 tcp/127.0.0.1:8000-8009"');
  expect(unpublishPorts(host.nft, C1.holder)).toHaveLength(10);
  expect(elements(host, "portmap-bound4")).toEqual([]);
});

test("publishing and unpublishing ask the kernel as much with a thousand ports in place as with none", () => {
  const costs = () => {
    const sent = host.sent;
    publishPorts(host.nft, spec("c1", TCP_PORTS));
    const published = host.sent;
    unpublishPorts(host.nft, C1.holder);
    return [published - sent, host.sent - published];
  };
  publishPorts(host.nft, spec("c0", [port("tcp", "0.0.0.0", { from: 1, to: 1 })]));
  const before = costs();
  for (let round = 0; round < 10; round++) {
    const some = Array.from({ length: 100 }, (_, at) =>
      port("udp", "0.0.0.0", { from: 20_000 + 100 * round + at, to: at + 1 }),
    );
    publishPorts(host.nft, spec(`many-${round}`, some));
  }
  expect(costs()).toEqual(before);
  expect(Math.max(...before)).toBeLessThanOrEqual(7);
});

describe("one container on two networks that both publish its port", () => {
  const first = spec("c1", TCP_PORTS);
  const second: PublishSpec = {
    ...spec(
      "c1",
      [{ ...port("tcp", "0.0.0.0", { from: 8080, to: 80 }), containerAddress: parseAddress("10.2.0.9") }],
      "db",
    ),
    link: "cni1",
  };

  beforeEach(() => {
    publishPorts(host.nft, first);
    publishPorts(host.nft, second);
  });

  test("the first has it, the second stands by", () => {
    expect(elements(host, "portmap4")).toEqual([expect.stringContaining("10.1.0.2")]);
    expect(elements(host, "portmap-standby4")).toEqual([expect.stringContaining("10.2.0.9")]);
    for (const each of [first, second]) checkPublishedPorts(host.nft, each);
    publishPorts(host.nft, second);
    expect(elements(host, "portmap-standby4")).toHaveLength(1);
  });

  test("when the first goes, the second takes over, and then goes without a trace", () => {
    unpublishPorts(host.nft, first.holder);
    expect(elements(host, "portmap4")).toEqual([expect.stringContaining("10.2.0.9")]);
    checkPublishedPorts(host.nft, second);
    for (const name of ["portmap6", "portmap-standby4", "portmap-shared"])
      expect(elements(host, name)).toEqual([]);
    unpublishPorts(host.nft, second.holder);
    expect(elements(host, "portmap4")).toEqual([]);
    expect(elements(host, "portmap-attachments")).toEqual([]);
  });

  test("when the second goes, the first keeps it", () => {
    unpublishPorts(host.nft, second.holder);
    expect(elements(host, "portmap4")).toEqual([expect.stringContaining("10.1.0.2")]);
    expect(elements(host, "portmap-standby4")).toEqual([]);
    expect(elements(host, "portmap-shared")).toEqual([]);
    checkPublishedPorts(host.nft, first);
  });

  test("another container is refused either way", () => {
    unpublishPorts(host.nft, first.holder);
    expect(() => publishPorts(host.nft, spec("c2", TCP_PORTS))).toThrow("network db) has tcp/0.0.0.0:8080");
  });
});

test("GC takes what is stale on its own network, and nothing else", () => {
  publishPorts(host.nft, C1);
  publishPorts(host.nft, spec("c2", [port("tcp", "0.0.0.0", { from: 81, to: 80 })]));
  publishPorts(host.nft, spec("c3", [port("tcp", "0.0.0.0", { from: 82, to: 80 })], "webber"));
  const gone = unpublishStalePorts(host.nft, "web", [{ containerId: "c2", ifname: "eth0" }]);
  expect(gone).toHaveLength(3);
  expect(elements(host, "portmap4")).toHaveLength(2);
  expect(elements(host, "portmap-attachments")).toHaveLength(2);
  removeUnusedPortmap(host.nft);
  expect(elements(host, "portmap4")).toHaveLength(2);
  unpublishStalePorts(host.nft, "web", []);
  unpublishStalePorts(host.nft, "webber", []);
  removeUnusedPortmap(host.nft);
  expect(host.list()).toBe("");
});

test("what is not ours in the table stays when publishing goes", () => {
  publishPorts(host.nft, C1);
  host.apply("add chain inet fairlead masq-other");
  unpublishPorts(host.nft, C1.holder);
  removeUnusedPortmap(host.nft);
  expect(host.list()).toBe("table inet fairlead {\n\tchain masq-other {\n\t}\n}\n");
});

test("ports that the host keeps are listed, let go, and survive the last container", () => {
  const kept = { protocol: "udp" as const, hostAddress: parseAddress("10.1.0.1"), hostPort: 53 };
  keepHostPorts(host.nft, [kept], "fairlead agent");
  keepHostPorts(host.nft, [kept], "fairlead agent");
  expect(elements(host, "portmap-kept4")).toEqual([expect.stringContaining("10.1.0.1")]);
  removeUnusedPortmap(host.nft);
  expect(elements(host, "portmap-kept4")).toHaveLength(1);
  releaseHostPortsOf(host.nft, "somebody else");
  expect(elements(host, "portmap-kept4")).toHaveLength(1);
  releaseHostPortsOf(host.nft, "fairlead agent");
  expect(elements(host, "portmap-kept4")).toEqual([]);
  keepHostPorts(host.nft, [kept], "fairlead agent");
  releaseHostPorts(host.nft, [kept]);
  releaseHostPorts(host.nft, [kept]);
  removeUnusedPortmap(host.nft);
  expect(host.list()).toBe("");
});

test("a holder whose names are too long to write down is told from others all the same", () => {
  const long = (containerId: string, hostPort: number): PublishSpec => ({
    ...spec(containerId, [port("tcp", "0.0.0.0", { from: hostPort, to: 80 })], "n".repeat(200)),
  });
  publishPorts(host.nft, long("c1", 80));
  publishPorts(host.nft, long("c2", 81));
  expect(() => publishPorts(host.nft, long("c3", 80))).toThrow("has tcp/0.0.0.0:80");
  unpublishStalePorts(host.nft, "n".repeat(200), [{ containerId: "c2", ifname: "eth0" }]);
  expect(elements(host, "portmap4")).toEqual([expect.stringContaining("81")]);
  unpublishPorts(host.nft, long("c2", 81).holder);
  expect(elements(host, "portmap4")).toEqual([]);
});
