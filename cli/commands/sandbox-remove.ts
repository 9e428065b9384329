/** What `fairlead sandbox rm` does. */
import { asFairleadError } from "../../lib/errors.ts";
import type { Io } from "../io.ts";
import { type Node, openNode } from "../node/node.ts";
import { pathsOf } from "../node/options.ts";
import { formatJson } from "../output/json.ts";
import { SandboxRegistry } from "../sandbox/registry.ts";
import { removeSandbox } from "../sandbox/remove.ts";
import { findSandbox, requireSandbox } from "../sandbox/require.ts";
import { followNames } from "./network-follow.ts";
import type { RemoveInput } from "./sandbox-options.ts";

interface Removal {
  readonly removed: string[];
  readonly errors: { readonly sandbox: string; readonly message: string }[];
}

/** Goes on past failures, as Docker does; 1 when there was one. */
export async function runRemove({ args, options }: RemoveInput, io: Io): Promise<number> {
  const node = openNode(pathsOf(options));
  const removal: Removal = { removed: [], errors: [] };
  for (const reference of args) {
    try {
      const name = remove(node, reference, options.force);
      if (name === null) continue;
      removal.removed.push(name);
      if (!options.json) await io.out(`${name}\n`);
    } catch (thrown) {
      const { message } = asFairleadError(thrown, "remove sandbox", reference);
      removal.errors.push({ sandbox: reference, message });
      if (!options.json) await io.err(`fairlead: ${message}\n`);
    }
  }
  if (removal.removed.length > 0) await followNames(io, node.paths.socket);
  if (options.json) await io.out(formatJson(removal));
  return removal.errors.length > 0 ? 1 : 0;
}

/** Its name; null when there is none and that is in order. */
function remove(node: Node, reference: string, force: boolean): string | null {
  const registry = new SandboxRegistry(node.paths.runDirectory);
  const record = force ? findSandbox(registry, reference) : requireSandbox(registry, reference);
  if (record === null) return null;
  removeSandbox(node, record, { force });
  return record.name;
}
