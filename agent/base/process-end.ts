/** How a process ended that was to go on: what a queue of such processes tries again after, and what its log says of it. */
import type { LogFields } from "../../lib/log.ts";

export class ProcessEnd extends Error {
  readonly facts: LogFields;

  constructor(facts: LogFields) {
    super("it ended");
    this.facts = facts;
  }
}

/** For the log: of an end how it came, of anything else that was thrown the thing itself. */
export function factsOf(thrown: unknown): LogFields {
  return thrown instanceof ProcessEnd ? thrown.facts : { err: thrown };
}
