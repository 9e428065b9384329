/**
 * The agent's part that takes back what is left of attachments that are nobody's: ADDs that were killed on their way, and published
 * ports of containers that were killed without a DEL.
 *
 * Looking is cheap and happens here, every few seconds. What is found is handed to a process of its own, `fairlead attachment-remains`, which looks again
 * under the attachment's lock and does it: plugins block. What is kept, or busy, is asked about later, and ever later.
 */
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { askChild, ownExecutable } from "../base/child-command.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { Problems } from "../reconcile/problems.ts";
import { RoundRetries } from "../reconcile/round-retries.ts";
import { WorkQueue } from "../reconcile/work-queue.ts";
import { type FoundRemains, type Remain, RemainsFinder, remainText } from "./find-remains.ts";

const INTERVAL_MS = 5_000;
const LIMIT_MS = 120_000;
/** Given to one process at a time; the rest waits for the next round. */
const MOST_AT_ONCE = 64;
const BACK_OFF = { firstMs: 5_000, mostMs: 600_000 };

export interface RemainAnswer {
  readonly outcome: "taken" | "kept" | "foreign" | "busy" | "over" | "failed";
  readonly attachment: string;
  readonly reason: string;
}

export type TakeRemains = (remains: readonly Remain[]) => Promise<readonly RemainAnswer[]>;

export interface RemainsOptions {
  readonly find?: () => Promise<FoundRemains>;
  readonly take?: TakeRemains;
  readonly intervalMs?: number;
}

export async function startRemains(
  context: AgentContext,
  { find = findHere(context), take = takeByProcess, intervalMs = INTERVAL_MS }: RemainsOptions = {},
): Promise<AgentPart> {
  const sweeper = new Sweeper(context, { find, take, onRetry: () => rounds.want("round") });
  const rounds: WorkQueue = new WorkQueue({
    limits: { firstMs: intervalMs, mostMs: intervalMs },
    work: async () => {
      await sweeper.round();
      // Never sooner: whose holder looked gone is to have had the time to come back.
      return { inMs: intervalMs, restMs: intervalMs };
    },
    onFailure: ({ thrown }) => sweeper.roundFailed(thrown as Error),
  });
  rounds.want("round");
  return {
    name: "remains",
    applied: async () => {},
    problems: () => sweeper.problems(),
    figures: () => ({ taken: sweeper.taken }),
    close: async () => {
      await rounds.close();
      await sweeper.close();
    },
  };
}

function findHere({ service, config }: AgentContext): () => Promise<FoundRemains> {
  const finder = new RemainsFinder(service, config.cniCacheDir);
  return () => finder.find();
}

interface SweeperOptions extends Required<Pick<RemainsOptions, "find" | "take">> {
  /** What was not taken back may be asked about again. */
  readonly onRetry: () => void;
}

class Sweeper {
  taken = 0;
  readonly #context: AgentContext;
  readonly #find: SweeperOptions["find"];
  readonly #take: TakeRemains;
  readonly #problems: Problems;
  /** What was not taken back, by its text: asked about again when it has rested. */
  readonly #retries: RoundRetries;
  #complaint = "";

  constructor(context: AgentContext, { find, take, onRetry }: SweeperOptions) {
    this.#context = context;
    this.#find = find;
    this.#take = take;
    this.#problems = new Problems(context.logger);
    this.#retries = new RoundRetries({
      limits: BACK_OFF,
      askAgain: onRetry,
      problems: this.#problems,
      problemOf: (thrown) => (thrown instanceof NotTaken ? thrown.problem : null),
    });
  }

  problems(): readonly AgentProblem[] {
    return this.#problems.list();
  }

  close(): Promise<void> {
    return this.#retries.close();
  }

  /** Rejects when it cannot be looked at: nothing that is known of is forgotten then. */
  async round(): Promise<void> {
    const { remains, all } = await this.#find();
    this.#retries.keepOnly(all);
    this.#problems.keepOnly(all);
    const due = remains.filter((one) => !this.#retries.isResting(remainText(one))).slice(0, MOST_AT_ONCE);
    if (due.length > 0) this.#note(due, await this.#take(due));
    this.#complaint = "";
  }

  /** Said once: the service may be away for hours. */
  roundFailed({ message: reason }: Error): void {
    if (reason !== this.#complaint)
      this.#context.logger.warn({ reason }, "agent: what is left of attachments cannot be looked at");
    this.#complaint = reason;
  }

  #note(asked: readonly Remain[], answers: readonly RemainAnswer[]): void {
    for (const [at, one] of asked.entries()) {
      const answer = answers[at];
      if (answer === undefined || answer.outcome === "over") continue;
      if (answer.outcome === "taken") this.#taken(one, answer);
      else this.#notTaken(one, answer);
    }
  }

  #taken(one: Remain, { attachment, reason }: RemainAnswer): void {
    this.taken += 1;
    this.#retries.forget(remainText(one));
    this.#context.logger.warn(
      { attachment, kind: one.kind, evidence: reason },
      "agent: took back what was left of an attachment",
    );
  }

  #notTaken(one: Remain, answer: RemainAnswer): void {
    const { attachment, reason, outcome } = answer;
    if (outcome === "failed")
      this.#context.logger.warn(
        { attachment, kind: one.kind, reason },
        "agent: what is left of an attachment cannot be taken back yet",
      );
    this.#retries.failed(remainText(one), new NotTaken(one, answer));
  }
}

const WHAT = {
  "unfinished-add": "what an ADD that was killed left is there",
  ports: "its published ports are left",
};

/** A problem when it failed, or is kept, because a person can tell whether anybody uses it. */
class NotTaken extends Error {
  readonly problem: AgentProblem | null;

  constructor({ kind }: Remain, { outcome, attachment: object, reason }: RemainAnswer) {
    super(reason);
    this.problem = null;
    if (outcome === "failed")
      this.problem = {
        severity: "error",
        object,
        message: `${WHAT[kind]}, and cannot be taken back: ${reason}; it is tried again`,
      };
    if (outcome === "kept")
      this.problem = {
        severity: "warning",
        object,
        message: `${WHAT[kind]}, and is kept, because it may be in use: ${reason}; if it is not, detach the container (DEL, or fairlead network disconnect)`,
      };
  }
}

/** By `fairlead attachment-remains`, which is this very executable; nobody where this is something else. */
const takeByProcess: TakeRemains = (lines) => {
  const program = ownExecutable();
  if (program === null) return Promise.resolve([]);
  return askChild({ program, args: ["attachment-remains"], lines, limitMs: LIMIT_MS });
};
