import { misspelt } from "./misspelt.ts";

const KNOWN = ["subnet", "rangeStart", "gateway", "mtu", "type"];

test.each([
  ["a letter that is wrong", "subnat", "subnet"],
  ["a letter that is wrong at the beginning", "dubnet", "subnet"],
  ["a letter that is wrong at the end", "subneh", "subnet"],
  ["a letter that is missing", "subet", "subnet"],
  ["the last letter missing", "subne", "subnet"],
  ["a letter too many", "subnnet", "subnet"],
  ["a letter too many at the end", "subnets", "subnet"],
  ["two letters swapped", "sunbet", "subnet"],
  ["the last two letters swapped", "subnte", "subnet"],
  ["a dash", "range-start", "rangeStart"],
  ["an underscore", "RANGE_START", "rangeStart"],
  ["a dash, and a letter that is wrong", "range-stert", "rangeStart"],
  ["a dash in a short word", "m-tu", "mtu"],
  ["a letter too many in a word of four", "typee", "type"],
  ["a letter that is wrong in a word of four", "tipe", "type"],
])("%s: %j means %j", (_what, key, meant) => {
  expect(misspelt(key, KNOWN)).toBe(meant);
});

test.each([
  ["a key, in any case", "SubNet"],
  ["two letters that are wrong", "sebnat"],
  ["two letters that are missing", "subt"],
  ["two letters too many", "subnetss"],
  ["a letter missing, and one that is wrong", "sabet"],
  ["two letters swapped, and one that is wrong", "sunbat"],
  ["letters swapped that are no neighbours", "bunset"],
  ["two neighbours that are wrong", "suxyet"],
  ["two neighbours, of which only the first is the other's", "sunxet"],
  ["two neighbours, of which only the second is the other's", "suxbet"],
  ["a word of three letters, of which one is wrong", "mti"],
  ["a word of three letters, of which one is missing", "mt"],
  ["a word of three letters with one too many", "mtus"],
  ["another word", "bridge"],
  ["nothing", ""],
])("%s: %j means nothing else", (_what, key) => {
  expect(misspelt(key, KNOWN)).toBeNull();
});

test("of two keys that are near the first is meant", () => {
  expect(misspelt("ranges", ["ranger", "rangen"])).toBe("ranger");
});
