/**
 * Exchanges with the IPAM service that outlast its restart: what found nobody, or lost its peer, is sent again for a while.
 *
 * Only for requests that may arrive twice. An acquire may: the service knows it by its attempt.
 */
import { asFairleadError, FairleadError } from "../../lib/errors.ts";

const PAUSE_MS = 50;

export interface Patience {
  /** Sends the request; the function returned waits for the answer. Both throw. */
  readonly send: () => () => Uint8Array;
  /** How long it is sent again, in milliseconds; 0: not at all. Asked when the first sending has failed. */
  readonly patienceMs: () => number;
  /** Told once, before the first repetition. */
  log(message: string): void;
  readonly sleepMs: (ms: number) => void;
}

/**
 * Sends the request, and returns the function that waits for the answer, to be called once.
 *
 * @throws FairleadError (either part) what the last sending met. Its `details.wasSent` is false when none of them left this process,
 *   so that nothing was carried out.
 */
export function beginPatiently(patience: Patience): () => Uint8Array {
  const first = attempt(patience.send);
  if (first instanceof FairleadError && !(first.code === "unavailable" && patience.patienceMs() > 0))
    throw telling(first, false);
  return () => finish(patience, first);
}

function finish(
  { send, patienceMs, log, sleepMs }: Patience,
  first: FairleadError | (() => Uint8Array),
): Uint8Array {
  let wasSent = false;
  let sent = first;
  let deadline: number | undefined;
  for (let round = 0; ; round += 1) {
    const outcome = sent instanceof FairleadError ? sent : attempt(sent);
    if (!(outcome instanceof FairleadError)) return outcome;
    wasSent ||= !(sent instanceof FairleadError);
    deadline ??= performance.now() + patienceMs();
    if (!mayRepeat(outcome, deadline)) throw telling(outcome, wasSent);
    if (round === 0) log(`${outcome.message}; trying again for a while`);
    sleepMs(PAUSE_MS);
    sent = attempt(send);
  }
}

function attempt<T>(action: () => T): T | FairleadError {
  try {
    return action();
  } catch (thrown) {
    return asFairleadError(thrown, "talk to the IPAM service");
  }
}

function mayRepeat({ code }: FairleadError, deadline: number): boolean {
  return code === "unavailable" && performance.now() < deadline;
}

function telling(error: FairleadError, wasSent: boolean): FairleadError {
  const { code, operation, object, reason, hint, details, cause } = error;
  return new FairleadError({
    code,
    operation,
    object,
    reason,
    hint,
    details: { ...details, wasSent },
    cause,
  });
}
