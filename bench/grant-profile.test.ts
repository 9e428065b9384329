import { bucketsOf, profileFigures, quantile } from "./grant-profile.ts";

/** As the service prints a histogram: each bucket holds those below it, too. */
function text(metric: string, counts: readonly number[]): string {
  let sum = 0;
  const bounds = ["0.001", "0.002", "0.01", "+Inf"];
  const lines = bounds.map((bound, at) => {
    sum += counts[at] ?? 0;
    return `${metric}_bucket{le="${bound}"} ${sum}`;
  });
  return [`# TYPE ${metric} histogram`, ...lines, `${metric}_sum 1`, `${metric}_count ${sum}`].join("\n");
}

test("buckets are read without those below them", () => {
  const page = [text("other", [9, 9, 9, 9]), text("wait", [1, 2, 0, 4])].join("\n");
  expect([...bucketsOf(page, "wait")]).toEqual([
    [0.001, 1],
    [0.002, 2],
    [0.01, 0],
    [Number.POSITIVE_INFINITY, 4],
  ]);
});

test("a metric that is not there is told of", () => {
  expect(() => bucketsOf(text("wait", [1]), "stage")).toThrow("no metric stage");
});

test.each([
  [[4, 0, 0, 0], 0.5, 0.0005],
  [[2, 2, 0, 0], 0.5, 0.001],
  [[1, 1, 2, 0], 0.75, 0.006],
  [[0, 0, 0, 3], 0.99, 0.01],
])("of the counts %j the quantile %f is %f", (counts, share, expected) => {
  expect(quantile(bucketsOf(text("m", counts), "m"), share)).toBeCloseTo(expected, 9);
});

test("nothing counted has no quantile", () => {
  expect(quantile(bucketsOf(text("m", []), "m"), 0.5)).toBeNaN();
});

test("only what happened between two readings counts, in milliseconds", () => {
  const metrics = [
    "fairlead_group_wait_seconds",
    "fairlead_group_stage_seconds",
    "fairlead_group_commit_seconds",
    "fairlead_group_requests",
  ];
  const read = (counts: readonly number[]) =>
    new Map(metrics.map((metric) => [metric, bucketsOf(text(metric, counts), metric)]));
  const [wait] = profileFigures("load", read([100, 0, 0, 0]), read([100, 0, 2, 0]));
  expect(wait).toMatchObject({ name: "load: waiting for its group", unit: "ms", ours: { count: 2 } });
  expect(wait?.ours?.p50).toBeCloseTo(6, 9);
});
