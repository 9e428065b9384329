import { judge, parseReleaseIntent, type ReleaseIntent, requestForAll, requestOf } from "./release-intent.ts";

const key = { networkName: "net", containerId: "c", ifname: "eth0" };
const at = "2026-01-02T03:04:05.678Z";
const all: ReleaseIntent = { key, at, attempt: "del" };
const given: ReleaseIntent = { key, attempt: "undo", attempts: ["add"], onlyAttempts: true };

test("an intent asks by its name and never by its instant; what older programs wrote has only that", () => {
  expect(requestOf(all)).toEqual({ key, attempt: "del" });
  expect(requestOf(given)).toEqual(given);
  expect(requestOf({ ...given, sequences: [7], wasNew: true })).toEqual({ ...given, sequences: [7] });
  expect(requestOf({ key, at })).toEqual({ key, acquiredBefore: at });
  for (const bare of [{ key }, { key, attempt: "del" }]) expect(requestOf(bare)).toStrictEqual(bare);
});

test.each([
  ["something was released", all, ["10.1.0.2"], ["10.1.0.3"], "done"],
  ["nothing is held", { key, at }, [], [], "done"],
  ["what is held is newer", all, [], ["10.1.0.2"], "done"],
  ["by a clock nothing was meant", { key, at }, [], ["10.1.0.2"], "doubtful"],
  ["the attempt granted nothing", given, [], ["10.1.0.2"], "done"],
  ["all was meant, and its interface was new", { ...all, wasNew: true }, [], ["10.1.0.2"], "done"],
  ["something was released of what was new", { ...given, wasNew: true }, ["10.1.0.2"], ["10.1.0.3"], "done"],
  ["the attempt is unknown, and its interface was new", { ...given, wasNew: true }, [], ["10.1.0.2"], "all"],
] as const)("%s", (...[_, intent, released, kept, outcome]) => {
  expect(judge(intent, { released, kept })).toBe(outcome);
});

test("a service that does not say what is kept keeps nothing", () => {
  expect(judge({ key, at }, { released: [] })).toBe("done");
});

test("the second question is for everything, and still ends the attempts", () => {
  expect(requestForAll({ ...given, wasNew: true })).toEqual({ key, attempts: ["add"] });
  expect(requestForAll({ key, attempt: "undo", onlyAttempts: true, wasNew: true })).toStrictEqual({ key });
});

test("what is no intent is none", () => {
  for (const text of ["", "null", "{}", '{"at":1,"key":{}}', '{"attempt":"x"}', "[]"])
    expect(parseReleaseIntent(text)).toBeNull();
  const nameless = [{ key }, { key, at: 1, attempt: null }, { at, key: { networkName: 1 } }];
  for (const intent of nameless) expect(parseReleaseIntent(JSON.stringify(intent))).toBeNull();
  for (const named of [all, { key, at }, { key, attempt: "del" }])
    expect(parseReleaseIntent(JSON.stringify(named))).toEqual(named);
});
