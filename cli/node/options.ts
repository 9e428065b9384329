/** Options of every command about containers: where this node keeps what. */
import { DEFAULT_CNI_CONF_DIR, DEFAULT_SOCKET } from "../../lib/daemon/paths.ts";
import { DEFAULT_PATHS, type NodePaths } from "../base/paths.ts";
import type { Options, OptionValues } from "../base/spec.ts";

const hidden = (description: string, fallback: string) =>
  ({ kind: "text", value: "path", complete: "file", hidden: true, description, fallback }) as const;

export const NODE_OPTIONS = {
  "cni-conf-dir": {
    kind: "text",
    value: "dir",
    fallback: DEFAULT_CNI_CONF_DIR,
    complete: "directory",
    description: "Directory of the network configurations",
  },
  "cni-bin-dir": {
    kind: "text",
    value: "dir",
    complete: "directory",
    description: "Directory of the CNI plugins (default: that of this executable, then /opt/cni/bin)",
  },
  "run-dir": hidden("State of sandboxes", DEFAULT_PATHS.runDirectory),
  "cni-cache-dir": hidden("Cache of results", DEFAULT_PATHS.cacheDirectory),
  "containerd-socket": hidden("Socket of containerd", DEFAULT_PATHS.containerdSocket),
  "docker-socket": hidden("Socket of Docker", DEFAULT_PATHS.dockerSocket),
  "podman-root": hidden("podman's graphroot", DEFAULT_PATHS.podmanRoot),
  "podman-run-root": hidden("podman's runroot", DEFAULT_PATHS.podmanRunRoot),
} as const satisfies Options;

type NodeOptionValues = OptionValues<typeof NODE_OPTIONS> & { readonly socket?: string };

export function pathsOf(options: NodeOptionValues): NodePaths {
  const plugins = options["cni-bin-dir"];
  return {
    socket: options.socket ?? DEFAULT_SOCKET,
    runDirectory: options["run-dir"],
    confDirectory: options["cni-conf-dir"],
    pluginPath: plugins === undefined ? [] : plugins.split(":"),
    cacheDirectory: options["cni-cache-dir"],
    containerdSocket: options["containerd-socket"],
    dockerSocket: options["docker-socket"],
    podmanRoot: options["podman-root"],
    podmanRunRoot: options["podman-run-root"],
  };
}
