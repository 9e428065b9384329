/**
 * What a mutation run of ours has beside Stryker's own: it may try a random sample of the faults, and it runs for each
 * fault the test files that reach it, instead of all that import the file.
 *
 * Both hang on the plan, which Stryker makes after the dry run and tells its reporters before it follows it: a plan
 * that is replaced in the event is not followed. {@link MutationReporter.wrapUp} notices if that should ever change.
 *
 * Source: @stryker-mutator/core 9.6, src/process/4-mutation-test-executor.ts, src/mutants/mutant-test-planner.ts.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import type { MutantResult, MutantRunPlan, MutantTestPlan } from "@stryker-mutator/api/core";
import type {
  DryRunCompletedEvent,
  MutationTestingPlanReadyEvent,
  Reporter,
} from "@stryker-mutator/api/report";
import { choose, formatTallies, type SampleSize, type TriedFault, tallyByFolder } from "./sample.ts";

/** Our part of stryker.config.mjs. */
interface MutationOptions {
  readonly mutation: {
    /** Where {@link ./runner.cjs} looks for the test files of a fault. */
    readonly reachingTestsFile: string;
    /** Null: all faults. */
    readonly sample: SampleSize | null;
  };
}

/** A fault of one of these fates was tried; the others could not be run, or were left out. */
const FATES = new Map<string, boolean>([
  ["Killed", true],
  ["Timeout", true],
  ["Survived", false],
]);

/**
 * What a fault may take beside the time of its tests, in ms: the test files are loaded, on a machine that does other
 * things as well. Stryker would take what the dry run needed to load all of them.
 */
const LOADING_MS = 60_000;

class MutationReporter implements Reporter {
  static readonly inject = ["options"] as const;
  readonly #options: MutationOptions["mutation"];
  /** By the name of a test, the files with such a test and how long it took there, in ms. */
  readonly #timesOf = new Map<string, [file: string, ms: number][]>();
  readonly #sampled = new Set<string>();
  /** Tried by an earlier run, and not in the sample. */
  readonly #known = new Set<string>();
  readonly #tried: TriedFault[] = [];
  #reached = 0;
  #unreached = 0;

  constructor({ mutation }: MutationOptions) {
    this.#options = mutation;
  }

  onDryRunCompleted({ result }: DryRunCompletedEvent): void {
    for (const { id, fileName, timeSpentMs } of result.tests) {
      const times = this.#timesOf.get(id) ?? [];
      if (fileName !== undefined) times.push([relative(process.cwd(), fileName), timeSpentMs]);
      this.#timesOf.set(id, times);
    }
  }

  onMutationTestingPlanReady({ mutantPlans }: MutationTestingPlanReadyEvent): void {
    const plans = mutantPlans as MutantTestPlan[];
    const reached = plans.filter(isReached);
    this.#reached = reached.length;
    this.#unreached = plans.filter((plan) => plan.plan === "Run" && !isReached(plan)).length;
    const chosen = this.#options.sample === null ? reached : choose(reached, this.#options.sample);
    for (const { mutant } of chosen) this.#sampled.add(mutant.id);
    plans.forEach((plan, at) => {
      if (this.#sampled.has(plan.mutant.id)) return;
      if (!isRun(plan)) this.#known.add(plan.mutant.id);
      else if (isReached(plan)) plans[at] = leftOut(plan);
    });
    this.#writeReachingTests(plans.filter(isRun));
  }

  onMutantTested(result: Readonly<MutantResult>): void {
    const { id, fileName, status } = result;
    const found = FATES.get(status);
    if (found === undefined || this.#known.has(id)) return;
    if (!this.#sampled.has(id)) this.#fail(`fault ${id} was tried, and is not in the sample`);
    if (!found) console.log(`Not found: ${describe(result)}`);
    this.#tried.push({ file: relative(process.cwd(), fileName), found });
  }

  wrapUp(): void {
    rmSync(this.#options.reachingTestsFile, { force: true });
    const { sample } = this.#options;
    console.log(
      `\nFaults that unit and contract tests reach: ${this.#reached}; out of their reach: ${this.#unreached}.`,
    );
    if (sample !== null) console.log(`Tried: ${this.#tried.length}, chosen by seed ${sample.seed}.`);
    console.log("Found, and the interval that holds the score of all in 95 of 100 samples:");
    console.log(formatTallies(tallyByFolder(this.#tried)));
  }

  #writeReachingTests(plans: readonly MutantRunPlan[]): void {
    const files = plans.map(({ mutant, runOptions }) => [
      mutant.id,
      this.#filesReaching(runOptions.testFilter ?? []),
    ]);
    mkdirSync(dirname(this.#options.reachingTestsFile), { recursive: true });
    writeFileSync(this.#options.reachingTestsFile, JSON.stringify(Object.fromEntries(files)));
    for (const { runOptions, netTime } of plans) runOptions.timeout = 4 * netTime + LOADING_MS;
  }

  /** The quick ones first: most faults are found by the first of them. */
  #filesReaching(tests: readonly string[]): string[] {
    const total = new Map<string, number>();
    for (const [file, ms] of tests.flatMap((test) => this.#timesOf.get(test) ?? [])) {
      total.set(file, (total.get(file) ?? 0) + ms);
    }
    return [...total].sort(([, a], [, b]) => a - b).map(([file]) => file);
  }

  #fail(reason: string): void {
    console.error(`mutate: ${reason}: this Stryker does not follow the plan that it tells its reporters`);
    process.exitCode = 1;
  }
}

/** Told as soon as it is known: whoever mends need not wait for the end. */
function describe({ fileName, location, replacement = "", mutatorName }: Readonly<MutantResult>): string {
  const { line, column } = location.start;
  return `${relative(process.cwd(), fileName)}:${line}:${column} ${mutatorName}: ${replacement.replace(/\s+/g, " ")}`;
}

function isRun(plan: MutantTestPlan): plan is MutantRunPlan {
  return plan.plan === "Run";
}

/**
 * Whether some test runs through the fault, or, of one that an earlier run tried, did. What an earlier run tried
 * elsewhere is in the plan as well, under a name instead of a number.
 */
function isReached(plan: MutantTestPlan): boolean {
  if (!/^\d+$/.test(plan.mutant.id)) return false;
  return isRun(plan) ? plan.runOptions.testFilter?.length !== 0 : FATES.has(plan.mutant.status);
}

function leftOut({ mutant }: MutantRunPlan): MutantTestPlan {
  return {
    plan: "EarlyResult" as never,
    mutant: { ...mutant, status: "Ignored", statusReason: "Not in the sample" },
  };
}

export const strykerPlugins = [
  { kind: "Reporter", name: "mutation", injectableClass: MutationReporter },
] as const;

/** Stryker warns of options that no plugin says it knows. */
export const strykerValidationSchema = { properties: { mutation: { type: "object" } } };
