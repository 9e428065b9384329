import { counter } from "../../netlink/nftables/expr/counter.ts";
import { NFT_REG_1, NFT_REG_VERDICT, verdict } from "../../netlink/nftables/expr/data.ts";
import { immediateVerdict } from "../../netlink/nftables/expr/immediate.ts";
import { lookup } from "../../netlink/nftables/expr/lookup.ts";
import { meta, NFT_META_IIFNAME } from "../../netlink/nftables/expr/meta.ts";
import { holds } from "./rules-compare.ts";

const WANTED = [
  meta(NFT_META_IIFNAME, NFT_REG_1),
  lookup({ set: "s", sreg: NFT_REG_1 }),
  counter(),
  immediateVerdict(verdict.drop),
];

test("a rule is itself, also with defaults and counts that the kernel adds", () => {
  expect(holds(WANTED, WANTED)).toBe(true);
  const listed = [
    meta(NFT_META_IIFNAME, NFT_REG_1),
    { name: "lookup", data: { set: "s", sreg: NFT_REG_1, flags: 0 } } as const,
    counter({ bytes: 84n, packets: 1n }),
    immediateVerdict(verdict.drop),
  ];
  expect(holds(listed, WANTED)).toBe(true);
});

test.each([
  ["an expression less", WANTED.slice(0, -1)],
  ["an expression more", [...WANTED, counter()]],
  ["another order", [...WANTED].reverse()],
  ["another set", WANTED.with(1, lookup({ set: "t", sreg: NFT_REG_1 }))],
  ["another verdict", WANTED.with(3, immediateVerdict(verdict.accept))],
  ["another expression", WANTED.with(0, counter())],
  ["a map instead of a set", WANTED.with(1, lookup({ set: "s", sreg: NFT_REG_1, dreg: NFT_REG_VERDICT }))],
  ["an inverted look-up", WANTED.with(1, lookup({ set: "s", sreg: NFT_REG_1, inverted: true }))],
  ["nothing", []],
])("a rule with %s is another rule", (_what, found) => expect(holds(found, WANTED)).toBe(false));
