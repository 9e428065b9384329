import { BackOff } from "./back-off.ts";

test("waits twice as long after every failure, up to the limit, each object by itself", () => {
  const backOff = new BackOff({ firstMs: 100, mostMs: 350 });
  const dueAfter = (object: string): number => {
    let at = 0;
    while (!backOff.isDue(object, at)) at += 50;
    return at;
  };
  expect(dueAfter("a")).toBe(0);
  const waits = [1, 2, 3].map(() => {
    backOff.failed("a", 0);
    return dueAfter("a");
  });
  expect(waits).toEqual([100, 200, 350]);
  expect(dueAfter("b")).toBe(0);
  backOff.succeeded("a");
  backOff.failed("a", 0);
  expect(dueAfter("a")).toBe(100);
  backOff.keepOnly(new Set());
  expect(dueAfter("a")).toBe(0);
});
