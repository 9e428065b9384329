/**
 * Errors in the words of Docker's command line, which scripts match.
 *
 * Everything else says `operation object: reason; hint`; these say what Docker says, and nothing else.
 */
import { type ErrorCode, FairleadError } from "../../lib/errors.ts";

export class WordedError extends FairleadError {
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super({ code, operation: "run command", reason: message, ...(cause !== undefined && { cause }) });
    this.name = "WordedError";
    this.message = message;
  }
}
