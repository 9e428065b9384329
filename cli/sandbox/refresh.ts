/** Brings a sandbox's files in line with its networks. */
import { attachmentsOf } from "../node/attach.ts";
import type { Node } from "../node/node.ts";
import { writeSandboxFiles } from "./files.ts";
import { type SandboxRecord, SandboxRegistry } from "./registry.ts";

/** Does nothing for containers that are no sandboxes: their files are their runtime's. */
export function refreshSandbox(node: Node, containerId: string): void {
  const registry = new SandboxRegistry(node.paths.runDirectory);
  const record = sandboxOf(registry, containerId);
  if (record === null) return;
  writeSandboxFiles(record, registry.files(record.id), attachmentsOf(node, record.id));
}

export function sandboxOf(registry: SandboxRegistry, containerId: string): SandboxRecord | null {
  return registry.list().find(({ id }) => id === containerId) ?? null;
}
