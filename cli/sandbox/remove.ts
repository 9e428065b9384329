/** Removes a sandbox with all that it holds on its networks; also one whose network namespace is gone. */
import { Attempts } from "../../lib/attempts.ts";
import { listDirectory } from "../../lib/linux/files/files.ts";
import { netnsIdentity, removeNamedNetns } from "../../lib/linux/namespaces/named-netns.ts";
import { WordedError } from "../base/worded-error.ts";
import { commandLineOf, processNetns } from "../containers/process.ts";
import { detachAll } from "../node/detach.ts";
import type { Node } from "../node/node.ts";
import { type SandboxRecord, SandboxRegistry } from "./registry.ts";
import { sandboxContainer } from "./source.ts";

export interface RemoveOptions {
  /** Also while processes run inside (they stay, without a network), and past plugins that fail. */
  readonly force: boolean;
}

/** @throws WordedError `in-use` while processes run inside; what the plugins report, and then the sandbox stays. */
export function removeSandbox(node: Node, record: SandboxRecord, { force }: RemoveOptions): void {
  const container = sandboxContainer(record);
  if (!force && record.mode !== "host") requireEmpty(record);
  const attempts = new Attempts();
  attempts.run(() => detachAll(node, container, { force }));
  if (!force) attempts.throwIfFailed("remove sandbox", record.name);
  if (record.netns !== "") attempts.run(() => void removeNamedNetns(record.name));
  attempts.run(() => new SandboxRegistry(node.paths.runDirectory).remove(record));
  attempts.throwIfFailed("remove sandbox", record.name);
}

function requireEmpty({ name, netns }: SandboxRecord): void {
  const identity = netnsIdentity(netns);
  if (identity === null) return;
  const inside = processesIn(identity);
  if (inside.length === 0) return;
  const shown = inside.slice(0, 3).map((pid) => `${pid} (${commandLineOf(pid)[0] ?? ""})`);
  throw new WordedError(
    "in-use",
    `You cannot remove sandbox ${name} while ${inside.length} process${inside.length === 1 ? "" : "es"} run${inside.length === 1 ? "s" : ""} in it: ${shown.join(", ")}. End them before attempting removal or force remove`,
  );
}

/** Processes whose network namespace is the one of that identity. */
function processesIn(identity: string): number[] {
  const pids = listDirectory("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => identityOf(pid) === identity);
}

/** Null for a process that ended meanwhile, and for the kernel's own. */
function identityOf(pid: number): string | null {
  try {
    return netnsIdentity(processNetns(pid));
  } catch {
    return null;
  }
}
