import fc from "fast-check";
import { type HeapItem, IndexedHeap } from "./indexed-heap.ts";

interface Item extends HeapItem {
  readonly rank: number;
}

const item = (rank: number): Item => ({ rank, heapIndex: -1 });
const newHeap = () => new IndexedHeap<Item>((a, b) => a.rank < b.rank);

test("pops in order, whatever was taken out of its middle before", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean())), (plan) => {
      const heap = newHeap();
      const items = plan.map(([rank]) => item(rank));
      for (const each of items) heap.push(each);
      const removed = items.filter((_, at) => plan[at]?.[1] === true);
      for (const each of removed) heap.remove(each);
      expect(removed.every(({ heapIndex }) => heapIndex === -1)).toBe(true);
      const kept = items.filter((each) => !removed.includes(each)).map(({ rank }) => rank);
      expect(heap.size).toBe(kept.length);
      const popped: number[] = [];
      for (let next = heap.pop(); next !== undefined; next = heap.pop()) popped.push(next.rank);
      expect(popped).toEqual(kept.sort((a, b) => a - b));
    }),
  );
});

test("pushes and pops interleave", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20))), (steps) => {
      const heap = newHeap();
      let model: number[] = [];
      for (const step of steps) {
        if (step === null) {
          const expected = model.length === 0 ? undefined : Math.min(...model);
          expect(heap.peek()?.rank).toBe(expected);
          expect(heap.pop()?.rank).toBe(expected);
          const at = expected === undefined ? -1 : model.indexOf(expected);
          model = model.filter((_, index) => index !== at);
        } else {
          heap.push(item(step));
          model.push(step);
        }
      }
      expect(heap.size).toBe(model.length);
    }),
  );
});
