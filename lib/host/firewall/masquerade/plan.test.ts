import fc from "fast-check";
import {
  formatPrefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixOf,
} from "../../../addr/prefix.ts";
import { NFPROTO_INET } from "../../../netlink/nftables/message.ts";
import { encodeComment } from "../../../netlink/nftables/userdata.ts";
import { isChainOf, masqueradeIdentity } from "./in-place.ts";
import { planMasquerade } from "./plan.ts";

const WEB = {
  networkName: "web",
  prefixes: ["10.1.0.0/16", "fd00:1::/64"].map(parsePrefix),
  bridge: "cni0",
};

const prefix = fc.oneof(
  fc
    .record({ value: fc.nat({ max: 0xffffffff }), length: fc.integer({ min: 0, max: 32 }) })
    .map(({ value, length }) => prefixOf({ family: 4, value: BigInt(value) }, length)),
  fc
    .record({
      value: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      length: fc.integer({ min: 0, max: 128 }),
    })
    .map(({ value, length }) => prefixOf({ family: 6, value }, length)),
);

describe("a network's chain", () => {
  test("has the name that it had yesterday", () => {
    expect(masqueradeIdentity(WEB).chainName).toBe("masq-8b8f9c357cbd25a9-488940e4bb8eb08d");
  });

  test("is named after everything that it says", () => {
    const names = [
      WEB,
      { ...WEB, networkName: "web2" },
      { ...WEB, bridge: "cni1" },
      { networkName: WEB.networkName, prefixes: WEB.prefixes },
      { ...WEB, prefixes: WEB.prefixes.slice(1) },
    ].map((spec) => masqueradeIdentity(spec).chainName);
    expect(new Set(names).size).toBe(names.length);
  });

  test("does not depend on the order of the prefixes, or on those inside others", () => {
    const more = [...WEB.prefixes, parsePrefix("10.1.7.0/24"), ...WEB.prefixes].reverse();
    expect(planMasquerade({ ...WEB, prefixes: more })).toEqual(planMasquerade(WEB));
  });

  test("is right only with its comment and all its uses", () => {
    const { rules, entries, chain } = planMasquerade(WEB);
    const found = {
      family: NFPROTO_INET,
      name: chain.name,
      use: rules.length + entries.length,
      userdata: encodeComment("web"),
    };
    const identity = masqueradeIdentity(WEB);
    expect(isChainOf(identity, found)).toBe(true);
    expect(isChainOf(identity, { ...found, use: found.use - 1 })).toBe(false);
    expect(isChainOf(identity, { ...found, userdata: encodeComment("webber") })).toBe(false);
    expect(isChainOf(identity, undefined)).toBe(false);
  });
});

test("every plan covers every address once, and its uses are counted right", () => {
  fc.assert(
    fc.property(fc.array(prefix, { minLength: 1, maxLength: 6 }), fc.boolean(), (prefixes, byBridge) => {
      const plan = planMasquerade({ networkName: "n", prefixes, ...(byBridge && { bridge: "br0" }) });
      for (const { address } of prefixes) {
        expect(plan.entries.filter((entry) => prefixContains(entry.prefix, address)).length).toBe(1);
      }
      const pairs = plan.entries.flatMap((a, at) => plan.entries.slice(at + 1).map((b) => [a, b] as const));
      expect(pairs.filter(([a, b]) => prefixesOverlap(a.prefix, b.prefix))).toEqual([]);
      expect(plan.entries.every(({ lane }) => lane.byBridge === byBridge)).toBe(true);
      const found = {
        family: NFPROTO_INET,
        use: plan.rules.length + plan.entries.length,
        userdata: encodeComment("n"),
      };
      expect(isChainOf(plan, found)).toBe(true);
      expect(isChainOf(plan, { ...found, use: found.use - 1 })).toBe(false);
      expect(plan.entries.map((entry) => formatPrefix(entry.prefix))).toEqual(
        plan.prefixes.map(formatPrefix),
      );
    }),
  );
});

test.each([
  [{ networkName: "web", prefixes: [] }, /masquerade network web: it has no prefixes; give its subnets/],
  [{ ...WEB, networkName: "w".repeat(254) }, /its name has more than 253 bytes; shorten it/],
  [{ ...WEB, bridge: "a-name-of-16-byt" }, /16 bytes/],
])("a plan that cannot be: %#", (spec, message) => {
  expect(() => planMasquerade(spec)).toThrow(
    expect.objectContaining({ code: "invalid-config", message: expect.stringMatching(message) }),
  );
});
