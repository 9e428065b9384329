/** `disconnect none`, which takes nothing away but the wish to be without a network. */
import type { Node } from "../node/node.ts";
import { SandboxRegistry } from "./registry.ts";

/**
 * Docker's `disconnect none`: a sandbox that was made without a network may be connected from then on. Returns whether
 * that was what was asked for.
 */
export function releaseNone({ paths }: Node, containerId: string, networkName: string): boolean {
  if (networkName !== "none") return false;
  const registry = new SandboxRegistry(paths.runDirectory);
  const record = registry.list().find(({ id }) => id === containerId);
  if (record?.mode !== "none") return false;
  registry.update({ ...record, mode: "own" });
  return true;
}
