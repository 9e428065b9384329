/** Nobody listens at a socket: says what was asked for and what to start, whoever asks, so that all say it in the same words. */
import { FairleadError } from "../../lib/errors.ts";

interface Asked {
  readonly operation: string;
  readonly socket: string;
  /** What would have to run. */
  readonly program: string;
}

/** What to throw instead of `thrown`, which passes unchanged unless nobody listens. */
export function unreachable(thrown: unknown, { operation, socket, program }: Asked): unknown {
  if (
    !(thrown instanceof FairleadError) ||
    thrown.code !== "unavailable" ||
    thrown.operation !== "connect to"
  ) {
    return thrown;
  }
  return new FairleadError({
    code: "unavailable",
    operation,
    object: socket,
    reason: thrown.reason,
    hint: `start it with ${program}`,
    cause: thrown,
  });
}
