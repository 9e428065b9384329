/**
 * One question to the service that waits for its answer in place, by plain system calls: where a container is attached, which is a plugin's work,
 * and done as a plugin does it.
 */
import {
  type AnswerOf,
  answerFrom,
  layOutRequest,
  OPERATIONS,
  type OperationName,
  type RequestOf,
} from "../../lib/ipam/operations.ts";
import { askJson } from "../base/unix-http.ts";
import { unreachable } from "./unreachable.ts";

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
