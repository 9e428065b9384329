/**
 * Tells whether the container of a cached attachment is gone, from outside and without entering anything.
 *
 * Only for attachments that this project's command line made, because only they say what to look at. It must never be wrong
 * in one direction: a container that is there keeps its network. So everything must point the same way, and whatever
 * cannot be seen counts as there.
 */

import { statPath } from "../linux/files/stat.ts";
import { netnsCookie } from "../linux/namespaces/netns-cookie.ts";
import { bootId } from "../linux/processes/machine.ts";
import type { CachedAttachment, OwnerNotes } from "./cache.ts";

/** Where one stands when one looks: paths mean different things elsewhere. */
export interface Standpoint {
  readonly bootId: string;
  /** Identity of the host's network namespace, in which the links are looked for. */
  readonly hostNetns: string;
  /** Identity of the PID namespace, which decides what /proc shows. */
  readonly pidNamespace: string;
}

export function ownStandpoint(): Standpoint {
  return {
    bootId: bootId(),
    hostNetns: statPath("/proc/self/ns/net")?.identity ?? "",
    pidNamespace: statPath("/proc/self/ns/pid")?.identity ?? "",
  };
}

export interface Witness {
  readonly standpoint: Standpoint;
  /** True when the host has a link of that name. */
  hasLink(ifname: string): boolean;
}

/**
 * What is noted at connect for {@link isContainerGone}.
 * @param containerLinks host ends of the container's own links; not the bridge, which outlives it.
 */
export function evidenceNotes(netns: string, containerLinks: readonly string[]): OwnerNotes {
  return {
    ...ownStandpoint(),
    netnsIdentity: statPath(netns)?.identity ?? "",
    netnsCookie: netnsCookie(netns),
    containerLinks: containerLinks.join(","),
  };
}

/**
 * True when the namespace at `path` is the one that was noted: the same inode, and where both times the kernel told, the same
 * cookie, because an inode is used again.
 */
export function isNotedNetns(notes: OwnerNotes, path: string): boolean {
  if (statPath(path)?.identity !== notes["netnsIdentity"]) return false;
  const [then, now] = [notes["netnsCookie"] ?? "", netnsCookie(path)];
  return then === "" || now === "" || then === now;
}

/** True when the attachment is ours and nothing of its container is left. @throws SyscallError when it cannot be told. */
export function isContainerGone({ notes, netns }: CachedAttachment, witness: Witness): boolean {
  const { netnsIdentity, bootId: boot, hostNetns, pidNamespace } = notes ?? {};
  if (!netnsIdentity || !boot || !hostNetns || !pidNamespace || netns === "") return false;
  const { standpoint } = witness;
  // No namespace outlives the kernel it was made in.
  if (boot !== standpoint.bootId) return true;
  if (hostNetns !== standpoint.hostNetns) return false;
  if (isNotedNetns(notes ?? {}, netns)) return false;
  const links = (notes?.["containerLinks"] ?? "").split(",").filter((name) => name !== "");
  if (links.length > 0) return !links.some((name) => witness.hasLink(name));
  // Without a veth, which dies with the namespace at its other end, the path alone must be enough: it must mean the
  // same here as there, and lead nowhere.
  return statPath(netns) === null && pidNamespace === standpoint.pidNamespace;
}
