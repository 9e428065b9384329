/** What is wrong on this node, each thing said once in the log. */
import type { FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";

/** An error as a problem of an object. */
export function problemOf(object: string, { message }: Pick<FairleadError, "message">): AgentProblem {
  return { severity: "error", object, message };
}

export class Problems {
  readonly #logger: Logger;
  /** By the key of what is wrong, which is the object that people are told of, unless that has another name. */
  readonly #problems = new Map<string, AgentProblem>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  list(): AgentProblem[] {
    return [...this.#problems.values()];
  }

  set(object: string, error: Pick<FairleadError, "message">): void {
    this.put(object, problemOf(object, error));
  }

  /** As {@link set}, of a thing that has a key of its own beside its name. */
  put(key: string, problem: AgentProblem): void {
    const { severity, object, message } = problem;
    if (this.#problems.get(key)?.message !== message) {
      this.#logger[severity === "error" ? "error" : "warn"]({ object, reason: message }, "agent: problem");
    }
    this.#problems.set(key, problem);
  }

  clear(key: string): void {
    const problem = this.#problems.get(key);
    if (!problem) return;
    this.#problems.delete(key);
    this.#logger.info({ object: problem.object }, "agent: problem is over");
  }

  /** Forgets what is about none of these. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#problems.keys()) if (!keys.has(key)) this.#problems.delete(key);
  }
}
