/**
 * A release that could not be told to the service, as it is kept on disk: one JSON object a file.
 *
 * Whoever carries it out asks {@link requestOf}, then {@link judge}.
 */
import type { AttachmentKey, ReleaseRequest, ReleaseResponse } from "./api.ts";

export interface ReleaseIntent {
  readonly key: AttachmentKey;
  /** RFC 3339 instant at which it was written. For people; what programs before 0.2 wrote is bounded by it. */
  readonly at?: string;
  /** Name of the release. Absent in what programs before 0.2 wrote. */
  readonly attempt?: string;
  /** Acquires that were given up: one that arrives after this is refused. */
  readonly attempts?: readonly string[];
  /** Only what these attempts, or these sequences, were granted. */
  readonly onlyAttempts?: boolean;
  readonly sequences?: readonly number[];
  /**
   * True: the ADD that gave up had made the interface itself, so nothing alive had the addresses. When the service does not
   * know the attempts any more, all that the attachment holds may go.
   */
  readonly wasNew?: boolean;
}

/** Null for what is no intent. */
export function parseReleaseIntent(text: string): ReleaseIntent | null {
  try {
    const intent = JSON.parse(text) as ReleaseIntent;
    const isNamed = typeof intent.attempt === "string" || typeof intent.at === "string";
    return isNamed && typeof intent.key.networkName === "string" ? intent : null;
  } catch {
    return null;
  }
}

/** What the service is asked for. */
export function requestOf(intent: ReleaseIntent): ReleaseRequest {
  const { key, at, attempt, attempts, onlyAttempts, sequences } = intent;
  if (attempt === undefined) return { key, ...(at !== undefined && { acquiredBefore: at }) };
  return {
    key,
    attempt,
    ...(attempts && { attempts }),
    ...(onlyAttempts !== undefined && { onlyAttempts }),
    ...(sequences && { sequences }),
  };
}

/**
 * What follows from the answer: "done" (released, nothing held, or overtaken by a newer acquire), "all" (ask again for all that
 * is held: the service no longer knows the attempt, and nothing alive has the addresses), or "doubtful": a clock decided that
 * nothing was to be released, and clocks may be wrong.
 */
export function judge(
  intent: ReleaseIntent,
  // A service before 0.2 does not say what is kept.
  { released, kept = [] }: Pick<ReleaseResponse, "released"> & Partial<ReleaseResponse>,
): "done" | "all" | "doubtful" {
  if (released.length > 0 || kept.length === 0) return "done";
  if (intent.attempt === undefined) return "doubtful";
  return intent.onlyAttempts === true && intent.wasNew === true ? "all" : "done";
}

/** The second question, after "all". */
export function requestForAll({ key, attempts }: ReleaseIntent): ReleaseRequest {
  return { key, ...(attempts && { attempts }) };
}
