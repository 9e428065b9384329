import fc from "fast-check";
import { AddressMap } from "./address-map.ts";
import { ChunkedMap } from "./chunked-map.ts";

/** What both kinds of map here have in common with Map. */
type Like<K> = Pick<Map<K, number>, "get" | "delete" | "values" | "size"> & {
  set(key: K, value: number): void;
};

type Step = { readonly key: number; readonly value: number | null };

/** Few keys, so that they come again; null deletes. Long enough for tables to grow and chunks to fill. */
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ key: fc.nat(700), value: fc.option(fc.nat(), { freq: 2 }) }),
  { maxLength: 3_000, size: "max" },
);

/** Does the same to `map` and to a Map, and compares them at every step and at the end. */
function compare<K>(map: Like<K>, keyOf: (number: number) => K, script: readonly Step[]): void {
  const model = new Map<K, number>();
  for (const { key: number, value } of script) {
    const key = keyOf(number);
    if (value === null) expect(map.delete(key)).toBe(model.delete(key));
    else {
      map.set(key, value);
      model.set(key, value);
    }
    if (map.get(key) !== model.get(key) || map.size !== model.size) throw new Error(`differs at ${number}`);
  }
  for (let number = 0; number <= 700; number += 1)
    expect(map.get(keyOf(number))).toBe(model.get(keyOf(number)));
  const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
  expect(sorted(map.values())).toEqual(sorted(model.values()));
}

const ID = "0123456789abcdef".repeat(4);

test.each<[string, (number: number) => string]>([
  ["container IDs", (number) => `${number.toString(16)}${ID}`.slice(0, 64)],
  ["names that differ at their end", (number) => `container-${number}/eth0`],
  // FNV-1a of these begins alike in its low bits, so that they meet in small tables.
  ["keys that meet", (number) => String.fromCharCode(number * 64)],
  ["the empty key among others", (number) => "x".repeat(number)],
])("a chunked map is a map: %s", (_, keyOf) => {
  fc.assert(
    fc.property(steps, (script) => compare(new ChunkedMap<number>(), keyOf, script)),
    { numRuns: 30 },
  );
});

test("a chunked map of a hundred thousand entries, all of them deleted and made again", () => {
  const map = new ChunkedMap<number>();
  const range = Array.from({ length: 100_000 }, (_, number) => number);
  for (let round = 0; round < 2; round += 1) {
    for (const number of range) map.set(`id-${number}`, number);
    expect([map.size, range.every((number) => map.get(`id-${number}`) === number)]).toEqual([100_000, true]);
    for (const number of range) map.delete(`id-${number}`);
    expect([map.size, [...map.values()]]).toEqual([0, []]);
  }
});

test.each<[string, (number: number) => bigint]>([
  ["neighbours", (number) => 0x0a00_0000n + BigInt(number)],
  ["far apart", (number) => BigInt(number) << 70n],
])("a map of addresses is a map: %s", (_, keyOf) => {
  fc.assert(
    fc.property(steps, (script) => {
      const map = new AddressMap<number>();
      compare(map, keyOf, script);
      for (let number = 0; number <= 700; number += 1) {
        expect(map.has(keyOf(number))).toBe(map.get(keyOf(number)) !== undefined);
      }
    }),
    { numRuns: 30 },
  );
});
