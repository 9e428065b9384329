/** This node as the command line finds it: where things are, and what plays the runtime on it. */
import { WORKER_SOCKET_NAME } from "../../lib/resident/place.ts";
import { ResultCache } from "../../lib/runtime/cache.ts";
import { NetworkRuntime } from "../../lib/runtime/network-runtime.ts";
import { processExec } from "../../lib/runtime/process-exec.ts";
import { tellWatcher } from "../base/io.ts";
import { folderOf, type NodePaths } from "../base/paths.ts";
import { ServiceReader } from "./service-reader.ts";

const SYSTEM_PLUGINS = "/opt/cni/bin";

export interface Node {
  readonly paths: NodePaths;
  readonly cache: ResultCache;
  readonly runtime: NetworkRuntime;
  readonly service: ServiceReader;
}

/** Opens nothing: what is not asked for is not touched. */
export function openNode(paths: NodePaths): Node {
  const cache = new ResultCache(paths.cacheDirectory);
  const pluginPath = paths.pluginPath.length > 0 ? paths.pluginPath : defaultPluginPath();
  const exec = processExec({
    residentSocket: `${folderOf(paths.socket)}/${WORKER_SOCKET_NAME}`,
    onSlow: (plugin) => tellWatcher(`waiting for ${plugin}`),
  });
  return {
    paths,
    cache,
    runtime: new NetworkRuntime({ pluginPath, env: process.env, exec, cache }),
    service: new ServiceReader({ socket: paths.socket, onSlow: tellWatcher }),
  };
}

/** The folder that this executable is in, for its plugin names lie beside it, then where all plugins are. */
function defaultPluginPath(): string[] {
  return [...new Set([folderOf(process.execPath), SYSTEM_PLUGINS])];
}
