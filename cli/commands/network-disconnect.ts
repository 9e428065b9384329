/** What `fairlead network disconnect` does. */
import { FairleadError } from "../../lib/errors.ts";
import type { Io } from "../io.ts";
import type { DisconnectInput } from "./network-options.ts";

export async function runDisconnect({ args }: DisconnectInput, _io: Io): Promise<number> {
  throw new FairleadError({
    code: "unsupported-field",
    operation: "disconnect",
    object: args.join(" "),
    reason: "this build cannot do it",
  });
}
