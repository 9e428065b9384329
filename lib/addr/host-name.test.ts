import { isFullContainerId, isHostLabel, isHostName, recordedNameProblem } from "./host-name.ts";

test.each(["a", "web", "web_1", "Web-2", "_sip", "0", "a".repeat(63)])("%s is a label", (text) => {
  expect(isHostLabel(text)).toBe(true);
});

test.each(["", "-a", "a-", "a.b", "a b", "ä", "a\n", "a".repeat(64)])("%j is no label", (text) => {
  expect(isHostLabel(text)).toBe(false);
});

test("a name is labels between single dots, up to 253 bytes", () => {
  expect(isHostName("a.b_c.d")).toBe(true);
  expect(isHostName(`${"a.".repeat(126)}a`)).toBe(true);
  expect(isHostName(`${"a.".repeat(127)}a`)).toBe(false);
  expect(["", ".", "a.", ".a", "a..b"].filter(isHostName)).toEqual([]);
});

test("recorded is everything but the empty, the too long and control characters", () => {
  expect(recordedNameProblem("no DNS name, but harmless")).toBeNull();
  expect(recordedNameProblem("")).toMatch(/empty/);
  expect(recordedNameProblem("a\u0007b")).toMatch(/control character/);
  expect(recordedNameProblem("a\u007f")).toMatch(/control character/);
  expect(recordedNameProblem("ä".repeat(126))).toBeNull();
  expect(recordedNameProblem("ä".repeat(127))).toMatch(/254 bytes/);
});

test("a full container ID is 64 lower-case hexadecimal digits", () => {
  expect(isFullContainerId("0123456789abcdef".repeat(4))).toBe(true);
  expect(isFullContainerId("0123456789abcdef".repeat(4).slice(1))).toBe(false);
  expect(isFullContainerId("default-web")).toBe(false);
});
