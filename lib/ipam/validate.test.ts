import { refusalOf } from "../../test/support/failures.ts";
import {
  checkAttempt,
  checkInteger,
  checkKey,
  checkName,
  checkNames,
  checkText,
  formatInstant,
  parseInstant,
  quote,
} from "./validate.ts";

const x = (length: number): string => "x".repeat(length);
const key = (over: object) => ({ networkName: "web", containerId: "c1", ifname: "eth0", ...over });
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `n${at}`);
const integer = (value: number) => checkInteger("test", "f", { value, least: 1, most: 5 });

test.each<[string, () => unknown, string, string]>([
  [
    "a name that is too long",
    () => checkName("test", "f", x(254)),
    "f",
    "it has 254 characters, at most 253",
  ],
  ["an empty name", () => checkName("test", "f", ""), "f", '"" is not a name'],
  ["a name with a slash", () => checkName("test", "f", "a/b"), "f", '"a/b" is not a name'],
  [
    "a network that is no name",
    () => checkKey("test", key({ networkName: "-" })),
    "networkName",
    "not a name",
  ],
  [
    "a container that is no name",
    () => checkKey("test", key({ containerId: "" })),
    "containerId",
    "not a name",
  ],
  ["an ifname with a slash", () => checkKey("test", key({ ifname: "a/b" })), "ifname", '"a/b": '],
  ["a text that is too long", () => checkText("test", "f", x(1_025)), "f", "it has 1025 characters"],
  ["an empty attempt", () => checkAttempt("test", "f", ""), "f", '"" is not 1 to 64 letters'],
  ["an attempt that is too long", () => checkAttempt("test", "f", x(65)), "f", "is not 1 to 64 letters"],
  ["too many names", () => checkNames("test", names(65)), "names", "there are 65, at most 64"],
  ["an empty name among others", () => checkNames("test", ["a", ""]), "names", '"" does not have 1 to 253'],
  ["a longer name than DNS has", () => checkNames("test", [x(254)]), "names", "does not have 1 to 253"],
  ["what a terminal obeys", () => checkNames("test", ["a", "\u001b[2J"]), "names", "a control character"],
  ["a number that is too small", () => integer(0), "f", "0 is not a whole number from 1 to 5"],
  ["a number that is too large", () => integer(6), "f", "6 is not a whole number from 1 to 5"],
  ["half a number", () => integer(1.5), "f", "1.5 is not a whole number"],
  ["no instant", () => parseInstant("test", "f", "yesterday"), "f", '"yesterday" is no instant'],
  ["a day that is none", () => parseInstant("test", "f", "2026-02-40T00:00:00Z"), "f", "is no instant"],
])("%s is refused with its place and a reason", (...[_name, check, field, reason]) => {
  expect(refusalOf(check)).toMatchObject({
    ...{ code: "invalid-config", operation: "test", object: field, details: { field } },
    reason: expect.stringContaining(reason),
  });
});

test("what is refused for how it is written is told how to write it", () => {
  expect(refusalOf(() => checkName("test", "f", "ä")).hint).toContain("use letters, digits");
  expect(refusalOf(() => parseInstant("test", "f", "x")).hint).toBe("write it like 2026-01-31T12:00:00Z");
});

test("the longest and the least that is allowed is taken as it is", () => {
  expect(checkName("test", "f", x(253))).toBe(x(253));
  expect(checkText("test", "f", x(1_024))).toBe(x(1_024));
  expect(checkText("test", "f", undefined)).toBe("");
  for (const attempt of [undefined, "a", x(64)])
    expect(() => checkAttempt("test", "f", attempt)).not.toThrow();
  expect(checkNames("test", names(64))).toEqual(names(64));
  expect(checkNames("test", [x(253)])).toEqual([x(253)]);
  expect([integer(1), integer(5)]).toEqual([1, 5]);
  expect(checkKey("test", key({}))).toEqual(key({}));
});

test("names are taken once each, in their order", () => {
  expect(checkNames("test", ["b", "a", "b"])).toEqual(["b", "a"]);
  expect(checkNames("test", ["a", "a"])).toEqual(["a"]);
});

test("text of others is shown up to 80 characters", () => {
  expect([quote(x(80)), quote(x(81)), quote('"')]).toEqual([`"${x(80)}"`, `"${x(80)}…"`, '"\\""']);
});

test("an instant is read in every zone, to the millisecond", () => {
  const texts = ["1970-01-01T01:00:00.0019+01:00", "1970-01-01t00:00:00.001z"];
  expect(texts.map((text) => parseInstant("test", "f", text))).toEqual([1, 1]);
  expect(formatInstant(1)).toBe("1970-01-01T00:00:00.001Z");
});
