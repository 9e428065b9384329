/** Where a node keeps what commands about containers need. */
import { DEFAULT_CNI_CACHE_DIR, DEFAULT_CNI_CONF_DIR, DEFAULT_SOCKET } from "../../lib/daemon/paths.ts";

/** Paths that all commands about containers share. Tests and odd installations name others. */
export interface NodePaths {
  /** Socket of the IPAM service. */
  readonly socket: string;
  /** Sandboxes, locks and the sockets of workers. */
  readonly runDirectory: string;
  readonly confDirectory: string;
  /** Directories with plugins, in order. */
  readonly pluginPath: readonly string[];
  readonly cacheDirectory: string;
  readonly containerdSocket: string;
  readonly dockerSocket: string;
  /** podman's storage (`graphroot`) and its run-time state (`runroot`). */
  readonly podmanRoot: string;
  readonly podmanRunRoot: string;
}

export const DEFAULT_PATHS: NodePaths = {
  socket: DEFAULT_SOCKET,
  runDirectory: "/run/fairlead",
  confDirectory: DEFAULT_CNI_CONF_DIR,
  pluginPath: [],
  cacheDirectory: DEFAULT_CNI_CACHE_DIR,
  containerdSocket: "/run/containerd/containerd.sock",
  dockerSocket: "/var/run/docker.sock",
  podmanRoot: "/var/lib/containers/storage",
  podmanRunRoot: "/run/containers/storage",
};

/** The folder that `path` is in. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
