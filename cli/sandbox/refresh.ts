/** Brings a sandbox's files in line with its networks. */
import type { Container } from "../containers/container.ts";
import { attachmentsOf } from "../node/attach.ts";
import type { Node } from "../node/node.ts";
import { writeSandboxFiles } from "./files.ts";
import { SandboxRegistry } from "./registry.ts";

/** Does nothing for containers that are no sandboxes: their files are their runtime's. */
export function refreshSandbox(node: Node, { kind, name }: Pick<Container, "kind" | "name">): void {
  if (kind !== "sandbox") return;
  const registry = new SandboxRegistry(node.paths.runDirectory);
  const record = registry.find(name);
  if (record !== null) writeSandboxFiles(record, registry.files(record.id), attachmentsOf(node, record.id));
}
