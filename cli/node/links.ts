/**
 * Docker's legacy `--link name:alias`: lines for the hosts file of the container that asks, resolved once.
 *
 * Source: docker-run(1) "--link"; the linked container must be on the same network.
 */
import { WordedError } from "../worded-error.ts";
import type { Node } from "./node.ts";

/** @throws WordedError when a linked container is not on the network. */
export function linkedHosts(node: Node, networkName: string, links: readonly string[] = []): string {
  return links.map((link) => hostsLine(node, networkName, link)).join("\n");
}

function hostsLine({ service }: Node, networkName: string, link: string): string {
  const [name = "", alias = name] = link.split(":");
  if (name === "" || alias === "") throw new WordedError("invalid-config", `bad format for links: ${link}`);
  const [endpoint] = service.listEndpoints({ networkName, name });
  if (endpoint === undefined)
    throw new WordedError(
      "unknown-container",
      `could not get container for ${name}: No such container: ${name}`,
    );
  const names = [...new Set([alias, name])].join("\t");
  return endpoint.addresses.map(({ address }) => `${address.replace(/\/\d+$/, "")}\t${names}`).join("\n");
}
