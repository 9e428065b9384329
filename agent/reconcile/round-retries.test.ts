/** What a round could not bring in order: it rests, each object by itself, and the round is asked for it again. */
import { silentLogger } from "../../lib/log.ts";
import { Problems, problemOf } from "./problems.ts";
import { RoundRetries } from "./round-retries.ts";

let asked: string[];
let problems: Problems;
let retries: RoundRetries;

beforeEach(() => {
  jest.useFakeTimers();
  asked = [];
  problems = new Problems(silentLogger);
  retries = new RoundRetries({
    limits: { firstMs: 100, mostMs: 350 },
    askAgain: (key) => void asked.push(key),
    problems,
    problemOf: (thrown, key) => problemOf(key, thrown as Error),
  });
});
afterEach(async () => {
  await retries.close();
  jest.useRealTimers();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const told = () => problems.list().map(({ object }) => object);

test("each rests longer every time, and is a problem until it is in order", async () => {
  retries.failed("a", new Error("first"));
  expect([retries.isResting("a"), retries.isResting("b"), told()]).toEqual([true, false, ["a"]]);
  await pass(99);
  expect(asked).toEqual([]);
  await pass(1);
  expect([asked, retries.isResting("a"), told()]).toEqual([["a"], false, ["a"]]);
  retries.failed("a", new Error("second"));
  retries.failed("b", new Error("first"));
  await pass(199);
  expect(asked).toEqual(["a", "b"]);
  await pass(1);
  expect(asked).toEqual(["a", "b", "a"]);
  retries.forget("a");
  expect(told()).toEqual(["b"]);
  retries.failed("a", new Error("anew"));
  await pass(100);
  expect(asked).toEqual(["a", "b", "a", "a"]);
});

test("what is not there any more is not asked for, nor is anything after the end", async () => {
  for (const key of ["a", "b"]) retries.failed(key, new Error("no"));
  retries.keepOnly(new Set(["b"]));
  expect(retries.isResting("a")).toBe(false);
  await retries.close();
  await pass(1000);
  expect(asked).toEqual([]);
});
