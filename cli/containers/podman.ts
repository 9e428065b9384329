/**
 * Containers of podman (root's), read from its storage: no podman is executed.
 *
 * Source: containers/storage, `containers.json` of the layer store; podman 4.3, libpod/container_internal.go for what
 * lies in `userdata`: `config.json` is the OCI runtime specification, `pidfile` is written by conmon.
 */
import { listDirectory, readFileIfExists } from "../../lib/linux/files/files.ts";
import { netnsIdentity } from "../../lib/linux/namespaces/named-netns.ts";
import type { NodePaths } from "../base/paths.ts";
import type { Candidate, Container, NetworkMode } from "./container.ts";
import { commandLineOf, modeOfNetns, parentOf, processNetns } from "./process.ts";

/** `overlay-containers`, `vfs-containers`, …: one folder a storage driver. */
const STORE_FOLDER = /^[a-z0-9]+-containers$/;

interface StoredContainer {
  readonly id: string;
  readonly names?: readonly string[];
}

interface RuntimeSpec {
  readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] };
}

interface Userdata {
  /** Of the storage: survives a reboot. */
  readonly stored: string;
  /** Of the run time. */
  readonly running: string;
}

export function podmanCandidates({ podmanRoot, podmanRunRoot }: NodePaths, reference: string): Candidate[] {
  const stores = listDirectory(podmanRoot).filter((name) => STORE_FOLDER.test(name));
  return stores.flatMap((store) => {
    const containers = readJson<StoredContainer[]>(`${podmanRoot}/${store}/containers.json`) ?? [];
    return containers
      .filter(({ id, names = [] }) => id.startsWith(reference) || names.includes(reference))
      .map((container) => {
        const path = `${store}/${container.id}/userdata`;
        return candidateOf(container, {
          stored: `${podmanRoot}/${path}`,
          running: `${podmanRunRoot}/${path}`,
        });
      });
  });
}

function candidateOf({ id, names = [] }: StoredContainer, userdata: Userdata): Candidate {
  return { kind: "podman", id, names, describe: () => describe(id, names[0] ?? id, userdata) };
}

function describe(id: string, name: string, userdata: Userdata): Container {
  const namespaces = readJson<RuntimeSpec>(`${userdata.stored}/config.json`)?.linux?.namespaces ?? [];
  const network = namespaces.find(({ type }) => type === "network");
  const common = { kind: "podman", id, name } as const;
  const pid = runningProcess(id, userdata);
  if (pid === null) return { ...common, netns: null, mode: "own" };
  if (network === undefined) return { ...common, netns: processNetns(pid), mode: "host" };
  // The named one outlives a restart of the container's process; without a name it is the process's own.
  const netns = network.path && netnsIdentity(network.path) ? network.path : processNetns(pid);
  return { ...common, netns, mode: modeOf(netns, network.path) };
}

/** A path below /proc is the namespace of another container's process. */
function modeOf(netns: string, path: string | undefined): NetworkMode {
  return path?.startsWith("/proc/") ? "shared" : modeOfNetns(netns);
}

/** The container's first process; null when it does not run, even if its number went to another process. */
function runningProcess(id: string, { running }: Userdata): number | null {
  const bytes = readFileIfExists(`${running}/pidfile`);
  const pid = bytes === null ? 0 : Number(new TextDecoder().decode(bytes).trim());
  if (!Number.isInteger(pid) || pid <= 0) return null;
  const monitor = parentOf(pid);
  return monitor !== null && commandLineOf(monitor).includes(id) ? pid : null;
}

function readJson<T>(path: string): T | null {
  const bytes = readFileIfExists(path);
  return bytes === null ? null : (JSON.parse(new TextDecoder().decode(bytes)) as T);
}
