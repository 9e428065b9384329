/**
 * Has a resident worker run a plugin: the very same code, without the start of a process.
 *
 * Workers are processes of the agent; without one, or whenever anything is not as expected, the caller runs the plugin as it
 * always did.
 */
import { FairleadError } from "../errors.ts";
import { libc } from "../linux/calls/ffi.ts";
import type { Libc } from "../linux/calls/libc.ts";
import { BUILD } from "../version.ts";
import {
  type ConversationCalls,
  type ConversationOutcome,
  converse,
  START_LIMIT_MS,
} from "./conversation.ts";
import { encodeRequest, type ResidentAnswer, type Variables } from "./frames.ts";

export type { ResidentAnswer } from "./frames.ts";

/** The service's own limit (ten seconds), that on a bridge's lock (ten), and some. */
const DEFAULT_LIMIT_MS = 25_000;

export interface ResidentCall {
  readonly socketPath: string;
  /** Name of the executable: "fairlead-bridge". */
  readonly plugin: string;
  /** The environment that the plugin would have; only its CNI_* variables matter. */
  readonly env: Variables;
  readonly stdin: Uint8Array;
  /** Longest wait once a worker has begun, in milliseconds. Default 25,000. */
  readonly timeoutMs?: number;
  /** Told once when there is no answer after a second. */
  readonly onSlow?: () => void;
}

/**
 * Has a worker run one invocation. Blocks the thread.
 *
 * @returns null when none did: run the plugin as a process.
 * @throws FairleadError `timeout` or `unavailable` (CNI code 11) when a worker began and did not answer. An ADD may then have
 * left something behind, which DEL removes.
 */
export function tryResident(call: ResidentCall): ResidentAnswer | null {
  const { socketPath, timeoutMs: limitMs = DEFAULT_LIMIT_MS } = call;
  const request = encodeRequest({ ...call, build: BUILD });
  const calls = call.onSlow === undefined ? libc() : tellingOfSlowness(libc(), call.onSlow);
  const outcome = converse(calls, { socketPath, request, startLimitMs: START_LIMIT_MS, limitMs });
  if (outcome.kind === "answered") return outcome.answer;
  requireRepeatable(outcome, call);
  return null;
}

/** After so long people want to know what they wait for. */
const SLOW_MS = 1_000;

/** The same functions, with a first poll of a second before any longer one. */
function tellingOfSlowness(c: Libc, onSlow: () => void): ConversationCalls {
  let told = false;
  const poll: Libc["poll"] = (fds, count, timeoutMs) => {
    if (told || timeoutMs <= SLOW_MS) return c.poll(fds, count, timeoutMs);
    const ready = c.poll(fds, count, SLOW_MS);
    if (ready !== 0) return ready;
    told = true;
    onSlow();
    return c.poll(fds, count, timeoutMs - SLOW_MS);
  };
  return Object.assign(Object.create(c) as Libc, { poll });
}

/** Whether the plugin may be run elsewhere after what became of the request. @throws as {@link tryResident} */
function requireRepeatable(
  outcome: Exclude<ConversationOutcome, { kind: "answered" }>,
  { socketPath, plugin, env }: Pick<ResidentCall, "socketPath" | "plugin" | "env">,
): void {
  if (outcome.kind === "untaken") return;
  const verb = env["CNI_COMMAND"] ?? "";
  // A worker that is gone does nothing any more, and every verb but ADD may be done twice.
  if (!outcome.timedOut && verb !== "ADD") return;
  throw new FairleadError({
    code: outcome.timedOut ? "timeout" : "unavailable",
    operation: `have a resident worker run ${plugin}`,
    object: verb,
    reason: outcome.timedOut ? "it began, and did not end in time" : "it ended before it answered",
    hint: `try again; DEL removes what is there; the worker listened on ${socketPath}`,
  });
}
