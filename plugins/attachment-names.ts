/** Names that follow from an attachment's key. Those of its host link are in lib/host, for others look for it, too. */
import { deriveMac } from "../lib/addr/mac.ts";
import { seedOf } from "../lib/host/attachment/alias.ts";
import type { AttachmentKey } from "../lib/ipam/api.ts";

export {
  aliasOf,
  aliasPrefixOf,
  hostIfnameOf,
  keyOfAlias,
  nameText,
  seedOf,
} from "../lib/host/attachment/alias.ts";

/** MAC address of the container's end when nobody asks for another. */
export function containerMacOf(key: AttachmentKey): string {
  return deriveMac(`container ${seedOf(key)}`);
}

/**
 * MAC address of the host's end. It begins with `fe`, so that a bridge whose own MAC is the lowest of its ports does not take
 * it over, as long as it has another port.
 */
export function hostMacOf(key: AttachmentKey): string {
  return `fe${deriveMac(`host end ${seedOf(key)}`).slice(2)}`;
}
