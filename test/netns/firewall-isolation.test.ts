/** Isolation in the kernel, listed by `nft`, and many processes at once. Needs root and nft. */
import { parseAddress } from "../../lib/addr/address.ts";
import { parsePrefix } from "../../lib/addr/prefix.ts";
import {
  CHAIN_USES,
  type IsolationSpec,
  isIsolationInPlace,
  isolationComment,
} from "../../lib/host/firewall/isolation/in-place.ts";
import {
  checkIsolation,
  ensureIsolation,
  listIsolation,
  removeIsolation,
  repairIsolation,
} from "../../lib/host/firewall/isolation/verbs.ts";
import { ensureMasquerade, removeMasquerade } from "../../lib/host/firewall/masquerade/verbs.ts";
import { runAtOnce } from "../support/kernel/firewall-processes.ts";
import { listedByNft, sorted } from "../support/kernel/nft-judge.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";

const PROCESSES = 50;

const addresses = (...texts: string[]) => texts.map(parseAddress);
const WEB: IsolationSpec = {
  networkName: "web",
  bridge: "br-web",
  gateways: addresses("10.1.0.1", "fd00:1::1"),
  internal: false,
  closed: [4, 6],
};
const DB: IsolationSpec = {
  networkName: "db",
  bridge: "br-db",
  gateways: addresses("10.2.0.1"),
  internal: true,
};
const ALONE: IsolationSpec = {
  networkName: "alone",
  bridge: "br-alone",
  // Another address space: the same gateway as web's.
  gateways: addresses("10.1.0.1"),
  internal: false,
  separate: true,
  closed: [4],
};

let host: NftNetns;
beforeEach(() => {
  host = new NftNetns("isolation");
});
afterEach(() => host.close());

const RULES = `
  chain isolation-gateway {
    icmp type echo-request accept
    icmpv6 type echo-request accept
    udp dport 53 accept
    tcp dport 53 accept
    counter drop
  }
  chain isolation-internal {
    icmpv6 type nd-neighbor-solicit accept
    icmpv6 type nd-neighbor-advert accept
    iifname . ip daddr @isolation-own4 goto isolation-gateway
    iifname . ip6 daddr @isolation-own6 goto isolation-gateway
    counter drop
  }
  chain isolation-forward { type filter hook forward priority filter; policy accept;
    iifname . oifname @isolation-inside accept
    iifname @isolation-internal-bridges counter drop
    oifname @isolation-internal-bridges counter drop
    ct status dnat accept
    iifname @isolation-bridges oifname @isolation-bridges counter drop
    ct state established,related accept
    meta nfproto ipv4 oifname @isolation-closed4 counter drop
    meta nfproto ipv6 oifname @isolation-closed6 counter drop
  }
  chain isolation-input { type filter hook input priority filter; policy accept;
    iifname != @isolation-bridges accept
    ct state established,related accept
    iifname @isolation-internal-bridges goto isolation-internal
    ip daddr @isolation-gateways4 iifname . ip daddr != @isolation-own4 counter drop
    ip6 daddr @isolation-gateways6 iifname . ip6 daddr != @isolation-own6 counter drop
  }`;

const SCRIPT_OF_ALL = `table inet fairlead {
  set isolation-bridges { type ifname; elements = {
    "br-web" comment "${isolationComment(WEB)}", "br-db" comment "${isolationComment(DB)}",
    "br-alone" comment "${isolationComment(ALONE)}" } }
  set isolation-internal-bridges { type ifname; elements = { "br-db" } }
  set isolation-inside { type ifname . ifname; elements = { "br-web" . "br-web", "br-db" . "br-db" } }
  set isolation-closed4 { type ifname; elements = { "br-web", "br-alone" } }
  set isolation-closed6 { type ifname; elements = { "br-web" } }
  set isolation-gateways4 { type ipv4_addr; elements = { 10.1.0.1, 10.2.0.1 } }
  set isolation-own4 { type ifname . ipv4_addr
    elements = { "br-web" . 10.1.0.1, "br-db" . 10.2.0.1, "br-alone" . 10.1.0.1 } }
  set isolation-gateways6 { type ipv6_addr; elements = { fd00:1::1 } }
  set isolation-own6 { type ifname . ipv6_addr; elements = { "br-web" . fd00:1::1 } }
  ${RULES}
}
`;

function isolateAll(): void {
  for (const spec of [WEB, DB, ALONE]) ensureIsolation(host.nft, spec);
}

test("is what it says in nft's language", () => {
  isolateAll();
  expect(sorted(host.listJson())).toEqual(listedByNft(SCRIPT_OF_ALL));
});

test("an ensure of what is there is one datagram and no transaction", () => {
  isolateAll();
  const [generation, sent] = [host.nft.generation(), host.sent];
  ensureIsolation(host.nft, { ...WEB, gateways: [...WEB.gateways].reverse() });
  expect(host.sent - sent).toBe(1);
  expect(host.nft.generation()).toBe(generation);
});

test("the number of rules does not depend on the number of networks", () => {
  ensureIsolation(host.nft, WEB);
  const rules = () => host.listJson().filter((entry) => JSON.stringify(entry).startsWith('{"rule"')).length;
  const before = rules();
  for (let n = 2; n < 60; n++) {
    ensureIsolation(host.nft, {
      networkName: `n${n}`,
      bridge: `br-${n}`,
      gateways: addresses(`10.9.${n}.1`),
      internal: n % 2 === 0,
    });
  }
  expect(rules()).toBe(before);
});

test("lists what is there", () => {
  expect(listIsolation(host.nft)).toEqual([]);
  isolateAll();
  const byName = [...listIsolation(host.nft)].sort((a, b) => a.networkName.localeCompare(b.networkName));
  expect(byName).toEqual([ALONE, { ...DB, separate: false }, { ...WEB, separate: false }]);
});

test("a network with another bridge, other gateways or other wishes is replaced", () => {
  isolateAll();
  const moved: IsolationSpec = { ...WEB, bridge: "br-new", gateways: addresses("10.9.0.1"), internal: true };
  ensureIsolation(host.nft, moved);
  checkIsolation(host.nft, moved);
  checkIsolation(host.nft, ALONE);
  expect(isIsolationInPlace(host.nft, WEB)).toBe(false);
  expect(host.list()).not.toMatch(/br-web|fd00:1::1/);
  // The network alone has the same gateway address.
  expect(host.list()).toMatch(/isolation-gateways4 \{[^}]*10\.1\.0\.1/);
});

test("gateways of one network add up, and a thorough pass takes away what is too many", () => {
  isolateAll();
  const more = { ...WEB, gateways: addresses("10.8.0.1") };
  ensureIsolation(host.nft, more);
  checkIsolation(host.nft, WEB);
  checkIsolation(host.nft, more);
  const generation = host.nft.generation();
  ensureIsolation(host.nft, WEB);
  ensureIsolation(host.nft, more);
  expect(host.nft.generation()).toBe(generation);
  repairIsolation(host.nft, [WEB]);
  expect(sorted(host.listJson())).toEqual(listedByNft(SCRIPT_OF_ALL));
});

test("one bridge is of one network", () => {
  ensureIsolation(host.nft, WEB);
  const listed = host.listJson();
  expect(() => ensureIsolation(host.nft, { ...DB, bridge: "br-web" })).toThrow(
    expect.objectContaining({
      code: "in-use",
      message: expect.stringContaining("network web is isolated on"),
    }),
  );
  expect(host.listJson()).toEqual(listed);
});

test("removal leaves the others, and the last one leaves nothing", () => {
  isolateAll();
  removeIsolation(host.nft, "web");
  checkIsolation(host.nft, DB);
  checkIsolation(host.nft, ALONE);
  expect(host.list()).not.toMatch(/br-web/);
  removeIsolation(host.nft, "web");
  removeIsolation(host.nft, "db");
  removeIsolation(host.nft, "alone");
  expect(host.list()).toBe("");
  removeIsolation(host.nft, "alone");
});

test("lives beside masquerading, whoever goes first", () => {
  const masquerade = { networkName: "web", prefixes: [parsePrefix("10.1.0.0/16")], bridge: "br-web" };
  ensureMasquerade(host.nft, masquerade);
  const alone = sorted(host.listJson());
  isolateAll();
  for (const spec of [WEB, DB, ALONE]) removeIsolation(host.nft, spec.networkName);
  expect(sorted(host.listJson())).toEqual(alone);
  isolateAll();
  removeMasquerade(host.nft, "web");
  expect(sorted(host.listJson())).toEqual(listedByNft(SCRIPT_OF_ALL));
});

test("can be saved and restored by nft", () => {
  isolateAll();
  const [saved, listed] = [host.list(), sorted(host.listJson())];
  host.apply("flush ruleset");
  expect(isIsolationInPlace(host.nft, WEB)).toBe(false);
  host.apply(saved);
  expect(sorted(host.listJson())).toEqual(listed);
  for (const spec of [WEB, DB, ALONE]) checkIsolation(host.nft, spec);
});

test.each([
  ["all is flushed", "flush ruleset", "set isolation-bridges lacks"],
  [
    "the bridge is taken out",
    "delete element inet fairlead isolation-bridges { br-web }",
    "isolation-bridges lacks",
  ],
  [
    "a chain is flushed",
    "flush chain inet fairlead isolation-forward",
    "chain isolation-forward is different",
  ],
  [
    "a rule is put before ours",
    "insert rule inet fairlead isolation-forward accept",
    "chain isolation-forward is different",
  ],
])("after %s, CHECK tells and the next ADD mends it", (_what, script, problem) => {
  isolateAll();
  host.apply(script);
  expect(() => checkIsolation(host.nft, WEB)).toThrow(
    expect.objectContaining({ code: "check-failed", message: expect.stringContaining(problem) }),
  );
  expect(isIsolationInPlace(host.nft, WEB)).toBe(false);
  for (const spec of [WEB, DB, ALONE]) ensureIsolation(host.nft, spec);
  expect(sorted(host.listJson())).toEqual(listedByNft(SCRIPT_OF_ALL));
});

test.each([
  [
    "a gateway is taken out",
    "delete element inet fairlead isolation-gateways4 { 10.1.0.1 }",
    "isolation-gateways4 lacks",
  ],
  [
    "a rule is replaced",
    "flush chain inet fairlead isolation-gateway; " +
      "add rule inet fairlead isolation-gateway accept; ".repeat(CHAIN_USES["isolation-gateway"] - 2),
    "chain isolation-gateway is different",
  ],
])("after %s, CHECK tells and a thorough pass mends it", (_what, script, problem) => {
  isolateAll();
  host.apply(script);
  expect(() => checkIsolation(host.nft, WEB)).toThrow(
    expect.objectContaining({ code: "check-failed", message: expect.stringContaining(problem) }),
  );
  repairIsolation(host.nft, [WEB]);
  expect(sorted(host.listJson())).toEqual(listedByNft(SCRIPT_OF_ALL));
  const generation = host.nft.generation();
  repairIsolation(host.nft, [WEB]);
  expect(host.nft.generation()).toBe(generation);
});

test.each([
  ["set", "table inet fairlead { set isolation-bridges { type ipv4_addr; }; }"],
  ["set", "table inet fairlead { map isolation-inside { type ifname . ifname : verdict; }; }"],
  ["chain", "table inet fairlead { chain isolation-forward { type filter hook input priority 0; }; }"],
])("somebody else's %s of our name is refused and left alone", (kind, script) => {
  host.apply(script);
  const listed = host.listJson();
  expect(() => ensureIsolation(host.nft, WEB)).toThrow(
    expect.objectContaining({
      code: "in-use",
      hint: expect.stringContaining(`nft delete ${kind} inet fairlead`),
    }),
  );
  expect(host.listJson()).toEqual(listed);
});

test("a name that is too long is refused before anything is touched", () => {
  expect(() => ensureIsolation(host.nft, { ...WEB, networkName: "n".repeat(250) })).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
  expect(host.list()).toBe("");
});

test(`${PROCESSES} processes at once make one table for all`, async () => {
  const specs = Array.from({ length: PROCESSES }, (_, n) => ({
    networkName: `n${n % 10}`,
    bridge: `br-${n % 10}`,
    gateways: [`10.9.${n % 10}.1`],
    internal: n % 2 === 0,
  }));
  expect(
    await runAtOnce(
      host,
      specs.map((spec) => ({ verb: "isolate", spec })),
    ),
  ).toEqual([]);
  expect(listIsolation(host.nft)).toHaveLength(10);
  for (const spec of specs) {
    checkIsolation(host.nft, { ...spec, gateways: addresses(...spec.gateways) });
  }
}, 60_000);
