/** Each expression against what nft writes for the same words: `test/captures/nftables/expressions.nft`. */
import { readCapture, toHex } from "../../../../test/captures/nftables/read-capture.ts";
import { addressToBytes, parseAddress } from "../../../addr/address.ts";
import { u16be, u32, u32be } from "../../attribute.ts";
import { matchCtState, matchFamily } from "../match.ts";
import { NFPROTO_IPV4, NFT_MSG_NEWRULE, nfgenmsg, nftablesType } from "../message.ts";
import { ruleTable } from "../rule.ts";
import { bitwise } from "./bitwise.ts";
import { byteorder } from "./byteorder.ts";
import { cmp, NFT_CMP_GT, NFT_CMP_GTE, NFT_CMP_LT, NFT_CMP_LTE, NFT_CMP_NEQ } from "./cmp.ts";
import { counter } from "./counter.ts";
import * as conntrack from "./ct.ts";
import {
  NFT_REG_1,
  NFT_REG_2,
  NFT_REG_3,
  NFT_REG_4,
  NFT_REG_VERDICT,
  NFT_REG32_01,
  verdict,
} from "./data.ts";
import { dynset, NFT_DYNSET_OP_ADD, NFT_DYNSET_OP_UPDATE } from "./dynset.ts";
import { type Expression, expressionTable } from "./expression.ts";
import { fib, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, RTN_LOCAL } from "./fib.ts";
import { immediate, immediateVerdict } from "./immediate.ts";
import { limit, NFT_LIMIT_F_INV, NFT_LIMIT_PKT_BYTES } from "./limit.ts";
import { log } from "./log.ts";
import { lookup } from "./lookup.ts";
import { masq } from "./masq.ts";
import * as metadata from "./meta.ts";
import * as address from "./nat.ts";
import { notrack } from "./notrack.ts";
import { NFT_NG_INCREMENTAL, NFT_NG_RANDOM, numgen } from "./numgen.ts";
import { IP_DADDR, IP_SADDR, IP6_SADDR, payload, TH_DPORT } from "./payload.ts";
import { NFT_RANGE_NEQ, range } from "./range.ts";
import { redir } from "./redir.ts";
import { NFT_REJECT_TCP_RST, reject } from "./reject.ts";

const ip = (text: string) => addressToBytes(parseAddress(text));
const port = (number: number) => u16be.encode(number);
const ipSaddr = (text: string) => [...matchFamily(4), payload(IP_SADDR, NFT_REG_1), cmp(NFT_REG_1, ip(text))];
const ipProtocol = (number: number) => [
  payload({ base: 1, offset: 9, length: 1 }, NFT_REG_1),
  cmp(NFT_REG_1, Uint8Array.of(number)),
];
const l4proto = (number: number) => [
  metadata.meta(metadata.NFT_META_L4PROTO, NFT_REG_1),
  cmp(NFT_REG_1, Uint8Array.of(number)),
];
const tcpDport = [...l4proto(6), payload(TH_DPORT, NFT_REG_1)];
const [accept, drop] = [immediateVerdict(verdict.accept), immediateVerdict(verdict.drop)];

/** What `expressions.nft` says, rule by rule, in the order in which nft sends them. */
const RULES: readonly (readonly [string, readonly Expression[]])[] = [
  [
    "dnat ip to meta l4proto . th dport map @dm",
    [
      metadata.meta(metadata.NFT_META_L4PROTO, NFT_REG_1),
      payload(TH_DPORT, NFT_REG32_01),
      lookup({ set: "dm", sreg: NFT_REG_1, dreg: NFT_REG_1, setId: 1 }),
      address.nat({
        type: address.NFT_NAT_DNAT,
        family: NFPROTO_IPV4,
        addrMinRegister: NFT_REG_1,
        protoMinRegister: NFT_REG32_01,
      }),
    ],
  ],
  [
    "fib daddr type local meta l4proto tcp dnat ip to 10.0.0.1:80",
    [
      fib({ flags: NFTA_FIB_F_DADDR, result: NFT_FIB_RESULT_ADDRTYPE, dreg: NFT_REG_1 }),
      cmp(NFT_REG_1, u32.encode(RTN_LOCAL)),
      ...l4proto(6),
      immediate(NFT_REG_1, ip("10.0.0.1")),
      immediate(NFT_REG_2, port(80)),
      address.nat({
        type: address.NFT_NAT_DNAT,
        family: NFPROTO_IPV4,
        addrMinRegister: NFT_REG_1,
        protoMinRegister: NFT_REG_2,
        flags: address.NF_NAT_RANGE_PROTO_SPECIFIED,
      }),
    ],
  ],
  [
    "tcp dport 80 redirect to :8080",
    [
      ...tcpDport,
      cmp(NFT_REG_1, port(80)),
      immediate(NFT_REG_1, port(8080)),
      redir({ protoMinRegister: NFT_REG_1, flags: address.NF_NAT_RANGE_PROTO_SPECIFIED }),
    ],
  ],
  [
    "tcp dport { 1, 5-9 } accept",
    [...tcpDport, lookup({ set: "__set%d", sreg: NFT_REG_1, setId: 5 }), accept],
  ],
  [
    "ip saddr 1.2.3.4 ct mark 5 ct mark set 7 counter packets 3 bytes 4 return",
    [
      ...ipSaddr("1.2.3.4"),
      conntrack.ct(conntrack.NFT_CT_MARK, NFT_REG_1),
      cmp(NFT_REG_1, u32.encode(5)),
      immediate(NFT_REG_1, u32.encode(7)),
      conntrack.setCt(conntrack.NFT_CT_MARK, NFT_REG_1),
      counter({ bytes: 4n, packets: 3n }),
      immediateVerdict(verdict.return),
    ],
  ],
  [
    "ip saddr 1.2.3.4 ip protocol udp snat ip to 5.6.7.8-5.6.7.9:10-20 random",
    [
      ...ipSaddr("1.2.3.4"),
      ...ipProtocol(17),
      immediate(NFT_REG_1, ip("5.6.7.8")),
      immediate(NFT_REG_2, ip("5.6.7.9")),
      immediate(NFT_REG_3, port(10)),
      immediate(NFT_REG_4, port(20)),
      address.nat({
        type: address.NFT_NAT_SNAT,
        family: NFPROTO_IPV4,
        addrMinRegister: NFT_REG_1,
        addrMaxRegister: NFT_REG_2,
        protoMinRegister: NFT_REG_3,
        protoMaxRegister: NFT_REG_4,
        flags: address.NF_NAT_RANGE_PROTO_SPECIFIED | address.NF_NAT_RANGE_PROTO_RANDOM,
      }),
    ],
  ],
  [
    "ip6 saddr fd00::1 masquerade random,persistent",
    [
      ...matchFamily(6),
      payload(IP6_SADDR, NFT_REG_1),
      cmp(NFT_REG_1, ip("fd00::1")),
      masq({ flags: address.NF_NAT_RANGE_PROTO_RANDOM | address.NF_NAT_RANGE_PERSISTENT }),
    ],
  ],
  [
    "ip protocol tcp masquerade to :1000-2000",
    [
      ...matchFamily(4),
      ...ipProtocol(6),
      immediate(NFT_REG_1, port(1000)),
      immediate(NFT_REG_2, port(2000)),
      masq({
        flags: address.NF_NAT_RANGE_PROTO_SPECIFIED,
        protoMinRegister: NFT_REG_1,
        protoMaxRegister: NFT_REG_2,
      }),
    ],
  ],
  [
    "ct state established,related accept",
    [...matchCtState(conntrack.NF_CT_STATE_ESTABLISHED | conntrack.NF_CT_STATE_RELATED), accept],
  ],
  [
    "ct direction original ct status dnat accept",
    [
      conntrack.ct(conntrack.NFT_CT_DIRECTION, NFT_REG_1),
      cmp(NFT_REG_1, Uint8Array.of(0)),
      conntrack.ct(conntrack.NFT_CT_STATUS, NFT_REG_1),
      bitwise(NFT_REG_1, u32.encode(conntrack.IPS_DST_NAT)),
      cmp(NFT_REG_1, u32.encode(0), NFT_CMP_NEQ),
      accept,
    ],
  ],
  [
    'limit rate 10/second burst 5 packets log prefix "x: " level warn',
    [limit({ rate: 10n, perSeconds: 1n, burst: 5 }), log({ prefix: "x: ", level: 4 })],
  ],
  [
    'log group 3 snaplen 64 queue-threshold 2 prefix "y"',
    [log({ prefix: "y", group: 3, snapshotBytes: 64, queueThreshold: 2 })],
  ],
  [
    "limit rate over 5 mbytes/minute drop",
    [
      {
        name: "limit",
        data: { rate: 5_242_880n, unit: 60n, type: NFT_LIMIT_PKT_BYTES, flags: NFT_LIMIT_F_INV },
      },
      drop,
    ],
  ],
  [
    "tcp dport != 40-50 continue",
    [
      ...tcpDport,
      range({ sreg: NFT_REG_1, from: port(40), to: port(50), op: NFT_RANGE_NEQ }),
      immediateVerdict(verdict.continue),
    ],
  ],
  [
    "tcp dport 20-30 reject with tcp reset",
    [
      ...tcpDport,
      cmp(NFT_REG_1, port(20), NFT_CMP_GTE),
      cmp(NFT_REG_1, port(30), NFT_CMP_LTE),
      reject(NFT_REJECT_TCP_RST, 0),
    ],
  ],
  ["reject", [reject()]],
  [
    "ip saddr @iv jump r1",
    [
      ...matchFamily(4),
      payload(IP_SADDR, NFT_REG_1),
      lookup({ set: "iv", sreg: NFT_REG_1, setId: 3 }),
      immediateVerdict(verdict.jump("r1")),
    ],
  ],
  [
    "add @lim { ip saddr limit rate 3/second } drop",
    [
      ...matchFamily(4),
      payload(IP_SADDR, NFT_REG_1),
      dynset({
        set: "lim",
        setId: 4,
        op: NFT_DYNSET_OP_ADD,
        keyRegister: NFT_REG_1,
        expression: limit({ rate: 3n, perSeconds: 1n, burst: 5 }),
      }),
      drop,
    ],
  ],
  [
    "update @lim { ip saddr timeout 5s } goto r1",
    [
      ...matchFamily(4),
      payload(IP_SADDR, NFT_REG_1),
      dynset({ set: "lim", setId: 4, op: NFT_DYNSET_OP_UPDATE, keyRegister: NFT_REG_1, timeoutMs: 5000n }),
      immediateVerdict(verdict.goto("r1")),
    ],
  ],
  [
    "meta mark set ct mark",
    [conntrack.ct(conntrack.NFT_CT_MARK, NFT_REG_1), metadata.setMeta(metadata.NFT_META_MARK, NFT_REG_1)],
  ],
  [
    "meta mark set meta mark and 0xff or 0x10",
    [
      metadata.meta(metadata.NFT_META_MARK, NFT_REG_1),
      bitwise(NFT_REG_1, u32.encode(0xef), u32.encode(0x10)),
      metadata.setMeta(metadata.NFT_META_MARK, NFT_REG_1),
    ],
  ],
  [
    "numgen random mod 100 < 5 drop",
    [
      numgen({ dreg: NFT_REG_1, modulus: 100, type: NFT_NG_RANDOM }),
      byteorder(NFT_REG_1, 4),
      cmp(NFT_REG_1, u32be.encode(5), NFT_CMP_LT),
      drop,
    ],
  ],
  [
    "ip saddr . ip daddr vmap { … }",
    [
      ...matchFamily(4),
      payload(IP_SADDR, NFT_REG_1),
      payload(IP_DADDR, NFT_REG32_01),
      lookup({ set: "__map%d", sreg: NFT_REG_1, dreg: NFT_REG_VERDICT, setId: 6 }),
    ],
  ],
  [
    "ip saddr . tcp dport vmap @pm",
    [
      ...matchFamily(4),
      ...l4proto(6),
      payload(IP_SADDR, NFT_REG_1),
      payload(TH_DPORT, NFT_REG32_01),
      lookup({ set: "pm", sreg: NFT_REG_1, dreg: NFT_REG_VERDICT, setId: 2 }),
    ],
  ],
  [
    "ct expiration > 5s accept",
    [
      conntrack.ct(5, NFT_REG_1),
      byteorder(NFT_REG_1, 4),
      cmp(NFT_REG_1, u32be.encode(5000), NFT_CMP_GT),
      accept,
    ],
  ],
  [
    "ct mark set numgen inc mod 2 offset 5",
    [
      numgen({ dreg: NFT_REG_1, modulus: 2, type: NFT_NG_INCREMENTAL, offset: 5 }),
      conntrack.setCt(conntrack.NFT_CT_MARK, NFT_REG_1),
    ],
  ],
  [
    'iifname "eth*" ip6 daddr != fd00::/48 continue',
    [
      metadata.meta(metadata.NFT_META_IIFNAME, NFT_REG_1),
      cmp(NFT_REG_1, new TextEncoder().encode("eth")),
      ...matchFamily(6),
      payload({ base: 1, offset: 24, length: 6 }, NFT_REG_1),
      cmp(NFT_REG_1, ip("fd00::").subarray(0, 6), NFT_CMP_NEQ),
      immediateVerdict(verdict.continue),
    ],
  ],
  [
    "iif lo tcp dport > 1023 accept",
    [
      metadata.meta(metadata.NFT_META_IIF, NFT_REG_1),
      cmp(NFT_REG_1, u32.encode(1)),
      ...tcpDport,
      cmp(NFT_REG_1, port(1023), NFT_CMP_GT),
      accept,
    ],
  ],
  ["ip protocol udp notrack", [...matchFamily(4), ...ipProtocol(17), notrack()]],
];

describe("expressions", () => {
  const captured = readCapture("expressions.batch.hex")
    .filter(({ type }) => type === nftablesType(NFT_MSG_NEWRULE))
    .map(({ payload }) => ruleTable.decode(payload.slice(nfgenmsg.sizeBytes)).expressions ?? []);

  test("every rule of the capture is here", () => expect(RULES.length).toBe(captured.length));

  const bytesOf = (expressions: readonly Expression[]) =>
    expressions.map(
      (expression) => `${expression.name} ${toHex(expressionTable.encode(asWeWrite(expression)))}`,
    );

  test.each(RULES.map(([words, expressions], at) => [words, expressions, captured[at] ?? []] as const))(
    "%s",
    (_words, ours, theirs) => expect(bytesOf(ours)).toEqual(bytesOf(theirs)),
  );
});

/** nft says which kind of bitwise operation it is in some rules and not in others, where it is the default one. */
function asWeWrite(expression: Expression): Expression {
  if (expression.name !== "bitwise") return expression;
  const { op: _default, ...data } = expression.data ?? {};
  return { name: "bitwise", data };
}
