import { leaseRecord, networkRecord } from "../../test/support/ipam/store-records.ts";
import { SlotIndex } from "./slot-index.ts";

const NETWORK = networkRecord("web", 1);
const slotOf = (address: string) => ({
  ...{ record: leaseRecord(NETWORK, address, {}), pool: null, bucket: null, heapIndex: -1 },
});
const [ONE, TWO, THREE] = [slotOf("10.1.0.32"), slotOf("10.1.0.33"), slotOf("10.1.0.34")];

let index: SlotIndex;
beforeEach(() => {
  index = new SlotIndex();
});

test("a text has the slots that were put in under it, and not those that were taken out", () => {
  expect([...index.get("db")]).toEqual([]);
  for (const slot of [ONE, TWO, THREE]) index.add("db", slot);
  index.add("web", ONE);
  expect(new Set(index.get("db"))).toEqual(new Set([ONE, TWO, THREE]));
  index.remove("db", TWO);
  expect(new Set(index.get("db"))).toEqual(new Set([ONE, THREE]));
  for (const slot of [ONE, THREE]) index.remove("db", slot);
  expect([[...index.get("db")], [...index.get("web")]]).toEqual([[], [ONE]]);
});

test("taking out what is not there takes out nothing else", () => {
  index.add("db", ONE);
  index.remove("db", TWO);
  index.remove("web", ONE);
  expect([...index.get("db")]).toEqual([ONE]);
  index.remove("db", ONE);
  expect([...index.get("db")]).toEqual([]);
});

test("an empty text names nothing", () => {
  index.add("", ONE);
  expect([...index.get("")]).toEqual([]);
});
