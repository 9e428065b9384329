import { Attempts } from "./attempts.ts";

test("every step is tried, and every failure told", () => {
  const attempts = new Attempts();
  const log: string[] = [];
  const fail = (text: string) => () => {
    throw new Error(text);
  };
  attempts.run(() => log.push("first"));
  expect(attempts.failed).toBe(false);
  attempts.run(fail("boom"));
  attempts.run(fail("bang"));
  attempts.run(() => log.push("last"));
  expect(log).toEqual(["first", "last"]);
  expect(attempts.failed).toBe(true);
  expect(() => attempts.throwIfFailed("clean", "x")).toThrow(/boom.*bang/);
});

test("nothing is thrown when nothing failed", () => {
  const attempts = new Attempts();
  attempts.run(() => undefined);
  attempts.throwIfFailed("clean", "x");
});
