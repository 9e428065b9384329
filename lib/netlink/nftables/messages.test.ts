/** Whole messages against what nft writes for the same words: `test/captures/nftables`. */
import { readCapture, toHex } from "../../../test/captures/nftables/read-capture.ts";
import { addressToBytes, parseAddress } from "../../addr/address.ts";
import { parsePrefix } from "../../addr/prefix.ts";
import type { NetlinkRequest } from "../request.ts";
import {
  deleteChain,
  NF_INET_FORWARD,
  NF_INET_POST_ROUTING,
  NF_IP_PRI_FILTER,
  NF_IP_PRI_NAT_SRC,
  newChain,
} from "./chain.ts";
import {
  concatenate,
  IFNAME,
  INET_PROTO,
  INET_SERVICE,
  IPV4_ADDR,
  IPV6_ADDR,
  ifnameKey,
  VERDICT,
} from "./datatype.ts";
import { deleteElements, element, elementListTable, newElements } from "./element.ts";
import { counter } from "./expr/counter.ts";
import * as conntrack from "./expr/ct.ts";
import { NFT_REG_1, NFT_REG_2, NFT_REG_VERDICT, verdict } from "./expr/data.ts";
import { immediateVerdict } from "./expr/immediate.ts";
import { lookup } from "./expr/lookup.ts";
import { masq } from "./expr/masq.ts";
import * as metadata from "./expr/meta.ts";
import { ETHER_SADDR, IP_DADDR, IP_SADDR, IP6_SADDR, payload } from "./expr/payload.ts";
import { intervalElements } from "./interval.ts";
import { matchCtState, matchFamily, matchPrefix } from "./match.ts";
import {
  NFPROTO_BRIDGE,
  NFPROTO_INET,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  nfgenmsg,
  nftablesType,
} from "./message.ts";
import { newRule } from "./rule.ts";
import {
  NFT_SET_ANONYMOUS,
  NFT_SET_CONSTANT,
  NFT_SET_EVAL,
  NFT_SET_INTERVAL,
  NFT_SET_TIMEOUT,
  newSet,
  setTable,
} from "./set.ts";
import { deleteTable, newTable } from "./table.ts";

const ip = (text: string) => addressToBytes(parseAddress(text));
const drop = immediateVerdict(verdict.drop);

const INSIDE = { family: NFPROTO_INET, table: "fairlead" } as const;
const MASQUERADE4 = {
  ...INSIDE,
  name: "masquerade4",
  key: [IFNAME, IPV4_ADDR],
  data: [VERDICT],
  flags: NFT_SET_INTERVAL,
  id: 1,
};
const MASQUERADED4 = {
  ...INSIDE,
  name: "masqueraded4",
  key: [IFNAME, IPV4_ADDR],
  flags: NFT_SET_INTERVAL,
  id: 2,
};
const MASQUERADE6 = {
  ...INSIDE,
  name: "masquerade6",
  key: [IPV6_ADDR],
  data: [VERDICT],
  flags: NFT_SET_INTERVAL,
  id: 3,
};

const KEY4 = {
  key: concatenate([ifnameKey("cni0"), ip("10.1.0.0")]),
  keyEnd: concatenate([ifnameKey("cni0"), ip("10.1.255.255")]),
};
const KEY6 = { key: ip("fd00:1::"), keyEnd: ip("fd00:1::ffff:ffff:ffff:ffff") };
const goTo = { verdict: verdict.goto("masq-web") };
const returnFor = (prefix: string) => [
  ...matchPrefix(parsePrefix(prefix), "daddr"),
  immediateVerdict(verdict.return),
];
const iifnameAnd = (field: typeof IP_SADDR | typeof IP_DADDR) => [
  metadata.meta(metadata.NFT_META_IIFNAME, NFT_REG_1),
  payload(field, NFT_REG_2),
];

/** `masquerade.nft`, message by message. */
const MASQUERADE: readonly NetlinkRequest<unknown>[] = [
  newTable({ family: NFPROTO_INET, name: "fairlead" }),
  newChain({ ...INSIDE, name: "masq-web", comment: "web" }),
  newChain({
    ...INSIDE,
    name: "postrouting",
    base: { type: "nat", hook: NF_INET_POST_ROUTING, priority: NF_IP_PRI_NAT_SRC },
  }),
  newChain({
    ...INSIDE,
    name: "forward",
    base: { type: "filter", hook: NF_INET_FORWARD, priority: NF_IP_PRI_FILTER },
  }),
  newSet(MASQUERADE4),
  newSet(MASQUERADED4),
  newSet(MASQUERADE6),
  ...["10.1.0.0/16", "224.0.0.0/4", "fd00:1::/64", "ff00::/8"].map((prefix) =>
    newRule({ ...INSIDE, chain: "masq-web", expressions: returnFor(prefix) }),
  ),
  newRule({ ...INSIDE, chain: "masq-web", expressions: [masq()] }),
  newRule({
    ...INSIDE,
    chain: "postrouting",
    expressions: [
      ...matchFamily(4),
      ...iifnameAnd(IP_SADDR),
      lookup({ set: "masquerade4", sreg: NFT_REG_1, dreg: NFT_REG_VERDICT, setId: 1 }),
    ],
  }),
  newRule({
    ...INSIDE,
    chain: "postrouting",
    expressions: [
      ...matchFamily(6),
      payload(IP6_SADDR, NFT_REG_1),
      lookup({ set: "masquerade6", sreg: NFT_REG_1, dreg: NFT_REG_VERDICT, setId: 3 }),
    ],
  }),
  newRule({
    ...INSIDE,
    chain: "forward",
    expressions: [
      ...matchCtState(conntrack.NF_CT_STATE_INVALID),
      ...matchFamily(4),
      ...iifnameAnd(IP_SADDR),
      lookup({ set: "masqueraded4", sreg: NFT_REG_1, setId: 2 }),
      ...iifnameAnd(IP_DADDR),
      lookup({ set: "masqueraded4", sreg: NFT_REG_1, setId: 2, inverted: true }),
      counter(),
      drop,
    ],
  }),
  newElements(
    { ...INSIDE, set: "masquerade4", setId: 1 },
    intervalElements(MASQUERADE4, { ...KEY4, ...goTo }),
  ),
  newElements({ ...INSIDE, set: "masqueraded4", setId: 2 }, intervalElements(MASQUERADED4, KEY4)),
  newElements(
    { ...INSIDE, set: "masquerade6", setId: 3 },
    intervalElements(MASQUERADE6, { ...KEY6, ...goTo }),
  ),
];

/** A message without what nft alone writes: how a key was spelled, and numbers on the elements of a list. */
function normal({ type, payload }: Pick<NetlinkRequest, "type" | "payload">): string {
  const attributes = payload.slice(nfgenmsg.sizeBytes);
  const kept = (NORMAL[type] ?? ((same) => same))(attributes);
  return `${type} ${toHex(payload.slice(0, nfgenmsg.sizeBytes))} ${toHex(kept)}`;
}

const NORMAL: Readonly<Record<number, (attributes: Uint8Array) => Uint8Array>> = {
  [nftablesType(NFT_MSG_NEWSET)]: withoutTypeof,
  [nftablesType(NFT_MSG_NEWSETELEM)]: (list) => elementListTable.encode(elementListTable.decode(list)),
};

function withoutTypeof(attributes: Uint8Array): Uint8Array {
  const { userdata, ...rest } = setTable.decode(attributes);
  return setTable.encode({ ...rest, userdata: (userdata ?? new Uint8Array(0)).slice(0, 6) });
}

describe("messages", () => {
  const captured = readCapture("masquerade.batch.hex").slice(1, -1);

  test("a whole transaction", () => {
    // nft writes the elements of a set of one field with the set already, and once more where the script has them.
    const twice = captured.findIndex(({ type }) => type === nftablesType(NFT_MSG_NEWSETELEM));
    const theirs = captured.filter((_, at) => at !== twice).map((message) => normal(message));
    expect(MASQUERADE.map((request) => normal(request))).toEqual(theirs);
  });

  test("deletions", () => {
    const T = { family: NFPROTO_INET, table: "t" } as const;
    const one = element({ key: ip("10.0.0.1") });
    const requests = [
      deleteElements({ ...T, set: "s" }, [one]),
      deleteChain({ ...T, name: "c" }),
      deleteTable({ family: NFPROTO_INET, name: "t" }),
    ];
    const captured = readCapture("delete.batch.hex").map((message) => normal(message));
    for (const request of requests) expect(captured).toContain(normal(request));
  });

  test("flags of sets are as nft's", () => {
    const flagsOf = (name: string) =>
      readCapture("expressions.batch.hex")
        .filter(({ type }) => type === nftablesType(NFT_MSG_NEWSET))
        .map(({ payload }) => setTable.decode(payload.slice(nfgenmsg.sizeBytes)))
        .find((set) => set.name === name)?.flags;
    const ours = (spec: Omit<Parameters<typeof newSet>[0], "family" | "table" | "name">) =>
      setTable.decode(newSet({ ...INSIDE, name: "x", ...spec }).payload.slice(nfgenmsg.sizeBytes)).flags;
    const ports = [INET_PROTO, INET_SERVICE];
    expect(ours({ key: ports, data: [IPV4_ADDR, INET_SERVICE], flags: NFT_SET_TIMEOUT })).toBe(flagsOf("dm"));
    expect(ours({ key: [IPV4_ADDR, INET_SERVICE], data: [VERDICT], flags: NFT_SET_INTERVAL })).toBe(
      flagsOf("pm"),
    );
    expect(ours({ key: [IPV4_ADDR], flags: NFT_SET_EVAL | NFT_SET_TIMEOUT })).toBe(flagsOf("lim"));
    const anonymous = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL;
    expect(ours({ key: [INET_SERVICE], flags: anonymous })).toBe(flagsOf("__set%d"));
  });

  test("the bridge family reads the Ethernet header", () => {
    const rules = readCapture("mac-spoof.batch.hex").filter(
      ({ type }) => type === nftablesType(NFT_MSG_NEWRULE),
    );
    const ours = newRule({
      family: NFPROTO_BRIDGE,
      table: "fairlead",
      chain: "prerouting",
      expressions: [
        metadata.meta(metadata.NFT_META_IIFNAME, NFT_REG_1),
        lookup({ set: "checked", sreg: NFT_REG_1, setId: 1 }),
        metadata.meta(metadata.NFT_META_IIFNAME, NFT_REG_1),
        payload(ETHER_SADDR, NFT_REG_2),
        lookup({ set: "allowed", sreg: NFT_REG_1, setId: 2, inverted: true }),
        counter(),
        drop,
      ],
    });
    expect(rules.map((message) => normal(message))).toEqual([normal(ours)]);
  });
});
