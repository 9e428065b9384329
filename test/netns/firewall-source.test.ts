/** Source checks in the kernel, listed by `nft`. Needs root and nft. */
import { parseAddress } from "../../lib/addr/address.ts";
import { CHAIN_NAMES, CHAIN_USES, sourceChains, sourceComment } from "../../lib/host/firewall/source/plan.ts";
import {
  checkSourceCheck,
  ensureSourceCheck,
  isBound,
  listSourceChecks,
  removeSourceCheck,
  repairSourceRules,
  type SourceSpec,
  sweepSourceChecks,
} from "../../lib/host/firewall/source/verbs.ts";
import { getChain } from "../../lib/netlink/nftables/chain.ts";
import { NFPROTO_BRIDGE } from "../../lib/netlink/nftables/message.ts";
import { listedByNft, sorted } from "../support/kernel/nft-judge.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";

const spec = (hostIfname: string, ...addresses: string[]): SourceSpec => ({
  key: `web/${hostIfname}/eth0`,
  hostIfname,
  mac: "02:ab:cd:ef:01:23",
  addresses: addresses.map(parseAddress),
});
const ONE = spec("veth1", "10.1.0.2", "fd00::2");
const TWO = spec("veth2", "10.1.0.3");

let host: NftNetns;
beforeEach(() => {
  host = new NftNetns("src");
});
afterEach(() => host.close());

test("are what they say in nft's language", () => {
  ensureSourceCheck(host.nft, ONE);
  ensureSourceCheck(host.nft, TWO);
  const own = (name: string) => `${name} . 02:ab:cd:ef:01:23`;
  const script = `table bridge fairlead {
    set source-ports { type ifname; elements = { veth1 comment "${sourceComment(ONE)}", veth2 comment "${sourceComment(TWO)}" }; }
    set source-macs { type ifname . ether_addr; elements = { ${own("veth1")}, ${own("veth2")} }; }
    set source-own4 { type ifname . ether_addr . ipv4_addr; elements = { ${own("veth1")} . 10.1.0.2, ${own("veth2")} . 10.1.0.3 }; }
    set source-own6 { type ifname . ether_addr . ipv6_addr;
      elements = { ${own("veth1")} . fd00::2, ${own("veth1")} . fe80::ab:cdff:feef:123 }; }
    chain source-check6 {
      meta protocol ip6 icmpv6 type nd-router-advert counter drop
      meta protocol ip6 icmpv6 type nd-redirect counter drop
      meta protocol ip6 iifname . ether saddr . ip6 saddr @source-own6 accept
      meta protocol ip6 ip6 saddr :: icmpv6 type nd-neighbor-solicit accept
      meta protocol ip6 ip6 saddr :: icmpv6 type mld2-listener-report accept
      counter drop
    }
    chain source-check-arp {
      meta protocol arp iifname . arp saddr ether . arp saddr ip @source-own4 accept
      meta protocol arp arp saddr ip 0.0.0.0 iifname . arp saddr ether @source-macs accept
      counter drop
    }
    chain source-check { type filter hook prerouting priority dstnat; policy accept;
      iifname != @source-ports accept
      meta protocol ip iifname . ether saddr . ip saddr @source-own4 accept
      iifname . ether saddr != @source-macs counter drop
      meta protocol ip6 goto source-check6
      meta protocol arp goto source-check-arp
      meta protocol ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
      meta protocol ip counter drop
    }
  }`;
  // nft learned the word for an advertisement's target (icmpv6 taddr) in 1.0.8; packets show that the rule is right.
  const listed = sorted(host.listJson()).filter((one) => !JSON.stringify(one).includes("nd-neighbor-advert"));
  expect(listed).toEqual(listedByNft(script));
});

test("the kernel counts the uses of each chain as the plan does", () => {
  ensureSourceCheck(host.nft, ONE);
  expect(sourceChains().map(({ name }) => name)).toEqual(CHAIN_NAMES);
  for (const name of CHAIN_NAMES) {
    const chain = host.nft.find(getChain({ family: NFPROTO_BRIDGE, table: "fairlead", name }));
    expect([name, chain?.use]).toEqual([name, CHAIN_USES[name]]);
  }
});

test("are ensured, replaced, checked, removed, and swept when their port is gone", () => {
  const { nft } = host;
  removeSourceCheck(nft, "veth1");
  sweepSourceChecks(nft, () => false);
  for (const each of [ONE, ONE, TWO]) ensureSourceCheck(nft, each);
  for (const each of [ONE, TWO]) checkSourceCheck(nft, each);
  const moved = { ...ONE, addresses: [parseAddress("10.1.0.9")] };
  ensureSourceCheck(nft, moved);
  expect([isBound(nft, ONE), isBound(nft, moved)]).toEqual([false, true]);
  expect(host.list()).not.toMatch(/10\.1\.0\.2\b|fd00::2|fe80::/);
  checkSourceCheck(nft, moved);
  expect(() => checkSourceCheck(nft, ONE)).toThrow(/veth1: set source-ports lacks the interface/);
  sweepSourceChecks(nft, (ifname) => ifname === "veth1");
  expect(listSourceChecks(nft)).toEqual(new Set(["veth1"]));
  expect(host.list()).not.toContain("10.1.0.3");
  checkSourceCheck(nft, moved);
  removeSourceCheck(nft, "veth1");
  removeSourceCheck(nft, "veth1");
  expect(listSourceChecks(nft)).toEqual(new Set());
  expect(host.list()).not.toContain("veth1");
});

test("very many ports that are gone are swept", () => {
  for (let at = 0; at < 600; at++) ensureSourceCheck(host.nft, spec(`v${at}`, "10.1.0.2", "fd00::2"));
  sweepSourceChecks(host.nft, (ifname) => ifname === "v7");
  expect(listSourceChecks(host.nft)).toEqual(new Set(["v7"]));
  checkSourceCheck(host.nft, spec("v7", "10.1.0.2", "fd00::2"));
});

test("an attachment that finds all in place says so to whoever sweeps", () => {
  ensureSourceCheck(host.nft, ONE);
  const before = host.nft.generation();
  ensureSourceCheck(host.nft, ONE);
  expect(host.nft.generation()).not.toBe(before);
});

test("what somebody else took away is noticed and made again", () => {
  const { nft } = host;
  expect(repairSourceRules(nft)).toBe(false);
  expect(host.list()).toBe("");
  ensureSourceCheck(nft, ONE);
  expect(repairSourceRules(nft)).toBe(false);
  host.apply("flush chain bridge fairlead source-check6");
  expect(() => checkSourceCheck(nft, ONE)).toThrow(/chain source-check6 is different/);
  expect(repairSourceRules(nft)).toBe(true);
  checkSourceCheck(nft, ONE);
  host.apply("flush chain bridge fairlead source-check");
  ensureSourceCheck(nft, TWO);
  for (const each of [ONE, TWO]) checkSourceCheck(nft, each);
  host.apply("flush set bridge fairlead source-own6");
  expect(() => checkSourceCheck(nft, ONE)).toThrow(/set source-own6 lacks/);
  ensureSourceCheck(nft, ONE);
  checkSourceCheck(nft, ONE);
  host.apply("flush ruleset");
  ensureSourceCheck(nft, ONE);
  checkSourceCheck(nft, ONE);
});

test("an attachment with a name of any length has its check", () => {
  const long = { ...ONE, key: "k".repeat(1000) };
  ensureSourceCheck(host.nft, long);
  expect([isBound(host.nft, long), isBound(host.nft, { ...long, key: "k".repeat(999) })]).toEqual([
    true,
    false,
  ]);
});

test("a chain of somebody else's is not taken over", () => {
  host.apply("table bridge fairlead { chain source-check { type filter hook input priority 0; }\n }");
  expect(() => ensureSourceCheck(host.nft, ONE)).toThrow(/bridge fairlead source-check.*did not make/);
});
