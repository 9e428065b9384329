import { drawLinkGroup, removeLinks } from "../../lib/host/link-group.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

/** More than any machine has made. */
const GONE = 1_000_000_000;
const GROUP = 4711;

describe("links that are deleted together", () => {
  let side: NetnsSide;

  beforeEach(() => {
    side = new NetnsSide("fl-group");
  });
  afterEach(() => side.close());

  /** Returns its ifindex. Its peer is called the same with a p. */
  const pair = (ifname: string, ...words: string[]): number => {
    side.shown.ip("link", "add", ifname, ...words, "type", "veth", "peer", "name", `${ifname}p`);
    return ifindexOf(ifname);
  };
  const ifindexOf = (ifname: string) => side.link(ifname)?.ifindex ?? 0;
  const names = () => side.shown.show<{ ifname: string }>("link").map(({ ifname }) => ifname);
  const remove = (...ifindexes: number[]) => removeLinks(side.connection, ifindexes, GROUP);

  test("go by one request, and others stay, whatever group they are in", () => {
    pair("a0");
    pair("a7", "group", "7");
    const ifindexes = Array.from({ length: 40 }, (_, index) => pair(`v${index}`));
    expect(side.sendsOf(() => remove(...ifindexes))).toBe(2);
    expect(names()).toEqual(["lo", "a0p", "a0", "a7p", "a7"]);
  });

  test("may be gone already, be named twice, and be both ends of a pair", () => {
    const [one, two] = [pair("v0"), pair("v1")];
    expect(side.sendsOf(() => remove(GONE, one, ifindexOf("v0p"), two, two))).toBe(2);
    expect(names()).toEqual(["lo"]);
    remove(one, two);
    remove(GONE);
  });

  test("are put into no group when there is but one", () => {
    const one = pair("v0");
    expect(side.sendsOf(() => remove(one))).toBe(1);
    expect(names()).toEqual(["lo"]);
  });

  test("go one by one when one of them cannot; it is in nobody's way afterwards", () => {
    const [lo, one, two] = [ifindexOf("lo"), pair("v0"), pair("v1")];
    expect(() => remove(one, lo, two)).toThrow(`delete link ifindex ${lo}: Operation not supported`);
    expect(names()).toEqual(["lo"]);
    const [three, four] = [pair("v2"), pair("v3")];
    expect(side.sendsOf(() => remove(three, four))).toBe(2);
    expect(names()).toEqual(["lo"]);
  });
});

test("a group is a positive number of 31 bits", () => {
  expect([0, 0.5, 1 - Number.EPSILON].map((value) => drawLinkGroup(() => value))).toEqual([
    1,
    2 ** 30,
    2 ** 31 - 1,
  ]);
});
