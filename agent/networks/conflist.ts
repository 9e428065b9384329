/**
 * The conflist of a network of the service. Pure.
 *
 * The predefined network `bridge` comes first among those that we write, so that a runtime which takes the first conflist
 * takes it, as Docker's containers are on `bridge` unless they say otherwise.
 */
import type { ConflistSettings, NodeNetwork } from "./drivers/driver.ts";

export interface NodeConflist {
  readonly fileName: string;
  readonly text: string;
}

/** Null for a network that needs none. */
export function conflistOf(node: NodeNetwork, settings: ConflistSettings): NodeConflist | null {
  const { id: networkId, name, origin } = node.network;
  const part = node.conflist(settings);
  if (part === null) return null;
  const conflist = {
    cniVersion: "1.0.0",
    // 1.1.0 alone would be refused by containerd 1.6 and 1.7 and by podman 4.3.
    cniVersions: ["0.4.0", "1.0.0", "1.1.0"],
    name,
    // Several runtimes share the network, and each knows its own attachments alone.
    disableGC: true,
    fairlead: { networkId, ...part.facts },
    plugins: [part.plugin],
  };
  const order = origin === "predefined" ? "80" : "85";
  return {
    fileName: `${order}-fairlead-${name}.conflist`,
    text: `${JSON.stringify(conflist, null, 2)}\n`,
  };
}
