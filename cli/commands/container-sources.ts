/** Every place where containers are looked for, in the order of the search. Each is loaded when it is reached. */
import { pathExists } from "../../lib/linux/files/files.ts";
import type { NodePaths } from "../base/paths.ts";
import type { Candidate, ContainerKind, ContainerSource } from "../containers/container.ts";
import { sandboxSource } from "../sandbox/source.ts";

export function containerSources(paths: NodePaths): readonly ContainerSource[] {
  return [
    sandboxSource(paths),
    whenThere("podman", paths.podmanRoot, async (reference) =>
      (await import("../containers/podman.ts")).podmanCandidates(paths, reference),
    ),
    whenThere("docker", paths.dockerSocket, async (reference) =>
      (await import("../containers/docker.ts")).dockerCandidates(paths, reference),
    ),
    whenThere("containerd", paths.containerdSocket, async (reference) =>
      (await import("../containers/containerd.ts")).containerdCandidates(paths, reference),
    ),
  ];
}

/** A runtime that is not installed costs one look at its path. */
function whenThere(
  kind: ContainerKind,
  path: string,
  candidates: (reference: string) => Promise<readonly Candidate[]>,
): ContainerSource {
  return {
    kind,
    candidates: (reference) => (pathExists(path) ? candidates(reference) : []),
  };
}
