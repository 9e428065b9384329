import { u16be, u32 } from "../../../netlink/attribute.ts";
import { ifnameKey } from "../../../netlink/nftables/datatype.ts";
import { cmp, NFT_CMP_NEQ } from "../../../netlink/nftables/expr/cmp.ts";
import { NF_CT_STATE_ESTABLISHED, NF_CT_STATE_NEW } from "../../../netlink/nftables/expr/ct.ts";
import {
  NF_ACCEPT,
  NF_DROP,
  NFT_REG_1,
  NFT_REG_VERDICT,
  verdict,
} from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import { limit } from "../../../netlink/nftables/expr/limit.ts";
import { lookup } from "../../../netlink/nftables/expr/lookup.ts";
import {
  meta,
  NFT_META_IIF,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
} from "../../../netlink/nftables/expr/meta.ts";
import { payload, TH_DPORT } from "../../../netlink/nftables/expr/payload.ts";
import { reject } from "../../../netlink/nftables/expr/reject.ts";
import { conntrackMatch, icmp6Match } from "../../../netlink/nftables/expr/xtables.ts";
import { matchCtState } from "../../../netlink/nftables/match.ts";
import { NFPROTO_IPV4 } from "../../../netlink/nftables/message.ts";
import { hex, outcomeOf, type ProbePacket, type Ruleset, type SetContent } from "./verdict.ts";

const UDP = 17;
const DNS: ProbePacket = {
  family: NFPROTO_IPV4,
  iifname: "fl-1",
  protocol: UDP,
  destinationPort: 53,
  ctState: NF_CT_STATE_NEW,
  ctStatus: 0,
};

type Rules = readonly (readonly Expression[])[];

function outcome(
  chains: Readonly<Record<string, Rules>>,
  {
    policy = NF_DROP,
    packet = DNS,
    sets = {},
  }: { policy?: number; packet?: ProbePacket; sets?: Readonly<Record<string, SetContent>> } = {},
): string {
  const ruleset: Ruleset = { rulesOf: (name) => chains[name] ?? [], setOf: (name) => sets[name] ?? null };
  return outcomeOf(ruleset, { chain: "base", policy }, packet);
}

const accept = immediateVerdict(verdict.accept);
const drop = immediateVerdict(verdict.drop);
const from = (ifname: string, op?: number): Expression[] => [
  meta(NFT_META_IIFNAME, NFT_REG_1),
  cmp(
    NFT_REG_1,
    ifname.endsWith("*") ? new TextEncoder().encode(ifname.slice(0, -1)) : ifnameKey(ifname),
    op,
  ),
];
const ESTABLISHED = matchCtState(NF_CT_STATE_ESTABLISHED);

test.each<readonly [string, Rules, string]>([
  ["nothing", [], "drops"],
  ["its link by name", [[...from("fl-1"), accept]], "accepts"],
  ["its link by the beginning of the name", [[...from("fl-*"), accept]], "accepts"],
  ["another link", [[...from("eth0"), accept]], "drops"],
  ["every link but one", [[...from("eth0", NFT_CMP_NEQ), accept]], "accepts"],
  [
    "the loopback by number",
    [[meta(NFT_META_IIF, NFT_REG_1), cmp(NFT_REG_1, u32.encode(1)), accept]],
    "drops",
  ],
  ["established connections", [[...ESTABLISHED, accept]], "drops"],
  [
    "established connections, as iptables says it",
    [[conntrackMatch(NF_CT_STATE_ESTABLISHED), accept]],
    "drops",
  ],
  ["new connections, as iptables says it", [[conntrackMatch(NF_CT_STATE_NEW), accept]], "accepts"],
  [
    "its port",
    [
      [
        meta(NFT_META_L4PROTO, NFT_REG_1),
        cmp(NFT_REG_1, Uint8Array.of(UDP)),
        payload(TH_DPORT, NFT_REG_1),
        cmp(NFT_REG_1, u16be.encode(53)),
        accept,
      ],
    ],
    "accepts",
  ],
  ["neighbours", [[icmp6Match(135), accept]], "drops"],
  ["some of what comes too often", [[limit({ rate: 1n, perSeconds: 1n, burst: 5 }), accept]], "may drop"],
  [
    "everything, after a rule that drops some",
    [[limit({ rate: 1n, perSeconds: 1n, burst: 5 }), drop], [accept]],
    "accepts",
  ],
])("a chain that drops and accepts %s", (_what, base, expected) => expect(outcome({ base })).toBe(expected));

test.each<readonly [string, Rules]>([
  ["drop", [[drop]]],
  ["reject", [[reject()]]],
  ["reject of iptables", [[{ name: "target", data: { name: "REJECT" } }]]],
])("a chain of policy accept whose last rule is %s drops", (_what, rules) => {
  expect(outcome({ base: [[...ESTABLISHED, accept], ...rules] }, { policy: NF_ACCEPT })).toBe("drops");
});

const jump = (chain: string) => immediateVerdict(verdict.jump(chain));
const goto = (chain: string) => immediateVerdict(verdict.goto(chain));
const back = immediateVerdict(verdict.return);

test.each<readonly [string, Readonly<Record<string, Rules>>, string]>([
  ["a jump that accepts", { base: [[jump("a")]], a: [[accept]] }, "accepts"],
  ["a jump that comes back", { base: [[jump("a")], [accept]], a: [[back], [drop]] }, "accepts"],
  ["a goto that ends without a verdict", { base: [[goto("a")], [accept]], a: [] }, "drops"],
  [
    "a jump that may be taken",
    { base: [[limit({ rate: 1n, perSeconds: 1n, burst: 5 }), jump("a")]], a: [[accept]] },
    "may drop",
  ],
  ["chains that jump in a circle", { base: [[jump("a")]], a: [[jump("a")], [accept]] }, "accepts"],
])("%s", (_what, chains, expected) => expect(outcome(chains)).toBe(expected));

test("sets and verdict maps are looked up, and what cannot be told is a maybe", () => {
  const inSet = [meta(NFT_META_IIFNAME, NFT_REG_1), lookup({ set: "s", sreg: NFT_REG_1 }), accept];
  const map = [
    meta(NFT_META_IIFNAME, NFT_REG_1),
    lookup({ set: "m", sreg: NFT_REG_1, dreg: NFT_REG_VERDICT }),
  ];
  const keyed = (
    name: string,
    value = null as SetContent extends ReadonlyMap<string, infer V> | null ? V : never,
  ) => new Map([[hex(ifnameKey(name)), value]]);
  expect(outcome({ base: [inSet] }, { sets: { s: keyed("fl-1") } })).toBe("accepts");
  expect(outcome({ base: [inSet] }, { sets: { s: keyed("eth0") } })).toBe("drops");
  expect(outcome({ base: [inSet] }, { sets: { s: null } })).toBe("may drop");
  expect(outcome({ base: [map] }, { sets: { m: keyed("fl-1", verdict.accept) } })).toBe("accepts");
  expect(outcome({ base: [map] }, { sets: { m: keyed("eth0", verdict.accept) } })).toBe("drops");
});

test("an answer to a container is told from a new connection", () => {
  const answer = { family: NFPROTO_IPV4, oifname: "fl-1", ctState: NF_CT_STATE_ESTABLISHED, ctStatus: 0 };
  expect(outcome({ base: [[...ESTABLISHED, accept]] }, { packet: answer })).toBe("accepts");
  expect(outcome({ base: [[...from("eth0"), accept]] }, { packet: answer })).toBe("may drop");
});
