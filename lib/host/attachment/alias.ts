/**
 * What an attachment's host link is called, so that every verb, and whoever looks after attachments, finds what ADD made without
 * being told.
 *
 * The seeds are JSON arrays: they say where each part ends, so that no two keys share one.
 */
import { deriveIfname } from "../../addr/ifname.ts";
import { hashHex } from "../../hash.ts";

/** What identifies an attachment among all networks. Source: CNI SPEC 1.1.0, "Attachment Parameters". */
export interface AttachmentName {
  readonly networkName: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** Longest alias of a link. Source: include/uapi/linux/if.h IFALIASZ, less its NUL. */
const ALIAS_BYTES = 255;
const ALIAS_PREFIX = "fairlead:";
const HASH_DIGITS = 16;

/** The key as people read it, `NETWORK/CONTAINER/IFNAME`. No part can hold a slash. */
export function nameText({ networkName, containerId, ifname }: AttachmentName): string {
  return `${networkName}/${containerId}/${ifname}`;
}

/** The key as one text that no other key has, for hashes. */
export function seedOf({ networkName, containerId, ifname }: AttachmentName): string {
  return JSON.stringify([networkName, containerId, ifname]);
}

/** Host end of the pair: `veth` and 11 hexadecimal digits. Tools on the host know to leave `veth*` alone. */
export function hostIfnameOf(key: AttachmentName): string {
  return deriveIfname("veth", seedOf(key));
}

/** True for the alias of a link that one of our attachments made. */
export function isOurAlias(alias: string): boolean {
  return alias.startsWith(ALIAS_PREFIX);
}

/** What all links of a network have as the beginning of their alias. */
export function aliasPrefixOf(networkName: string): string {
  return `${ALIAS_PREFIX}${networkName}/`;
}

/**
 * The key in full, as the alias of the host link: `fairlead:NETWORK/CONTAINER/IFNAME`. A key that is too long for an
 * alias becomes `fairlead:NETWORK/#HASH`, or less of the network's name.
 */
export function aliasOf(key: AttachmentName): string {
  const full = `${ALIAS_PREFIX}${nameText(key)}`;
  if (new TextEncoder().encode(full).length <= ALIAS_BYTES) return full;
  const hashed = `#${hashHex(seedOf(key), HASH_DIGITS)}`;
  return `${aliasPrefixOf(key.networkName).slice(0, ALIAS_BYTES - hashed.length)}${hashed}`;
}

/** The key that {@link aliasOf} made the alias of, as a list of one; empty for one that is a hash, or no alias of ours. */
export function keyOfAlias(alias: string): readonly AttachmentName[] {
  if (!alias.startsWith(ALIAS_PREFIX)) return [];
  const [networkName = "", containerId = "", ifname = "", ...rest] = alias
    .slice(ALIAS_PREFIX.length)
    .split("/");
  const isWhole = networkName !== "" && containerId !== "" && ifname !== "" && rest.length === 0;
  return isWhole ? [{ networkName, containerId, ifname }] : [];
}
