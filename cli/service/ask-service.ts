/**
 * One question to the service that waits for its answer in place, by plain system calls: where a container is attached, which is a plugin's work,
 * and done as a plugin does it.
 */
import { FairleadError } from "../../lib/errors.ts";
import {
  type AnswerOf,
  answerFrom,
  layOutRequest,
  OPERATIONS,
  type OperationName,
  type RequestOf,
} from "../../lib/ipam/operations.ts";
import { askJson } from "../base/unix-http.ts";

const SERVICE_LIMIT_MS = 30_000;

export interface ServiceTarget {
  readonly socket: string;
  readonly onSlow: (what: string) => void;
  /** Default 30 seconds. */
  readonly timeoutMs?: number;
}

/** What the service answers to one of its operations. @throws FairleadError `unavailable`, `timeout`; what it answers. */
export function askService<N extends OperationName>(
  target: ServiceTarget,
  name: N,
  request?: RequestOf<N>,
): AnswerOf<N> {
  const { socket, onSlow, timeoutMs = SERVICE_LIMIT_MS } = target;
  const operation = OPERATIONS[name];
  try {
    const sent = askJson(layOutRequest(operation, request), {
      socket,
      timeoutMs,
      onSlow: () => onSlow(`${operation.title}: waiting for the service`),
    });
    return answerFrom(name, sent);
  } catch (thrown) {
    throw unreachable(thrown, {
      operation: operation.title,
      socket,
      program: "`fairlead server` or `fairlead dev`",
    });
  }
}

interface Asked {
  readonly operation: string;
  readonly socket: string;
  /** What would have to run. */
  readonly program: string;
}

/** Nobody listens: says what was asked for and what to start. Everything else passes unchanged. */
function unreachable(thrown: unknown, { operation, socket, program }: Asked): unknown {
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
