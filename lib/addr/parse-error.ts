/** What the parsers of this folder throw. */
import { FairleadError } from "../errors.ts";

const LONGEST_QUOTE = 80;

interface Problem {
  readonly reason: string;
  readonly hint?: string | undefined;
}

/** The error for `text` that is not a `kind` ("address", "prefix", …): `invalid-config`, quoting the text. */
export function parseError(kind: string, text: string, { reason, hint }: Problem): FairleadError {
  const shown = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
  return new FairleadError({
    code: "invalid-config",
    operation: `parse ${kind}`,
    object: JSON.stringify(shown),
    reason,
    ...(hint !== undefined && { hint }),
  });
}
