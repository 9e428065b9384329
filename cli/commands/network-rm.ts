/** What `fairlead network rm` does. */
import { errorToJson, FairleadError } from "../../lib/errors.ts";
import type { Io } from "../io.ts";
import { refusalOf } from "../network/words.ts";
import { formatJson } from "../output/json.ts";
import type { Refusal } from "../refusal.ts";
import { CLI_CALLER, type CliService } from "../service.ts";
import { withService } from "../with-service.ts";
import { followOnNode, warn } from "./network-follow.ts";
import type { RemoveInput } from "./network-options.ts";

interface Removal {
  readonly removed: string[];
  readonly errors: { readonly network: string; readonly message: string; readonly error: unknown }[];
}

export async function runRemove({ args, options }: RemoveInput, io: Io): Promise<number> {
  const removal: Removal = { removed: [], errors: [] };
  await withService(io, options.socket, async (service) => {
    for (const wanted of args) {
      const refusal = await removeOne(service, wanted, options.force);
      if (refusal === null) {
        removal.removed.push(wanted);
        if (!options.json) await io.out(`${wanted}\n`);
      } else if (refusal !== "absent") {
        removal.errors.push({ network: wanted, message: refusal.message, error: describe(refusal) });
        if (!options.json) await io.err(`fairlead: ${refusal.message}\n`);
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
): Promise<Refusal | "absent" | null> {
  try {
    await service.removeNetwork(wanted, CLI_CALLER);
    return null;
  } catch (thrown) {
    const refusal = refusalOf(thrown);
    const absent = refusal.cause instanceof FairleadError && refusal.cause.code === "not-found";
    return force && absent ? "absent" : refusal;
  }
}

function describe({ cause }: Refusal): unknown {
  return cause instanceof FairleadError ? errorToJson(cause) : null;
}
