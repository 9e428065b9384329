/**
 * What containers need of firewalls that are somebody else's, packet by packet, and the rules that let it through. Pure.
 *
 * Three rules on the way in (names over UDP and TCP; IPv6 neighbours), two on the way through (what containers send; what answers
 * them, or was translated to a published port). Each is for the links of one pattern: `fl-*` are all bridges that Fairlead names
 * itself, so that the number of rules does not grow with that of networks. Networks stay apart: a packet that Fairlead's own
 * table drops is dropped, whatever others accept.
 */
import { u16be, u32 } from "../../../netlink/attribute.ts";
import { IPPROTO_TCP, IPPROTO_UDP } from "../../../netlink/conntrack/message.ts";
import { ifnameKey } from "../../../netlink/nftables/datatype.ts";
import { bitwise } from "../../../netlink/nftables/expr/bitwise.ts";
import { cmp, NFT_CMP_NEQ } from "../../../netlink/nftables/expr/cmp.ts";
import { counter } from "../../../netlink/nftables/expr/counter.ts";
import {
  ct,
  IPS_DST_NAT,
  NF_CT_STATE_ESTABLISHED,
  NF_CT_STATE_NEW,
  NF_CT_STATE_RELATED,
  NF_CT_STATE_UNTRACKED,
  NFT_CT_STATE,
  NFT_CT_STATUS,
} from "../../../netlink/nftables/expr/ct.ts";
import { NFT_REG_1, verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import {
  meta,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_OIFNAME,
} from "../../../netlink/nftables/expr/meta.ts";
import { NFT_PAYLOAD_TRANSPORT_HEADER, payload, TH_DPORT } from "../../../netlink/nftables/expr/payload.ts";
import {
  conntrackMatch,
  icmp6Match,
  XT_CONNTRACK_STATE_DNAT,
} from "../../../netlink/nftables/expr/xtables.ts";
import { NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from "../../../netlink/nftables/message.ts";
import type { RuleSpec } from "../../../netlink/nftables/rule.ts";
import { chainText, type ForeignChain } from "./chains.ts";
import type { ProbePacket } from "./verdict.ts";

/** Links that rules are for: a whole name, or the beginning of many. */
export interface LinkPattern {
  /** `fl-` for `fl-*`, else a whole name. */
  readonly text: string;
  readonly isPrefix: boolean;
  /** A link that it fits. */
  readonly example: string;
  /** Whether any of them is on a network with IPv6. */
  readonly hasIpv6: boolean;
}

/** A bridge that packets of containers come from. */
export interface ContainerBridge {
  readonly bridge: string;
  readonly hasIpv6: boolean;
}

/** One thing that containers need. */
export interface Need {
  /** What does not work without it. */
  readonly purpose: string;
  readonly hook: ForeignChain["hook"];
  readonly families: readonly number[];
  packet(example: string): Omit<ProbePacket, "family">;
  /** What the rule says after the link. */
  expressions(chain: ForeignChain): readonly (readonly Expression[])[];
  /** The link that it comes from or goes to. */
  readonly side: "iifname" | "oifname";
  /** What a line says after the link: for nft, and for iptables. */
  readonly words: { readonly nft: string; readonly iptables: string };
}

const DNS_PORT = 53;
const IPPROTO_ICMPV6 = 58;
const ND_NEIGHBOUR_SOLICITATION = 135;
const ND_NEIGHBOUR_ADVERTISEMENT = 136;
const BOTH = [NFPROTO_IPV4, NFPROTO_IPV6];
const NEW = { ctState: NF_CT_STATE_NEW, ctStatus: 0 };

function names(protocol: number, text: string): Need {
  return {
    purpose: `names over ${text.toUpperCase()}`,
    hook: "input",
    families: BOTH,
    packet: (iifname) => ({ ...NEW, iifname, protocol, destinationPort: DNS_PORT }),
    expressions: () => [
      [
        meta(NFT_META_L4PROTO, NFT_REG_1),
        cmp(NFT_REG_1, Uint8Array.of(protocol)),
        payload(TH_DPORT, NFT_REG_1),
        cmp(NFT_REG_1, u16be.encode(DNS_PORT)),
      ],
    ],
    side: "iifname",
    words: { nft: `${text} dport ${DNS_PORT}`, iptables: `-p ${text} --dport ${DNS_PORT}` },
  };
}

function neighbours(icmpType: number, words: string): Need {
  return {
    purpose: `IPv6 neighbours (${words})`,
    hook: "input",
    families: [NFPROTO_IPV6],
    packet: (iifname) => ({
      ...NEW,
      ctState: NF_CT_STATE_UNTRACKED,
      iifname,
      protocol: IPPROTO_ICMPV6,
      icmpType,
    }),
    expressions: ({ isOfIptables }) => [
      [
        meta(NFT_META_L4PROTO, NFT_REG_1),
        cmp(NFT_REG_1, Uint8Array.of(IPPROTO_ICMPV6)),
        ...(isOfIptables
          ? [icmp6Match(icmpType)]
          : [
              payload({ base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 1 }, NFT_REG_1),
              cmp(NFT_REG_1, Uint8Array.of(icmpType)),
            ]),
      ],
    ],
    side: "iifname",
    words: { nft: `icmpv6 type ${words}`, iptables: `-p icmpv6 --icmpv6-type ${icmpType}` },
  };
}

const OUT: Need = {
  purpose: "what containers send",
  hook: "forward",
  families: BOTH,
  packet: (iifname) => ({ ...NEW, iifname }),
  expressions: () => [[]],
  side: "iifname",
  words: { nft: "", iptables: "" },
};

const ANSWERS = NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED;

function answers(packet: Pick<ProbePacket, "ctState" | "ctStatus">): Need {
  return {
    purpose: "answers and published ports",
    hook: "forward",
    families: BOTH,
    packet: (oifname) => ({ ...packet, oifname }),
    // iptables knows no other way to say it, and both at once.
    expressions: ({ isOfIptables }) =>
      isOfIptables
        ? [[conntrackMatch(ANSWERS | XT_CONNTRACK_STATE_DNAT)]]
        : [anyOf(NFT_CT_STATE, ANSWERS), anyOf(NFT_CT_STATUS, IPS_DST_NAT)],
    side: "oifname",
    words: {
      nft: "ct state established,related",
      iptables: "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT",
    },
  };
}

function anyOf(key: number, bits: number): Expression[] {
  return [
    ct(key, NFT_REG_1),
    bitwise(NFT_REG_1, u32.encode(bits)),
    cmp(NFT_REG_1, u32.encode(0), NFT_CMP_NEQ),
  ];
}

/** All of them, by the order of the packets' way. */
export const NEEDS: readonly Need[] = [
  names(IPPROTO_UDP, "udp"),
  names(IPPROTO_TCP, "tcp"),
  neighbours(ND_NEIGHBOUR_SOLICITATION, "nd-neighbor-solicit"),
  neighbours(ND_NEIGHBOUR_ADVERTISEMENT, "nd-neighbor-advert"),
  OUT,
  answers({ ctState: NF_CT_STATE_ESTABLISHED, ctStatus: 0 }),
  {
    ...answers({ ctState: NF_CT_STATE_NEW, ctStatus: IPS_DST_NAT }),
    words: { nft: "ct status dnat", iptables: "-m conntrack --ctstate DNAT" },
  },
];

/** The packets' families that pass the chain, and that the links have. */
export function familiesOf({ families }: Need, { family }: ForeignChain, { hasIpv6 }: LinkPattern): number[] {
  return families.filter(
    (one) => (family === NFPROTO_INET || one === family) && (hasIpv6 || one !== NFPROTO_IPV6),
  );
}

/** Our rules for a need in a chain, each with its comment. */
export function rulesFor(
  need: Need,
  chain: ForeignChain,
  pattern: LinkPattern,
): Required<Pick<RuleSpec, "comment" | "expressions" | "compatProtocol">>[] {
  const key = need.side === "iifname" ? NFT_META_IIFNAME : NFT_META_OIFNAME;
  const name = pattern.isPrefix ? new TextEncoder().encode(pattern.text) : ifnameKey(pattern.text);
  const { protocol } = need.packet(pattern.example);
  return need.expressions(chain).map((expressions, at) => ({
    compatProtocol: chain.isOfIptables ? protocol : undefined,
    comment: `${need.purpose}, ${patternText(pattern, "*")}${at === 0 ? "" : ` (${at + 1})`}`,
    expressions: [
      meta(key, NFT_REG_1),
      // iptables compares a whole name with its NUL, and no further.
      cmp(NFT_REG_1, chain.isOfIptables && !pattern.isPrefix ? name.slice(0, pattern.text.length + 1) : name),
      ...expressions,
      counter({ bytes: 0n, packets: 0n }),
      immediateVerdict(verdict.accept),
    ],
  }));
}

/** The line that an administrator would type to let a need through. */
export function lineFor({ side, words }: Need, chain: ForeignChain, pattern: LinkPattern): string {
  if (chain.isOfIptables) {
    const program = chain.family === NFPROTO_IPV6 ? "ip6tables" : "iptables";
    const link = `${side === "iifname" ? "-i" : "-o"} ${patternText(pattern, "+")}`;
    return [program, "-I", chain.name, link, words.iptables, "-j ACCEPT"]
      .filter((word) => word !== "")
      .join(" ");
  }
  const link = `${side} "${patternText(pattern, "*")}"`;
  return [
    "nft insert rule",
    chainText(chain),
    `'${[link, words.nft, "accept"].filter((word) => word !== "").join(" ")}'`,
  ].join(" ");
}

function patternText({ text, isPrefix }: LinkPattern, wildcard: string): string {
  return isPrefix ? `${text}${wildcard}` : text;
}

/** The bridges by patterns: all that Fairlead named itself are one. */
export function patternsOf(bridges: readonly ContainerBridge[]): LinkPattern[] {
  const byText = new Map<string, LinkPattern>();
  for (const { bridge, hasIpv6 } of bridges) {
    const isPrefix = bridge.startsWith(OWN_PREFIX);
    const text = isPrefix ? OWN_PREFIX : bridge;
    const before = byText.get(text);
    byText.set(text, {
      text,
      isPrefix,
      example: before?.example ?? bridge,
      hasIpv6: hasIpv6 || (before?.hasIpv6 ?? false),
    });
  }
  return [...byText.values()];
}

const OWN_PREFIX = "fl-";
