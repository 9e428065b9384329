/** Sandboxes as containers that networks are connected to. */

import { netnsIdentity } from "../../lib/linux/namespaces/named-netns.ts";
import type { NodePaths } from "../base/paths.ts";
import type { Candidate, Container, ContainerSource } from "../containers/container.ts";
import { type SandboxRecord, SandboxRegistry } from "./registry.ts";

export function sandboxSource({ runDirectory }: NodePaths): ContainerSource {
  const registry = new SandboxRegistry(runDirectory);
  return { kind: "sandbox", candidates: (reference) => candidates(registry, reference) };
}

/** The name first: one file to look at. */
function candidates(registry: SandboxRegistry, reference: string): Candidate[] {
  const named = isFileName(reference) ? registry.find(reference) : null;
  if (named !== null) return [candidateOf(named)];
  return registry
    .list()
    .filter(({ id }) => id.startsWith(reference))
    .map(candidateOf);
}

function isFileName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*$/.test(text);
}

function candidateOf(record: SandboxRecord): Candidate {
  const { id, name } = record;
  return { kind: "sandbox", id, names: [name], describe: () => sandboxContainer(record) };
}

/** `netns` is null when the namespace is gone: somebody removed it, or the machine was started anew. */
export function sandboxContainer({ id, name, hostname, netns, mode }: SandboxRecord): Container {
  const alive = netns !== "" && netnsIdentity(netns) !== null;
  const isFound = hostname !== name && !id.startsWith(hostname);
  return { kind: "sandbox", id, name, ...(isFound && { hostname }), netns: alive ? netns : null, mode };
}
