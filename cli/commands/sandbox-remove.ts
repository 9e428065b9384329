/** What `fairlead sandbox rm` does. */
import { asFairleadError } from "../../lib/errors.ts";
import type { Io } from "../base/io.ts";
import { type Node, openNode } from "../node/node.ts";
import { pathsOf } from "../node/options.ts";
import { errorLine } from "../output/error-line.ts";
import { formatJson } from "../output/json.ts";
import { SandboxRegistry } from "../sandbox/registry.ts";
import { removeSandbox } from "../sandbox/remove.ts";
import { findSandbox, requireSandbox } from "../sandbox/require.ts";
import { followNames } from "./network-follow.ts";
import type { RemoveInput } from "./sandbox-options.ts";

interface Removal {
  readonly removed: string[];
  readonly errors: { readonly sandbox: string; readonly code: string; readonly message: string }[];
}

/** Goes on past failures, as Docker does. Status: that of all errors when they are of one kind, else 1. */
export async function runRemove({ args, options }: RemoveInput, io: Io): Promise<number> {
  const { json } = options;
  const statuses = new Set<number>();
  const node = openNode(pathsOf(options));
  const removal: Removal = { removed: [], errors: [] };
  for (const reference of args) {
    try {
      const name = remove(node, reference, options.force);
      if (name === null) continue;
      removal.removed.push(name);
      if (!json) await io.out(`${name}\n`);
    } catch (thrown) {
      const { code, message, row } = asFairleadError(thrown, "remove sandbox", reference);
      statuses.add(row.exit);
      removal.errors.push({ sandbox: reference, code, message });
      if (!json) await io.err(errorLine(message));
    }
  }
  if (removal.removed.length > 0) await followNames(io, node.paths.socket);
  if (json) await io.out(formatJson(removal));
  const [status = 0] = statuses;
  return statuses.size > 1 ? 1 : status;
}

/** Its name; null when there is none and that is in order. */
function remove(node: Node, reference: string, force: boolean): string | null {
  const registry = new SandboxRegistry(node.paths.runDirectory);
  const record = force ? findSandbox(registry, reference) : requireSandbox(registry, reference);
  if (record === null) return null;
  removeSandbox(node, record, { force });
  return record.name;
}
