/** What `fairlead network connect` does. */
import { FairleadError } from "../../lib/errors.ts";
import type { Io } from "../io.ts";
import type { ConnectInput } from "./network-options.ts";

export async function runConnect({ args }: ConnectInput, _io: Io): Promise<number> {
  throw new FairleadError({
    code: "unsupported-field",
    operation: "connect",
    object: args.join(" "),
    reason: "this build cannot do it",
  });
}
