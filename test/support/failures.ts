/** The error of ours that something fails with. Anything else that it fails with is thrown on, and so is a success. */
import { FairleadError } from "../../lib/errors.ts";

export async function failureOf(call: Promise<unknown>): Promise<FairleadError> {
  const outcome = await call.then(
    (value) => new Error(`succeeded with ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (outcome instanceof FairleadError) return outcome;
  throw outcome;
}

export function refusalOf(act: () => unknown): FairleadError {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof FairleadError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}
