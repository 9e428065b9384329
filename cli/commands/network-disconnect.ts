/** What `fairlead network disconnect` does. */

import type { Io } from "../base/io.ts";
import { WordedError } from "../base/worded-error.ts";
import type { Container } from "../containers/container.ts";
import { resolveContainer } from "../containers/resolve.ts";
import { hostRule } from "../node/attach.ts";
import { containersOnNetwork, detach } from "../node/detach.ts";
import { deviceNetworkName } from "../node/device-name.ts";
import { resolveNetwork } from "../node/networks.ts";
import { type Node, openNode } from "../node/node.ts";
import { pathsOf } from "../node/options.ts";
import { formatJson } from "../output/json.ts";
import { refreshSandbox } from "../sandbox/refresh.ts";
import { releaseNone } from "../sandbox/release-none.ts";
import { containerSources } from "./container-sources.ts";
import { argumentsOf, unnamedContainer } from "./network-connect.ts";
import { followNames } from "./network-follow.ts";
import type { DisconnectInput } from "./network-options.ts";

export async function runDisconnect({ args, options }: DisconnectInput, io: Io): Promise<number> {
  const { json, force, ifname } = options;
  const node = openNode(pathsOf(options));
  const { network, name } = argumentsOf({ args, options });
  const networkName = network === null ? deviceNetworkName(options.device ?? "") : nameOf(node, network);
  const container = name === null ? unnamed(node, options) : await find(node, networkName, name);
  if (!releaseNone(node, container.id, networkName)) {
    detach(node, container, { networkName, force, ...(ifname !== undefined && { ifname }) });
    refreshSandbox(node, container);
    await followNames(io, node.paths.socket);
  }
  if (json) await io.out(formatJson({ containerId: container.id, network: networkName }));
  return 0;
}

/** A network that somebody is on is in the cache, whether it still is in the service or not. */
function nameOf(node: Node, reference: string): string {
  if (node.cache.holdsNetwork(reference)) return reference;
  const { name, network } = resolveNetwork(node, reference);
  if (network?.driver === "host") throw hostRule();
  return name;
}

/** A container that is gone is still known on its networks. */
async function find(node: Node, networkName: string, reference: string): Promise<Container> {
  try {
    return await resolveContainer(reference, containerSources(node.paths));
  } catch (thrown) {
    if (!(thrown instanceof WordedError && thrown.code === "unknown-container")) throw thrown;
    const [id, ...others] = containersOnNetwork(node, networkName, reference);
    if (id === undefined) throw thrown;
    if (others.length === 0) return goneContainer(id);
    throw new WordedError(
      "invalid-config",
      `container ${reference} is ambiguous on network ${networkName}: ${[id, ...others].join(", ")}`,
    );
  }
}

/** A netns that is gone is still in the cache under its path. */
function unnamed(node: Node, options: DisconnectInput["options"]): Container {
  try {
    return unnamedContainer(options);
  } catch (thrown) {
    const entry = node.cache
      .list()
      .find(({ netns, notes }) => notes?.["kind"] === "netns" && netns === options.netns);
    if (entry === undefined) throw thrown;
    return goneContainer(entry.containerId);
  }
}

function goneContainer(id: string): Container {
  return { kind: "netns", id, name: "", netns: null, mode: "own" };
}
