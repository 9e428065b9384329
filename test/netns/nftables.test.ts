/** The codecs and requests of `lib/netlink/nftables` against the kernel, with `nft` as the judge. Needs root and nft. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addressToBytes, parseAddress } from "../../lib/addr/address.ts";
import { type Codec, u16be } from "../../lib/netlink/attribute.ts";
import {
  chainTable,
  deleteChain,
  destroyChain,
  getChain,
  getChains,
  newChain,
} from "../../lib/netlink/nftables/chain.ts";
import {
  concatenate,
  INET_PROTO,
  INET_SERVICE,
  IPV4_ADDR,
  VERDICT,
} from "../../lib/netlink/nftables/datatype.ts";
import {
  destroyElements,
  element,
  elementListTable,
  newElements,
} from "../../lib/netlink/nftables/element.ts";
import { findElement, listElements, removeElements } from "../../lib/netlink/nftables/elements.ts";
import { counter } from "../../lib/netlink/nftables/expr/counter.ts";
import { NFT_REG_1, NFT_REG_VERDICT, verdict } from "../../lib/netlink/nftables/expr/data.ts";
import { immediateVerdict } from "../../lib/netlink/nftables/expr/immediate.ts";
import { lookup } from "../../lib/netlink/nftables/expr/lookup.ts";
import { IP_SADDR, payload } from "../../lib/netlink/nftables/expr/payload.ts";
import { intervalElements, intervalsOf } from "../../lib/netlink/nftables/interval.ts";
import { matchFamily } from "../../lib/netlink/nftables/match.ts";
import {
  NFPROTO_INET,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
  nfgenmsg,
  nftablesType,
} from "../../lib/netlink/nftables/message.ts";
import { deleteRule, flushChain, getRules, newRule, ruleTable } from "../../lib/netlink/nftables/rule.ts";
import {
  deleteSet,
  destroySet,
  getSet,
  getSets,
  NFT_SET_ANONYMOUS,
  NFT_SET_CONSTANT,
  NFT_SET_INTERVAL,
  NFT_SET_TIMEOUT,
  newSet,
  setTable,
} from "../../lib/netlink/nftables/set.ts";
import {
  deleteTable,
  destroyTable,
  getTable,
  newTable,
  tableTable,
} from "../../lib/netlink/nftables/table.ts";
import { decodeComment } from "../../lib/netlink/nftables/userdata.ts";
import { type NetlinkRequest, payloadOf } from "../../lib/netlink/request.ts";
import { readCapture } from "../captures/nftables/read-capture.ts";
import { NftNetns } from "../support/kernel/nftables-netns.ts";

let netns: NftNetns;
let judge: NftNetns;

beforeEach(() => {
  netns = new NftNetns("ours");
  judge = new NftNetns("judge");
});
afterEach(() => {
  netns.close();
  judge.close();
});

const TABLES: Readonly<Record<number, Codec<unknown>>> = {
  [nftablesType(NFT_MSG_NEWTABLE)]: tableTable,
  [nftablesType(NFT_MSG_NEWCHAIN)]: chainTable,
  [nftablesType(NFT_MSG_NEWRULE)]: ruleTable,
  [nftablesType(NFT_MSG_NEWSET)]: setTable,
  [nftablesType(NFT_MSG_NEWSETELEM)]: elementListTable,
};

/** The messages of nft's transaction, each read into a value and written again by us. */
function rewritten(name: string): NetlinkRequest[] {
  return readCapture(`${name}.batch.hex`).flatMap(({ type, flags, payload }) => {
    const table = TABLES[type];
    if (table === undefined) return [];
    const attributes = table.encode(table.decode(payload.slice(nfgenmsg.sizeBytes)));
    const header = payload.slice(0, nfgenmsg.sizeBytes);
    return [{ type, flags, payload: payloadOf(header, attributes), operation: "replay", object: `${type}` }];
  });
}

describe.each(["masquerade", "mac-spoof", "isolation", "expressions"])("%s.nft", (name) => {
  test("what nft sent, read and written by us, makes what nft made", () => {
    judge.apply(readFileSync(join(__dirname, `../captures/nftables/${name}.nft`), "utf8"));
    // The script deletes an element at its end, which rewritten() leaves out.
    if (name === "expressions")
      judge.apply('add element inet t dm { tcp . 80 timeout 5m comment "web" : 10.0.0.7 . 8080 }');
    netns.nft.commit(rewritten(name));
    const listed = netns.listJson();
    expect(listed.length).toBeGreaterThan(3);
    expect(listed).toEqual(judge.listJson());
  });
});

const TABLE = { family: NFPROTO_INET, name: "ours" } as const;
const INSIDE = { family: NFPROTO_INET, table: "ours" } as const;
const SET = { ...INSIDE, name: "blocks", key: [IPV4_ADDR], flags: NFT_SET_INTERVAL, id: 1 };
const PORTS = {
  ...INSIDE,
  name: "ports",
  key: [INET_PROTO, INET_SERVICE],
  data: [IPV4_ADDR, INET_SERVICE],
  flags: NFT_SET_TIMEOUT,
  timeoutMs: 3_600_000n,
  size: 100,
  id: 2,
  comment: "published",
};
const ip = (text: string) => addressToBytes(parseAddress(text));
const port = (number: number) => u16be.encode(number);
const WEB = {
  key: concatenate([Uint8Array.of(6), port(80)]),
  value: concatenate([ip("10.0.0.7"), port(8080)]),
};
const BLOCK = { key: ip("10.0.0.0"), keyEnd: ip("10.255.255.255"), comment: "ten" };
const LAST = { key: ip("255.255.255.0"), keyEnd: ip("255.255.255.255") };

function buildAll(): void {
  const anonymous = { ...INSIDE, name: "__map%d", key: [IPV4_ADDR], data: [VERDICT], id: 3 };
  netns.nft.commit([
    newTable(TABLE),
    newSet(SET),
    newSet(PORTS),
    newSet({ ...anonymous, flags: NFT_SET_ANONYMOUS | NFT_SET_CONSTANT, size: 1 }),
    newChain({ ...INSIDE, name: "side", comment: "aside" }),
    newChain({ ...INSIDE, name: "in", base: { type: "filter", hook: 1, priority: 0, policy: 0 } }),
    newElements(
      { ...INSIDE, set: SET.name },
      [BLOCK, LAST].flatMap((block) => intervalElements(SET, block)),
    ),
    newElements({ ...INSIDE, set: PORTS.name }, [element({ ...WEB, timeoutMs: 300_000n, comment: "web" })]),
    newElements({ ...INSIDE, set: anonymous.name, setId: 3 }, [
      element({ key: ip("1.2.3.4"), verdict: verdict.jump("side") }),
    ]),
    newRule({
      ...INSIDE,
      chain: "in",
      expressions: [
        ...matchFamily(4),
        payload(IP_SADDR, NFT_REG_1),
        lookup({ set: anonymous.name, setId: 3, sreg: NFT_REG_1, dreg: NFT_REG_VERDICT }),
      ],
    }),
    newRule({
      ...INSIDE,
      chain: "in",
      expressions: [
        ...matchFamily(4),
        payload(IP_SADDR, NFT_REG_1),
        lookup({ set: SET.name, sreg: NFT_REG_1, inverted: true }),
        counter(),
        immediateVerdict(verdict.accept),
      ],
      comment: "not ten",
    }),
  ]);
}

const SCRIPT = `table inet ours {
  set blocks { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 comment "ten", 255.255.255.0/24 } }
  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; timeout 1h; size 100; comment "published"; }
  chain side { comment "aside"
  }
  chain in { type filter hook input priority filter; policy drop;
    ip saddr vmap { 1.2.3.4 : jump side }
    ip saddr != @blocks counter accept comment "not ten"
  }
}
add element inet ours ports { tcp . 80 timeout 5m comment "web" : 10.0.0.7 . 8080 }`;

describe("requests", () => {
  test("make what nft makes of the same words", () => {
    buildAll();
    judge.apply(SCRIPT);
    // JSON leaves comments of chains and sets out, text does not.
    const text = (of: NftNetns) => of.list().replaceAll(/ expires \w+/g, "");
    expect(text(netns)).toBe(text(judge));
    expect(netns.listJson().length).toBeGreaterThan(6);
  });

  test("find and list what is there", () => {
    const { nft } = netns;
    buildAll();
    expect(nft.find(getTable(TABLE))).toMatchObject({ name: "ours", family: NFPROTO_INET });
    expect(nft.find(getChain({ ...INSIDE, name: "in" }))).toMatchObject({
      policy: 0,
      type: "filter",
      use: 2,
    });
    expect(decodeComment(nft.find(getChain({ ...INSIDE, name: "side" }))?.userdata)).toBe("aside");
    expect(nft.list(getChains(INSIDE)).map(({ name }) => name)).toEqual(["side", "in"]);
    expect(nft.find(getSet(PORTS))).toMatchObject({ timeoutMs: 3_600_000n, description: { size: 100 } });
    expect(nft.list(getSets(INSIDE)).map(({ name }) => name)).toEqual(["blocks", "ports", "__map0"]);
    const rules = nft.list(getRules({ ...INSIDE, chain: "in" }));
    expect(rules.map(({ userdata }) => decodeComment(userdata))).toEqual([null, "not ten"]);
    const web = findElement(nft, { ...INSIDE, set: "ports" }, WEB.key);
    expect(web).toMatchObject({ key: { value: WEB.key }, data: { value: WEB.value }, timeoutMs: 300_000n });
  });

  test("find nothing where there is nothing", () => {
    const { nft } = netns;
    const nothing = () => {
      expect(nft.find(getTable(TABLE))).toBeUndefined();
      expect(nft.find(getChain({ ...INSIDE, name: "in" }))).toBeUndefined();
      expect(nft.find(getSet(SET))).toBeUndefined();
      expect(findElement(nft, { ...INSIDE, set: "ports" }, WEB.key)).toBeUndefined();
      expect(listElements(nft, { ...INSIDE, set: "ports" })).toEqual([]);
      expect(nft.list(getChains(INSIDE))).toEqual([]);
      expect(nft.list(getSets(INSIDE))).toEqual([]);
      expect(nft.list(getRules({ ...INSIDE, chain: "in" }))).toEqual([]);
    };
    nothing();
    netns.apply("table inet other { chain in { }; set blocks { type ipv4_addr; }; }");
    nothing();
  });

  test("list intervals whole, adjacent ones and the last one too", () => {
    const next = { key: ip("11.0.0.0"), keyEnd: ip("11.0.0.0") };
    buildAll();
    netns.nft.commit([newElements({ ...INSIDE, set: SET.name }, intervalElements(SET, next))]);
    const intervals = intervalsOf(listElements(netns.nft, { ...INSIDE, set: SET.name }));
    expect(intervals.map(({ key, keyEnd }) => [key, keyEnd])).toEqual(
      [BLOCK, next, LAST].map(({ key, keyEnd }) => [key, keyEnd]),
    );
  });

  test("delete, one kind after the other, down to nothing", () => {
    const { nft } = netns;
    buildAll();
    const [first] = nft.list(getRules({ ...INSIDE, chain: "in" }));
    nft.commit([deleteRule({ ...INSIDE, chain: "in", handle: first?.handle ?? 0n })]);
    expect(nft.list(getRules({ ...INSIDE, chain: "in" })).length).toBe(1);
    nft.commit([
      flushChain({ ...INSIDE, chain: "in" }),
      deleteSet(SET),
      deleteChain({ ...INSIDE, name: "in" }),
    ]);
    expect(nft.find(getTable(TABLE))?.use).toBe(2);
    nft.commit([deleteTable(TABLE)]);
    expect(netns.list()).toBe("");
  });

  test("destroy what may be absent", () => {
    const { nft } = netns;
    const inNothing = [destroyTable(TABLE)];
    nft.commit(inNothing);
    buildAll();
    const all = [
      destroyElements({ ...INSIDE, set: "ports" }, [element(WEB)]),
      destroySet({ ...PORTS, name: "none" }),
    ];
    nft.commit([...all, destroyChain({ ...INSIDE, name: "none" }), destroyChain({ ...INSIDE, name: "in" })]);
    nft.commit(all);
    expect(listElements(nft, { ...INSIDE, set: "ports" })).toEqual([]);
    nft.commit([destroyTable(TABLE)]);
    expect(netns.list()).toBe("");
  });

  test("removeElements does not mind what is gone", () => {
    const { nft } = netns;
    const ports = { ...INSIDE, set: "ports" };
    removeElements(nft, ports, [element({ key: WEB.key })]);
    buildAll();
    removeElements(nft, ports, [element({ key: WEB.key })]);
    removeElements(nft, ports, [element({ key: WEB.key })]);
    expect(listElements(nft, ports)).toEqual([]);
  });
});

describe("transactions", () => {
  test("a refusal names the request, and nothing took effect", () => {
    const missing = newRule({ ...INSIDE, chain: "none", expressions: [counter()] });
    const commit = () => netns.nft.commit([newTable(TABLE), missing, newChain({ ...INSIDE, name: "in" })]);
    expect(commit).toThrow(/create nftables rule in inet ours none: .*ENOENT/);
    expect(netns.list()).toBe("");
    // The connection is still in step.
    expect(netns.nft.find(getTable(TABLE))).toBeUndefined();
  });

  test("making what is there is EEXIST", () => {
    buildAll();
    const web = newElements({ ...INSIDE, set: "ports" }, [element(WEB)]);
    const overlapping = { key: ip("10.1.0.0"), keyEnd: ip("10.1.255.255") };
    for (const request of [
      newSet(SET),
      newChain({ ...INSIDE, name: "in" }),
      web,
      newElements({ ...INSIDE, set: SET.name }, intervalElements(SET, overlapping)),
    ]) {
      expect(() => netns.nft.commit([request])).toThrow(/EEXIST/);
    }
  });

  test("one that is bound to a generation is refused in another", () => {
    const { nft } = netns;
    const generation = nft.generation();
    netns.apply("table inet other { }");
    expect(nft.generation()).toBe(generation + 1);
    expect(() => nft.commit([newTable(TABLE)], generation)).toThrow(/ERESTART/);
    nft.commit([newTable(TABLE)], generation + 1);
    expect(nft.find(getTable(TABLE))).toBeDefined();
  });

  test("an update begins again when somebody else was faster", () => {
    const { nft } = netns;
    let reads = 0;
    nft.update("make a table", () => {
      reads++;
      if (reads < 3) netns.apply(`table inet other${reads} { }`);
      return [newTable(TABLE)];
    });
    expect(reads).toBe(3);
    expect(netns.list()).toContain("table inet ours");
  });

  test("an update that failed on an outdated reading begins again, any other does not", () => {
    const { nft } = netns;
    let reads = 0;
    const failing = (meanwhile: () => void) => () => {
      reads++;
      if (reads > 1) return [newTable(TABLE)];
      meanwhile();
      throw new Error("inconsistent");
    };
    nft.update(
      "make a table",
      failing(() => netns.apply("table inet other { }")),
    );
    expect(reads).toBe(2);
    reads = 0;
    expect(() =>
      nft.update(
        "make a table",
        failing(() => undefined),
      ),
    ).toThrow("inconsistent");
  });
});
