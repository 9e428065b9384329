/**
 * Plays random histories of attachments on a node of its own and says which of them break an invariant, with the shortest
 * history that still does.
 *
 *     ./build.sh model [--histories N] [--seconds N] [--seed S] [--jobs J] [--without KIND,…] [--history JSON]
 *
 * History n of a run has the seed S + n, so that `--seed (S + n) --histories 1` plays it again. `--history` plays the one given.
 * `--seconds` begins none after so long, but plays some in any case.
 * `--without reboot,restore` leaves out steps of these kinds: to look for what else is wrong while one thing is known to be.
 * Exit status 1 when something broke.
 */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { generateHistory } from "./generator.ts";
import { formatHistory, type History } from "./history.ts";
import { play, type Verdict } from "./player.ts";
import { shrink } from "./shrink.ts";
import { tidy } from "./tidy.ts";
import { World } from "./world.ts";

const INSIDE = "FAIRLEAD_MODEL_INSIDE";
const MOST_FAILURES = 20;
/** A history that needs luck to fail is played so often before it counts as one that does not. */
const PLAYS_TO_BELIEVE = 2;
/** While a history is being shortened: what has not come right by then is taken to stay wrong. */
const IMPATIENT_MS = 7_000;
const TELL_EVERY = 50;
/** A node plays so many, however long they take. */
const LEAST = 25;
/** The world grows with every history: events, networks of edited conflists. */
const RENEW_AFTER = 200;

interface Settings {
  readonly histories: number;
  /** Null: for as long as they take. */
  readonly seconds: number | null;
  readonly seed: number;
  readonly jobs: number;
  readonly history: History | null;
  readonly without: readonly string[];
}

interface Failure {
  readonly seed: number;
  readonly history: History;
  readonly verdict: Verdict;
}

function readSettings(): Settings {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { histories: text, seconds: text, seed: text, jobs: text, history: text, without: text },
  });
  return {
    histories: wholeNumber("histories", values.histories ?? process.env["FAIRLEAD_HISTORIES"] ?? "1000"),
    seconds: values.seconds === undefined ? null : wholeNumber("seconds", values.seconds),
    seed: wholeNumber(
      "seed",
      values.seed ?? process.env["FAIRLEAD_SEED"] ?? String(Date.now() % 1_000_000_000),
    ),
    jobs: wholeNumber("jobs", values.jobs ?? "4"),
    history: values.history === undefined ? null : (JSON.parse(values.history) as History),
    without: (values.without ?? "").split(",").filter(Boolean),
  };
}

function wholeNumber(name: string, text: string): number {
  if (/^\d+$/u.test(text)) return Number(text);
  throw new Error(`--${name} ${text}: give a whole number`);
}

/** Shares the histories out among processes with namespaces of their own. Returns the exit status. */
async function share({ histories, seconds, seed, jobs, history, without }: Settings): Promise<number> {
  console.log(`${histories} histories from seed ${seed}`);
  const each = Math.ceil(histories / jobs);
  const starts = Array.from({ length: Math.ceil(histories / each) }, (_, job) => job * each);
  const statuses = await Promise.all(
    starts.map((start) => {
      const count = Math.min(each, histories - start);
      const args = ["--histories", `${count}`, "--seed", `${seed + start}`, "--without", without.join()];
      if (seconds !== null) args.push("--seconds", `${seconds}`);
      return runInside(history === null ? args : [...args, "--history", JSON.stringify(history)]);
    }),
  );
  return statuses.every((status) => status === 0) ? 0 : 1;
}

function runInside(args: readonly string[]): Promise<number> {
  const [script = ""] = process.argv.slice(1);
  const node = [process.execPath, ...process.execArgv, script, ...args];
  const unshare = ["--net", "--mount", "--propagation", "private", "--", ...node];
  const child = spawn("unshare", unshare, { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 1));
  });
}

async function playAll({ histories, seconds, seed, history, without }: Settings): Promise<number> {
  const world = new World();
  const failures: Failure[] = [];
  const endsAt = seconds === null ? Number.POSITIVE_INFINITY : performance.now() + 1000 * seconds;
  let [added, played] = [0, 0];
  try {
    await world.open();
    for (let number = 0; number < histories && failures.length < MOST_FAILURES; number += 1) {
      if (number >= LEAST && performance.now() > endsAt) break;
      if (number % RENEW_AFTER === RENEW_AFTER - 1) await world.reset();
      const one = (history ?? generateHistory(seed + number)).filter((step) => !without.includes(step.kind));
      const verdict = await playOnce(world, one);
      if (number % TELL_EVERY === TELL_EVERY - 1) console.log(`… seed ${seed + number}`);
      added += verdict.added;
      played += 1;
      if (verdict.problems.length > 0)
        await report(world, failures, { seed: seed + number, history: one, verdict });
    }
  } finally {
    await world.close();
  }
  console.log(`${played} histories from seed ${seed}: ${added} attachments, ${failures.length} failures`);
  return failures.length === 0 ? 0 : 1;
}

async function playOnce(world: World, history: History, limitMs?: number): Promise<Verdict> {
  const verdict = await play(world, history, limitMs).catch((thrown: unknown) => broken(thrown));
  if (verdict.problems.length > 0 || !(await tidy(world))) await world.reset();
  return verdict;
}

/** A daemon that does not start again is a failure as well. */
function broken(thrown: unknown): Verdict {
  const problem = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return { problems: [problem], log: [], added: 0 };
}

/** One that breaks what another broke before it is told of, and not shortened. */
async function report(world: World, failures: Failure[], failure: Failure): Promise<void> {
  const { seed, verdict } = failure;
  console.log(`FAILED seed ${seed}: ${verdict.problems.join("; ")}`);
  const isKnown = failures.some((other) => kindOf(other.verdict) === kindOf(verdict));
  failures.push(failure);
  if (isKnown) return;
  console.log(textOf(failure));
  console.log(textOf(await shortened(world, failure)));
}

/** The first problem without what differs from history to history. */
function kindOf({ problems }: Verdict): string {
  return (problems[0] ?? "").replace(/\(.*|\d[\da-f.:x]*/gu, "#");
}

async function shortened(world: World, failure: Failure): Promise<Failure> {
  let verdict = failure.verdict;
  const history = await shrink(failure.history, async (shorter) => {
    for (let attempt = 0; attempt < PLAYS_TO_BELIEVE; attempt += 1) {
      const found = await playOnce(world, shorter, IMPATIENT_MS);
      if (kindOf(found) !== kindOf(failure.verdict)) continue;
      verdict = found;
      return true;
    }
    return false;
  });
  return { ...failure, history, verdict };
}

function textOf({ seed, history, verdict }: Failure): string {
  return [
    `seed ${seed} breaks:`,
    ...verdict.problems.map((problem) => `  ${problem}`),
    "by:",
    formatHistory(history),
    "answers:",
    ...verdict.log.map((line) => `  ${line}`),
    `again: --history '${JSON.stringify(history)}'`,
  ].join("\n");
}

const settings = readSettings();
process.exitCode = process.env[INSIDE] === "1" ? await playAll(settings) : await share(settings);
