/**
 * Docker's legacy `--link name:alias`, on the predefined network only: whom the container may call by name there. The
 * agent's name server answers by it.
 */
import {
  parseContainerLink,
  removeContainerLinks,
  writeContainerLinks,
} from "../../lib/runtime/named-links.ts";
import { WordedError } from "../base/worded-error.ts";
import type { Node } from "./node.ts";

export const PREDEFINED_BRIDGE = "bridge";

/** @throws WordedError in Docker's words when a linked container is not on the network. */
export function checkLinks({ service }: Node, networkName: string, links: readonly string[] = []): void {
  for (const link of links) {
    const { target } = parseContainerLink(link);
    if (service.listEndpoints({ networkName, name: target }).length > 0) continue;
    throw new WordedError(
      "unknown-container",
      `could not get container for ${target}: No such container: ${target}`,
    );
  }
}

/** Before ADD, because the name server reads them when the attachment appears. None: those of before go. */
export function keepLinks({ paths }: Node, containerId: string, links: readonly string[] = []): void {
  writeContainerLinks({ runDir: paths.runDirectory, containerId }, links);
}

/** After the container has left {@link PREDEFINED_BRIDGE}. Idempotent. */
export function forgetLinks({ paths }: Node, containerId: string): void {
  removeContainerLinks({ runDir: paths.runDirectory, containerId });
}
