import fc from "fast-check";
import { u32be } from "../attribute.ts";
import { IFNAME, IPV4_ADDR } from "./datatype.ts";
import { NFT_SET_ELEM_INTERVAL_END } from "./element.ts";
import { verdict } from "./expr/data.ts";
import { intervalElements, intervalsOf } from "./interval.ts";

const LONE = { key: [IPV4_ADDR] };
const CONCATENATED = { key: [IFNAME, IPV4_ADDR] };
const key = (value: number) => u32be.encode(value);

describe("intervals", () => {
  test("of one field are two elements, of several fields one", () => {
    const interval = { key: key(0x0a000000), keyEnd: key(0x0affffff), verdict: verdict.accept };
    const [start, end, ...more] = intervalElements(LONE, interval);
    expect(start).toEqual({ key: { value: key(0x0a000000) }, data: { verdict: verdict.accept } });
    expect(end).toEqual({ key: { value: key(0x0b000000) }, flags: NFT_SET_ELEM_INTERVAL_END });
    expect(more).toEqual([]);
    expect(intervalElements(CONCATENATED, interval)).toEqual([
      {
        key: { value: interval.key },
        keyEnd: { value: interval.keyEnd },
        data: { verdict: verdict.accept },
      },
    ]);
  });

  test("up to the last key have no end", () => {
    const last = { key: key(0xffffff00), keyEnd: key(0xffffffff) };
    expect(intervalElements(LONE, last).length).toBe(1);
    expect(intervalsOf(intervalElements(LONE, last))).toMatchObject([last]);
  });

  test("are found again, in any order of the elements", () => {
    const bounds = fc.uniqueArray(fc.nat({ max: 0xffffffff }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(bounds, fc.boolean(), fc.infiniteStream(fc.nat()), (numbers, adjacent, order) => {
        const sorted = [...numbers].sort((a, b) => a - b);
        const spans = sorted.slice(1).map((next, at) => ({ from: sorted[at] ?? 0, to: next - 1 }));
        const kept = spans.filter((_, at) => adjacent || at % 2 === 0);
        const intervals = kept.map(({ from, to }) => ({ key: key(from), keyEnd: key(to) }));
        const elements = intervals.flatMap((interval) => intervalElements(LONE, interval));
        const shuffled = elements
          .map((element) => ({ element, rank: order.next().value ?? 0 }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ element }) => element);
        expect(intervalsOf(shuffled).map(({ key, keyEnd }) => ({ key, keyEnd }))).toEqual(intervals);
      }),
    );
  });
});
