/** Text as C takes it. */
import { FairleadError } from "../../errors.ts";

const encoder = new TextEncoder();

/**
 * `text` in UTF-8 with the NUL that ends it in C.
 *
 * @throws FairleadError invalid-config when the text itself holds a NUL, behind which C would see nothing.
 */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "pass to the kernel",
      object: JSON.stringify(text),
      reason: "the text holds a NUL character",
    });
  }
  return encoder.encode(`${text}\0`);
}
