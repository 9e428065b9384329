/** Reads what somebody answered who should have answered JSON. */
import { FairleadError } from "./errors.ts";

/** How much of an answer that is no JSON is quoted, in characters. */
const QUOTED = 80;

/**
 * Reads the JSON that `source` (a socket, an address, a service) answered.
 *
 * @param hint what to do when it is no JSON.
 * @throws FairleadError `decode-failure`, which quotes how the answer begins.
 */
export function parseJsonAnswer(
  text: string,
  source: string,
  hint = "check that the right program listens there",
): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FairleadError({
      code: "decode-failure",
      operation: "read the answer of",
      object: source,
      reason: `not JSON: ${JSON.stringify(text.slice(0, QUOTED))}`,
      hint,
      cause,
    });
  }
}
