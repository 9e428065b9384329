/** Masquerading in the kernel, listed by `nft`, and many processes at once. Needs root and nft. */
import { parsePrefix } from "../../lib/addr/prefix.ts";
import { checkMasquerade } from "../../lib/host/firewall/masquerade/check.ts";
import { isMasqueradeInPlace, type MasqueradeSpec } from "../../lib/host/firewall/masquerade/in-place.ts";
import { planMasquerade } from "../../lib/host/firewall/masquerade/plan.ts";
import {
  ensureMasquerade,
  listMasquerade,
  removeMasquerade,
} from "../../lib/host/firewall/masquerade/verbs.ts";
import { checkMacSpoofCheck, ensureMacSpoofCheck } from "../../lib/host/firewall/source/mac-spoof.ts";
import { runAtOnce } from "../support/kernel/firewall-processes.ts";
import { listedByNft, sorted } from "../support/kernel/nft-judge.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";

const PROCESSES = 50;

const prefixes = (...texts: string[]) => texts.map(parsePrefix);
const WEB = { networkName: "web", prefixes: prefixes("10.1.0.0/16", "fd00:1::/64"), bridge: "cni0" };
const ROUTED = { networkName: "routed", prefixes: prefixes("10.2.0.0/15", "fd00:2::/60") };

const ATTACHMENT = { key: "web/c1/eth0", hostIfname: "veth1", mac: "02:00:00:00:00:01" };

let host: NftNetns;
beforeEach(() => {
  host = new NftNetns("host");
});
afterEach(() => host.close());

function chainOf(spec: MasqueradeSpec): string {
  return planMasquerade(spec).chain.name;
}

const SCRIPT_WEB_AND_ROUTED = `table inet fairlead {
  map bridge-masquerade4 { type ifname . ipv4_addr : verdict; flags interval; }
  set bridge-masqueraded4 { type ifname . ipv4_addr; flags interval; elements = { cni0 . 10.1.0.0/16 }; }
  map bridge-masquerade6 { type ifname . ipv6_addr : verdict; flags interval; }
  set bridge-masqueraded6 { type ifname . ipv6_addr; flags interval; elements = { cni0 . fd00:1::/64 }; }
  map masquerade4 { type ipv4_addr : verdict; flags interval; }
  set masqueraded4 { type ipv4_addr; flags interval; elements = { 10.2.0.0/15 }; }
  map masquerade6 { type ipv6_addr : verdict; flags interval; }
  set masqueraded6 { type ipv6_addr; flags interval; elements = { fd00:2::/60 }; }
  chain postrouting-masquerade { type nat hook postrouting priority srcnat; policy accept;
    iifname . ip saddr vmap @bridge-masquerade4
    iifname . ip6 saddr vmap @bridge-masquerade6
    ip saddr vmap @masquerade4
    ip6 saddr vmap @masquerade6
  }
  chain forward-invalid { type filter hook forward priority filter; policy accept;
    ct state invalid iifname . ip saddr @bridge-masqueraded4 iifname . ip daddr != @bridge-masqueraded4 counter drop
    ct state invalid iifname . ip6 saddr @bridge-masqueraded6 iifname . ip6 daddr != @bridge-masqueraded6 counter drop
    ct state invalid ip saddr @masqueraded4 ip daddr != @masqueraded4 counter drop
    ct state invalid ip6 saddr @masqueraded6 ip6 daddr != @masqueraded6 counter drop
  }
  chain ${chainOf(WEB)} { comment "web"
    ip daddr 10.1.0.0/16 return
    ip6 daddr fd00:1::/64 return
    ip daddr 224.0.0.0/4 return
    ip6 daddr ff00::/8 return
    masquerade
  }
  chain ${chainOf(ROUTED)} { comment "routed"
    ip daddr 10.2.0.0/15 return
    ip6 daddr fd00:2::/60 return
    ip daddr 224.0.0.0/4 return
    ip6 daddr ff00::/8 return
    masquerade
  }
}
add element inet fairlead bridge-masquerade4 { cni0 . 10.1.0.0/16 : goto ${chainOf(WEB)} }
add element inet fairlead bridge-masquerade6 { cni0 . fd00:1::/64 : goto ${chainOf(WEB)} }
add element inet fairlead masquerade4 { 10.2.0.0/15 : goto ${chainOf(ROUTED)} }
add element inet fairlead masquerade6 { fd00:2::/60 : goto ${chainOf(ROUTED)} }
`;

describe("masquerading", () => {
  test("is what it says in nft's language", () => {
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, ROUTED);
    expect(sorted(host.listJson())).toEqual(listedByNft(SCRIPT_WEB_AND_ROUTED));
  });

  test("has only what the families at hand need", () => {
    ensureMasquerade(host.nft, { ...WEB, prefixes: prefixes("10.1.0.0/16") });
    expect(host.list()).not.toMatch(/ip6|fd00|ff00|masquerade[d]?6/);
    checkMasquerade(host.nft, { ...WEB, prefixes: prefixes("10.1.0.0/16") });
  });

  test("an ensure of what is there is one request and no transaction", () => {
    expect(isMasqueradeInPlace(host.nft, WEB)).toBe(false);
    ensureMasquerade(host.nft, WEB);
    const [generation, sent] = [host.nft.generation(), host.sent];
    expect(isMasqueradeInPlace(host.nft, WEB)).toBe(true);
    ensureMasquerade(host.nft, { ...WEB, prefixes: [...WEB.prefixes].reverse() });
    expect(host.sent - sent).toBe(2);
    expect(host.nft.generation()).toBe(generation);
  });

  test("a network with other prefixes, or another bridge, is replaced", () => {
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, ROUTED);
    const moved = { ...WEB, prefixes: prefixes("10.1.0.0/17", "10.9.0.0/24"), bridge: "cni9" };
    ensureMasquerade(host.nft, moved);
    expect(isMasqueradeInPlace(host.nft, WEB)).toBe(false);
    expect(isMasqueradeInPlace(host.nft, moved)).toBe(true);
    expect(host.list()).not.toMatch(/cni0|fd00:1|10\.1\.0\.0\/16/);
    checkMasquerade(host.nft, moved);
    checkMasquerade(host.nft, ROUTED);
  });

  test("prefixes of one network on one bridge add up: its containers may be in different subnets", () => {
    const [first, second] = [prefixes("10.1.0.0/24"), prefixes("10.2.0.0/24")];
    ensureMasquerade(host.nft, { ...WEB, prefixes: first });
    ensureMasquerade(host.nft, { ...WEB, prefixes: second });
    const generation = host.nft.generation();
    for (const some of [first, second, [...second, ...first]]) {
      ensureMasquerade(host.nft, { ...WEB, prefixes: some });
      checkMasquerade(host.nft, { ...WEB, prefixes: some });
    }
    expect(host.nft.generation()).toBe(generation);
    expect(listMasquerade(host.nft)).toEqual([{ ...WEB, prefixes: [...first, ...second] }]);
    const unknown = { ...WEB, prefixes: prefixes("10.3.0.0/24") };
    expect(() => checkMasquerade(host.nft, unknown)).toThrow(
      expect.objectContaining({ code: "check-failed" }),
    );
  });

  test("two networks with one prefix on one bridge: the second is served by the first's chain, and takes over when that goes", () => {
    const [one, two] = ["lan1", "lan2"].map((networkName) => ({ ...WEB, networkName }));
    if (one === undefined || two === undefined) throw new Error("two networks");
    ensureMasquerade(host.nft, one);
    ensureMasquerade(host.nft, two);
    const generation = host.nft.generation();
    for (const spec of [one, two, one]) {
      ensureMasquerade(host.nft, spec);
      checkMasquerade(host.nft, spec);
    }
    expect(host.nft.generation()).toBe(generation);
    expect(host.list()).not.toContain(`goto ${chainOf(two)}`);
    expect(listMasquerade(host.nft)).toEqual(expect.arrayContaining([one, two]));
    removeMasquerade(host.nft, "lan1");
    checkMasquerade(host.nft, two);
    expect(isMasqueradeInPlace(host.nft, two)).toBe(true);
    expect(host.list()).toContain(`goto ${chainOf(two)}`);
    ensureMasquerade(host.nft, one);
    removeMasquerade(host.nft, "lan1");
    expect(isMasqueradeInPlace(host.nft, two)).toBe(true);
    removeMasquerade(host.nft, "lan2");
    expect(host.list()).toBe("");
  });

  test("the same prefix may be on two bridges; one that overlaps may not be on one", () => {
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, { ...WEB, networkName: "other space", bridge: "cni1" });
    const overlapping = { networkName: "late", prefixes: prefixes("10.1.128.0/24"), bridge: "cni0" };
    expect(() => ensureMasquerade(host.nft, overlapping)).toThrow(
      expect.objectContaining({
        code: "subnet-overlap",
        message: expect.stringMatching(
          /10\.1\.128\.0\/24: network web masquerades 10\.1\.0\.0\/16 on bridge cni0/,
        ),
      }),
    );
    expect(host.list()).not.toContain("late");
    ensureMasquerade(host.nft, ROUTED);
    const routed = { networkName: "late", prefixes: prefixes("10.0.0.0/8") };
    expect(() => ensureMasquerade(host.nft, routed)).toThrow(
      /network routed masquerades 10\.2\.0\.0\/15 already/,
    );
  });

  test("prefixes inside one another, next to one another, and the last of all", () => {
    const spec = {
      networkName: "edges",
      prefixes: prefixes(
        "10.1.0.0/24",
        "10.1.1.0/24",
        "10.1.1.128/25",
        "255.255.255.0/24",
        "0.0.0.0/8",
        "fd00::1/128",
      ),
    };
    ensureMasquerade(host.nft, spec);
    checkMasquerade(host.nft, spec);
    expect(listMasquerade(host.nft)).toEqual([
      {
        networkName: "edges",
        prefixes: prefixes("0.0.0.0/8", "10.1.0.0/24", "10.1.1.0/24", "255.255.255.0/24", "fd00::1/128"),
      },
    ]);
    const fewer = { ...spec, prefixes: prefixes("10.1.1.0/24") };
    ensureMasquerade(host.nft, fewer);
    checkMasquerade(host.nft, fewer);
    expect(host.list()).not.toContain("10.1.0.0/24");
    ensureMasquerade(host.nft, { ...spec, prefixes: prefixes("0.0.0.0/0", "::/0") });
    checkMasquerade(host.nft, { ...spec, prefixes: prefixes("0.0.0.0/0", "::/0") });
  });

  test("lists what is there", () => {
    expect(listMasquerade(host.nft)).toEqual([]);
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, ROUTED);
    expect(listMasquerade(host.nft)).toEqual([WEB, ROUTED]);
  });

  test("can be saved and restored by nft", () => {
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, ROUTED);
    ensureMacSpoofCheck(host.nft, ATTACHMENT);
    const [saved, listed] = [host.list(), host.listJson()];
    host.apply("flush ruleset");
    host.apply(saved);
    expect(host.listJson()).toEqual(listed);
    checkMasquerade(host.nft, WEB);
    checkMasquerade(host.nft, ROUTED);
    checkMacSpoofCheck(host.nft, ATTACHMENT);
  });

  test("is removed, with the table after the last network", () => {
    removeMasquerade(host.nft, "web");
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, ROUTED);
    removeMasquerade(host.nft, "web");
    expect(listMasquerade(host.nft)).toEqual([ROUTED]);
    checkMasquerade(host.nft, ROUTED);
    removeMasquerade(host.nft, "web");
    removeMasquerade(host.nft, "route"); // the beginning of a name is not the name
    checkMasquerade(host.nft, ROUTED);
    removeMasquerade(host.nft, "routed");
    expect(host.list()).toBe("");
  });

  test("leaves alone what else is in the table", () => {
    host.apply("table inet fairlead { chain other { counter; }; set ports { type inet_service; }; }");
    const before = host.listJson();
    ensureMasquerade(host.nft, WEB);
    ensureMasquerade(host.nft, ROUTED);
    removeMasquerade(host.nft, "web");
    removeMasquerade(host.nft, "routed");
    expect(host.listJson()).toEqual(before);
  });

  describe("notices what somebody else took away:", () => {
    const chain = chainOf(WEB);
    const cases = [
      ["everything", "flush ruleset", /chain masq-\S+ is missing/, true],
      ["the chain's rules", `flush chain inet fairlead ${chain}`, /other rules/, true],
      ["one more rule", `insert rule inet fairlead ${chain} accept`, /other rules/, false],
      [
        "an element",
        "delete element inet fairlead bridge-masquerade4 { cni0 . 10.1.0.0/16 }",
        /map bridge-masquerade4 lacks 10\.1\.0\.0\/16/,
        true,
      ],
      [
        "a key",
        "delete element inet fairlead bridge-masqueraded4 { cni0 . 10.1.0.0/16 }",
        /set bridge-masqueraded4 lacks 10\.1\.0\.0\/16/,
        false,
      ],
      [
        "the rule of a base chain",
        "flush chain inet fairlead postrouting-masquerade",
        /chain postrouting-masquerade lacks a rule/,
        false,
      ],
      ["the guard", "delete chain inet fairlead forward-invalid", /chain forward-invalid is missing/, false],
    ] as const;

    test.each(cases)("%s", (...[_what, script, message, isSeenByAdd]) => {
      ensureMasquerade(host.nft, WEB);
      host.apply(script);
      expect(() => checkMasquerade(host.nft, WEB)).toThrow(
        expect.objectContaining({ code: "check-failed", message: expect.stringMatching(message) }),
      );
      expect(isMasqueradeInPlace(host.nft, WEB)).toBe(!isSeenByAdd);
      ensureMasquerade(host.nft, isSeenByAdd ? WEB : ROUTED);
      checkMasquerade(host.nft, isSeenByAdd ? WEB : ROUTED);
      removeMasquerade(host.nft, "web");
      removeMasquerade(host.nft, "routed");
      expect(host.list()).toBe("");
    });
  });

  test("errors say what to do", () => {
    expect(() => ensureMasquerade(host.nft, { networkName: "web", prefixes: [] })).toThrow(
      /masquerade network web: it has no prefixes; give its subnets/,
    );
    const long = { ...WEB, networkName: "w".repeat(254) };
    expect(() => ensureMasquerade(host.nft, long)).toThrow(/its name has more than 253 bytes; shorten it/);
    const longest = { ...WEB, networkName: "w".repeat(253) };
    ensureMasquerade(host.nft, longest);
    expect(listMasquerade(host.nft)).toEqual([longest]);
  });
});

describe(`${PROCESSES} processes at once`, () => {
  const count = Array.from({ length: PROCESSES }, (_, at) => at);
  const spec = (at: number) => ({
    networkName: `net${at}`,
    prefixes: [`10.${at}.0.0/16`],
    bridge: `br${at}`,
  });

  test("ensure the same network", async () => {
    const web = { networkName: "web", prefixes: ["10.1.0.0/16", "fd00:1::/64"], bridge: "cni0" };
    expect(
      await runAtOnce(
        host,
        count.map(() => ({ verb: "ensure", spec: web })),
      ),
    ).toEqual([]);
    const { nft } = host;
    checkMasquerade(nft, WEB);
    const twice = new NftNetns("judge");
    ensureMasquerade(twice.nft, WEB);
    expect(host.listJson()).toEqual(twice.listJson());
    twice.close();
  }, 120_000);

  test("ensure a network each", async () => {
    expect(
      await runAtOnce(
        host,
        count.map((at) => ({ verb: "ensure", spec: spec(at) })),
      ),
    ).toEqual([]);
    expect(listMasquerade(host.nft).length).toBe(PROCESSES);
    expect(host.list().match(/vmap/g)?.length).toBe(1);
  }, 120_000);

  test("make and remove networks while others stay", async () => {
    const jobs = count.map((at) => ({ verb: at % 2 ? "churn" : "ensure", spec: spec(at) }));
    expect(await runAtOnce(host, jobs)).toEqual([]);
    const stayed = count.filter((at) => at % 2 === 0).map((at) => `net${at}`);
    expect(
      listMasquerade(host.nft)
        .map(({ networkName }) => networkName)
        .sort(),
    ).toEqual(stayed.sort());
    const others = stayed.map((networkName) => ({ verb: "remove", spec: { networkName } }));
    expect(await runAtOnce(host, others)).toEqual([]);
    expect(host.list()).toBe("");
  }, 120_000);
});
