/** Runs one plugin's verbs on one container, whole or killed before any of its steps. */
import { join } from "node:path";
import type { Lab } from "../lab/lab.ts";
import {
  type Attachment,
  type Conflist,
  findPlugin,
  pluginEnvironment,
  requestConfiguration,
  type Verb,
} from "../lab/lab-conflist.ts";
import { type CommandOutcome, requireTools, tryCommand } from "../lab/lab-process.ts";
import { recordedSteps, type Step, straceKiller, straceRecorder } from "../lab/lab-strace.ts";

type Keys = Readonly<Record<string, unknown>>;

export interface Victim {
  readonly cniPath: readonly string[];
  /** Its first plugin is the one that is killed. */
  readonly conflist: Conflist;
  readonly container: Attachment;
}

/** Finds out what is left though the container is gone, one line each. */
export type Remains = () => Promise<string[]>;

export interface KilledRuns {
  readonly problems: readonly string[];
  /** How many runs came to the step that they were to be killed before. */
  readonly killed: number;
}

/** A plugin that gets by with fewer steps than this was not traced properly. */
const FEWEST_STEPS = 8;

/** A plugin and a container on a lab's host. */
export class KilledPlugin {
  readonly #lab: Lab;
  readonly #victim: Victim;

  constructor(lab: Lab, victim: Victim) {
    requireTools("strace");
    this.#lab = lab;
    this.#victim = victim;
  }

  run(verb: Verb, wrapper: readonly string[] = [], extra: Keys = {}): Promise<CommandOutcome> {
    const { cniPath, conflist, container } = this.#victim;
    const [plugin] = conflist.plugins;
    if (plugin === undefined) throw new Error("the conflist lists no plugin");
    const attachment = verb === "GC" ? undefined : container;
    return tryCommand(this.#lab.inHost(...wrapper, findPlugin(cniPath, plugin.type)), {
      env: pluginEnvironment(verb, cniPath, attachment),
      input: JSON.stringify(requestConfiguration(conflist, plugin, { attachment, extra })),
    });
  }

  async mustRun(verb: Verb, extra: Keys = {}): Promise<void> {
    const { status, stdout, stderr } = await this.run(verb, [], extra);
    if (status !== 0) throw new Error(`${verb}: exit status ${status}: ${stdout}${stderr}`);
  }

  /** The steps of one undisturbed run of `verb`. */
  async stepsOf(verb: Verb): Promise<Step[]> {
    const file = join(this.#lab.directory, "trace");
    const { status, stdout } = await this.run(verb, straceRecorder(file));
    if (status !== 0) throw new Error(`${verb} under strace: exit status ${status}: ${stdout}`);
    return recordedSteps(file);
  }

  /** ADD killed before each of its steps, then DEL, then ADD and DEL as usual. `whileAdded` looks at the second ADD. */
  async killAdds(remains: Remains, whileAdded: Remains = async () => []): Promise<KilledRuns> {
    await this.mustRun("ADD");
    await this.mustRun("DEL");
    const steps = await this.stepsOf("ADD");
    await this.mustRun("DEL");
    return this.#killBefore(steps, "ADD", async (runKilled) => {
      await runKilled();
      await this.mustRun("DEL");
      const left = await remains();
      await this.mustRun("ADD");
      const problems = await whileAdded();
      await this.mustRun("DEL");
      return [...left, ...problems];
    });
  }

  /** DEL killed before each of its steps, then a whole one. */
  async killDels(remains: Remains): Promise<KilledRuns> {
    await this.mustRun("ADD");
    const steps = await this.stepsOf("DEL");
    return this.#killBefore(steps, "DEL", async (runKilled) => {
      await this.mustRun("ADD");
      await runKilled();
      await this.mustRun("DEL");
      return remains();
    });
  }

  async #killBefore(
    steps: readonly Step[],
    verb: Verb,
    attempt: (runKilled: () => Promise<void>) => Promise<string[]>,
  ): Promise<KilledRuns> {
    let killed = 0;
    const problems = await atEveryStep(steps, (step) =>
      attempt(async () => {
        if ((await this.run(verb, straceKiller(step))).signal === "SIGKILL") killed += 1;
      }),
    );
    return { problems, killed };
  }
}

/** Every step that a plugin must have was died at, and none left anything. */
export function expectNothingLeft({ problems, killed }: KilledRuns): void {
  expect(problems).toEqual([]);
  expect(killed).toBeGreaterThanOrEqual(FEWEST_STEPS);
}

/** Runs `attempt` for every step and gathers what went wrong, with the step it went wrong at. */
export async function atEveryStep(
  steps: readonly Step[],
  attempt: (step: Step) => Promise<string[]>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const step of steps) {
    const found = await attempt(step).catch((cause: Error) => [cause.message]);
    problems.push(...found.map((problem) => `killed before ${step.text}: ${problem}`));
  }
  return problems;
}
