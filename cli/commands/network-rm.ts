/** What `fairlead network rm` does. */
import type { FairleadError } from "../../lib/errors.ts";
import type { Io } from "../base/io.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { inDockersWords } from "../network/words.ts";
import { errorLine } from "../output/error-line.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";
import { followOnNode, warn } from "./network-follow.ts";
import type { RemoveInput } from "./network-options.ts";

interface Removal {
  readonly removed: string[];
  readonly errors: { readonly network: string; readonly code: string; readonly message: string }[];
}

export async function runRemove({ args, options }: RemoveInput, io: Io): Promise<number> {
  const removal: Removal = { removed: [], errors: [] };
  await withService(io, options.socket, async (service) => {
    for (const wanted of args) {
      const error = await removeOne(service, wanted, options.force);
      if (error === null) {
        removal.removed.push(wanted);
        if (!options.json) await io.out(`${wanted}\n`);
      } else if (error !== "absent") {
        const { code, message } = error;
        removal.errors.push({ network: wanted, code, message });
        if (!options.json) await io.err(errorLine(message));
      }
    }
  });
  await follow(io, options["agent-socket"], removal.removed);
  if (options.json) await io.out(formatJson(removal));
  return removal.errors.length > 0 ? 1 : 0;
}

/** Lets the node follow, once for all. What it has to say against networks that are gone is a warning. */
export async function follow(io: Io, agentSocket: string, removed: readonly string[]): Promise<void> {
  if (removed.length === 0) return;
  for (const { message } of await followOnNode(io, agentSocket, removed)) await warn(io, message);
}

/** Null: it is gone. "absent": it was not there, which is fine with --force. */
async function removeOne(
  service: CliService,
  wanted: string,
  force: boolean,
): Promise<FairleadError | "absent" | null> {
  try {
    await service.removeNetwork({ name: wanted }, CLI_CALLER);
    return null;
  } catch (thrown) {
    const error = inDockersWords(thrown);
    return force && error.code === "not-found" ? "absent" : error;
  }
}
