/**
 * The names that an attachment is acquired with: what the runtime, an orchestrator or the command line calls the
 * container, the container's own name first.
 */
import { isFullContainerId, isHostLabel, recordedNameProblem } from "../../lib/addr/host-name.ts";
import { FairleadError } from "../../lib/errors.ts";

/** Names as one source gave them, and where that source stands in the configuration. */
export interface NameSource {
  readonly path: string;
  readonly names: readonly string[];
}

/**
 * All names of all sources in their order, each once (names differ by case only: once).
 *
 * @throws FairleadError invalid-config for a name that may not be recorded. One that no name server can serve may.
 */
export function joinNames(sources: readonly NameSource[]): readonly string[] {
  const joined = new Map<string, string>();
  for (const { path, names } of sources) {
    for (const name of names) {
      refuseProblem(path, name);
      if (!joined.has(name.toLowerCase())) joined.set(name.toLowerCase(), name);
    }
  }
  return [...joined.values()];
}

function refuseProblem(path: string, name: string): void {
  const problem = recordedNameProblem(name);
  if (problem === null) return;
  throw new FairleadError({
    code: "invalid-config",
    operation: "read names",
    object: path,
    reason: `${JSON.stringify(name.slice(0, 80))}: ${problem}`,
  });
}

/**
 * The names, or for a container that nobody named, its ID: `ctr run --cni` makes `default-web` of namespace and name.
 * An ID of 64 hexadecimal digits is nobody's name.
 */
export function namesOrId(names: readonly string[], containerId: string): readonly string[] {
  if (names.length > 0) return names;
  return isHostLabel(containerId) && !isFullContainerId(containerId) ? [containerId] : [];
}
