import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strykerPlugins } from "./stryker-plugin.ts";

const [{ injectableClass: MutationReporter }] = strykerPlugins;
type Reporter = InstanceType<typeof MutationReporter>;

let directory: string;
let printed: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-mutation-"));
  printed = [];
  const print = (text: string) => void printed.push(text);
  jest.spyOn(console, "log").mockImplementation(print);
  jest.spyOn(console, "error").mockImplementation(print);
});
afterEach(() => {
  jest.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(directory, { recursive: true });
});

const reachingTestsFile = (): string => join(directory, "new", "tests.json");
const fileName = (name: string): string => join(process.cwd(), name);
const location = { start: { line: 4, column: 2 }, end: { line: 4, column: 9 } };

function reporter(sample: { count: number; seed: number } | null): Reporter {
  return new MutationReporter({ mutation: { reachingTestsFile: reachingTestsFile(), sample } });
}

/** What is planned for a fault that these tests reach. */
function plan(id: string, testFilter: string[]) {
  const mutant = {
    id,
    fileName: fileName("agent/reconcile/feed.ts"),
    location,
    mutatorName: "Boolean",
    replacement: "",
  };
  return { plan: "Run", netTime: 10, mutant, runOptions: { testFilter, timeout: 1 } };
}

function known(id: string, status: string) {
  return { plan: "EarlyResult", mutant: { ...plan(id, []).mutant, status } };
}

type Plan = ReturnType<typeof plan> | ReturnType<typeof known>;

function ready(one: Reporter, plans: Plan[]): void {
  const event: unknown = { mutantPlans: plans };
  one.onMutationTestingPlanReady(event as Parameters<Reporter["onMutationTestingPlanReady"]>[0]);
}

function tested(one: Reporter, id: string, status: string): void {
  const result: unknown = { ...plan(id, []).mutant, status };
  one.onMutantTested(result as Parameters<Reporter["onMutantTested"]>[0]);
}

function isTried(one: Plan): boolean {
  return one.plan === "Run";
}

test("of a plan as many are left as the sample has, and what no test reaches", () => {
  const one = reporter({ count: 20, seed: 3 });
  const reached = Array.from({ length: 100 }, (_, at) => plan(`${at}`, ["t"]));
  const plans: Plan[] = [...reached, plan("100", [])];
  ready(one, plans);
  expect(plans.filter(isTried)).toHaveLength(21);
  expect(plans.at(-1)).toMatchObject({ plan: "Run" });
  expect(plans.find((each) => !isTried(each))).toMatchObject({ mutant: { status: "Ignored" } });
});

test("without a sample all are tried", () => {
  const plans: Plan[] = [plan("0", ["t"]), plan("1", ["t"])];
  ready(reporter(null), plans);
  expect(plans.every(isTried)).toBe(true);
});

test("a fault's test files are those with a test that reaches it, the quick ones first", () => {
  const one = reporter(null);
  const of = (id: string, file: string, timeSpentMs: number) => ({
    id,
    fileName: fileName(file),
    timeSpentMs,
  });
  const tests = [of("slow", "a.test.ts", 90), of("both", "a.test.ts", 5), of("both", "b.test.ts", 20)];
  const event: unknown = { result: { tests: [...tests, of("other", "c.test.ts", 1)] } };
  one.onDryRunCompleted(event as Parameters<Reporter["onDryRunCompleted"]>[0]);
  ready(one, [plan("7", ["slow", "both"]), plan("8", ["both"])]);
  const written = JSON.parse(readFileSync(reachingTestsFile(), "utf8"));
  expect(written).toEqual({ "7": ["b.test.ts", "a.test.ts"], "8": ["a.test.ts", "b.test.ts"] });
  one.wrapUp();
  expect(() => readFileSync(reachingTestsFile())).toThrow("ENOENT");
});

test("tells each fault that was not found, and the score", () => {
  const one = reporter({ count: 3, seed: 1 });
  ready(one, [plan("0", ["t"]), plan("1", ["t"]), plan("2", ["t"]), plan("3", [])]);
  for (const [id, status] of [
    ["0", "Killed"],
    ["1", "Survived"],
    ["2", "Timeout"],
    ["3", "NoCoverage"],
  ] as const) {
    tested(one, id, status);
  }
  expect(printed).toEqual(["Not found: agent/reconcile/feed.ts:4:2 Boolean: "]);
  one.wrapUp();
  expect(printed.join("\n")).toMatch(
    /reach: 3; out of their reach: 1\.[\s\S]*Tried: 3[\s\S]*agent +2 of 3 +66\.7 %/,
  );
});

test("what an earlier run tried is known: of the sample it counts, of other folders, or left out, it does not", () => {
  const one = reporter({ count: 2, seed: 1 });
  const plans = [
    known("0", "Killed"),
    known("1", "Survived"),
    known("2", "Survived"),
    known("a.ts:1", "Killed"),
  ];
  ready(one, plans);
  for (const { mutant } of plans) tested(one, mutant.id, mutant.status);
  one.wrapUp();
  expect(printed.join("\n")).toMatch(/reach: 3;[\s\S]*Tried: 2/);
  expect(process.exitCode).toBeUndefined();
});

test("fails when a fault is tried that was left out", () => {
  const one = reporter({ count: 1, seed: 1 });
  const plans: Plan[] = [plan("0", ["t"]), plan("1", ["t"])];
  ready(one, plans);
  for (const { mutant } of plans) tested(one, mutant.id, "Killed");
  expect(process.exitCode).toBe(1);
  expect(printed).toEqual([expect.stringContaining("not in the sample")]);
});
