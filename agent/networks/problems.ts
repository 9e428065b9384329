/** What is wrong on this node, each thing said once in the log. */
import type { FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";

export class Problems {
  readonly #logger: Logger;
  readonly #problems = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  list(): AgentProblem[] {
    return [...this.#problems].map(([object, message]) => ({ severity: "error", object, message }));
  }

  set(object: string, { message }: FairleadError): void {
    if (this.#problems.get(object) !== message)
      this.#logger.error({ object, reason: message }, "agent: problem");
    this.#problems.set(object, message);
  }

  clear(object: string): void {
    if (this.#problems.delete(object)) this.#logger.info({ object }, "agent: problem is over");
  }

  /** Forgets what is about none of these. */
  keepOnly(objects: ReadonlySet<string>): void {
    for (const object of this.#problems.keys()) if (!objects.has(object)) this.#problems.delete(object);
  }
}
