/** What callers are told of a fault of the server's own: that there was one. What is inside is for the log. */
import { FairleadError } from "../../lib/errors.ts";

export const FAULT_REASON = "the server failed; its log says why";

/** The error that an operation failed with, as its caller may know it. */
export function refusalOf(thrown: unknown, operation: string): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  return new FairleadError({ code: "internal", operation, reason: FAULT_REASON, cause: thrown });
}
