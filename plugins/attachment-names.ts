/**
 * Names that follow from an attachment's key, so that every verb finds what ADD made without being told.
 *
 * The seeds are JSON arrays: they say where each part ends, so that no two keys share one.
 */
import { deriveIfname } from "../lib/addr/ifname.ts";
import { deriveMac } from "../lib/addr/mac.ts";
import { hashHex } from "../lib/hash.ts";
import type { AttachmentKey } from "../lib/ipam/api.ts";

/** Longest alias of a link. Source: include/uapi/linux/if.h IFALIASZ, less its NUL. */
const ALIAS_BYTES = 255;
const ALIAS_PREFIX = "fairlead:";
const HASH_DIGITS = 16;

/** The key as one text that no other key has, for hashes. */
export function seedOf({ networkName, containerId, ifname }: AttachmentKey): string {
  return JSON.stringify([networkName, containerId, ifname]);
}

/** Host end of the pair: `veth` and 11 hexadecimal digits. Tools on the host know to leave `veth*` alone. */
export function hostIfnameOf(key: AttachmentKey): string {
  return deriveIfname("veth", seedOf(key));
}

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

/** What all links of a network have as the beginning of their alias. */
export function aliasPrefixOf(networkName: string): string {
  return `${ALIAS_PREFIX}${networkName}/`;
}

/**
 * The key in full, as the alias of the host link: `fairlead:NETWORK/CONTAINER/IFNAME`. No part can hold a slash. A key
 * that is too long for an alias becomes `fairlead:NETWORK/#HASH`, or less of the network's name.
 */
export function aliasOf(key: AttachmentKey): string {
  const full = `${aliasPrefixOf(key.networkName)}${key.containerId}/${key.ifname}`;
  if (new TextEncoder().encode(full).length <= ALIAS_BYTES) return full;
  const hashed = `#${hashHex(seedOf(key), HASH_DIGITS)}`;
  return `${aliasPrefixOf(key.networkName).slice(0, ALIAS_BYTES - hashed.length)}${hashed}`;
}

/** The key that {@link aliasOf} made the alias of, as a list of one; empty for one that is a hash, or no alias of ours. */
export function keyOfAlias(alias: string): readonly AttachmentKey[] {
  if (!alias.startsWith(ALIAS_PREFIX)) return [];
  const [networkName = "", containerId = "", ifname = "", ...rest] = alias
    .slice(ALIAS_PREFIX.length)
    .split("/");
  const isWhole = networkName !== "" && containerId !== "" && ifname !== "" && rest.length === 0;
  return isWhole ? [{ networkName, containerId, ifname }] : [];
}
