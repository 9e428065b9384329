import { between, randomOf } from "../../test/support/random.ts";
import { AddressMap } from "./address-map.ts";
import { ChunkedMap } from "./chunked-map.ts";

/** What both kinds of map here have in common with Map. */
type Like<K> = Pick<Map<K, number>, "get" | "delete" | "values" | "size"> & {
  set(key: K, value: number): void;
};

type Step = { readonly key: number; readonly value: number | null };

const MOST_KEYS = 700;

const SCRIPTS = 15;

/**
 * Few keys, so that they come again; null deletes. Long enough for tables to grow and chunks to fill. Made from a seed: an
 * arbitrary of as many steps takes longer than all else here.
 */
function scriptOf(seed: number): Step[] {
  const random = randomOf(seed);
  return Array.from({ length: between(random, 0, 3_000) }, () => ({
    key: between(random, 0, MOST_KEYS),
    value: random() < 1 / 3 ? null : between(random, 0, 1_000_000),
  }));
}

const seeds = Array.from({ length: SCRIPTS }, (_, at) => at);

/** Does the same to `map` and to a Map, and compares them at every step and at the end. */
function compare<K>(map: Like<K>, keyOf: (number: number) => K, script: readonly Step[]): void {
  const model = new Map<K, number>();
  for (const { key: number, value } of script) {
    const key = keyOf(number);
    // Plain comparisons: an `expect` for each of a hundred thousand steps costs half a minute.
    if (value !== null) {
      map.set(key, value);
      model.set(key, value);
    } else if (map.delete(key) !== model.delete(key)) throw new Error(`deletes otherwise at ${number}`);
    if (map.get(key) !== model.get(key) || map.size !== model.size) throw new Error(`differs at ${number}`);
  }
  const numbers = Array.from({ length: MOST_KEYS + 1 }, (_, number) => number);
  expect(numbers.filter((number) => map.get(keyOf(number)) !== model.get(keyOf(number)))).toEqual([]);
  const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
  expect(sorted(map.values())).toEqual(sorted(model.values()));
}

const ID = "0123456789abcdef".repeat(4);

test.each<[string, (number: number) => string]>([
  ["container IDs", (number) => `${number.toString(16)}${ID}`.slice(0, 64)],
  ["names that differ at their end", (number) => `container-${number}/eth0`],
  // FNV-1a of these begins alike in its low bits, so that they meet in small tables.
  ["keys that meet", (number) => String.fromCharCode(number * 64)],
  ["the empty key among others", (number) => (number === 0 ? "" : `x${number}`)],
])("a chunked map is a map: %s", (_, keyOf) => {
  for (const seed of seeds) compare(new ChunkedMap<number>(), keyOf, scriptOf(seed));
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
  for (const seed of seeds) {
    const map = new AddressMap<number>();
    compare(map, keyOf, scriptOf(seed));
    const keys = Array.from({ length: MOST_KEYS + 1 }, (_, number) => keyOf(number));
    expect(keys.filter((key) => map.has(key) !== (map.get(key) !== undefined))).toEqual([]);
  }
});
