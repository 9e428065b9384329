/**
 * Disconnects a container from a network: at once, also when the container is gone, and whoever attached it.
 *
 * What the cache of results tells is enough: other runtimes keep the same cache. Where it tells nothing, the service is
 * asked what it leased, and the conflist as it is now is used.
 */

import { Attempts } from "../../lib/attempts.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { CachedAttachment } from "../../lib/runtime/cache.ts";
import type { Conflist } from "../../lib/runtime/conflist.ts";
import type { RuntimeAttachment } from "../../lib/runtime/request-configuration.ts";
import { isNotedNetns } from "../../lib/runtime/stale.ts";
import { WordedError } from "../base/worded-error.ts";
import { withContainerLock } from "./attach.ts";
import { forgetPorts, keepPorts } from "./kept-ports.ts";
import { forgetLinks, PREDEFINED_BRIDGE } from "./links.ts";
import { conflistOf } from "./networks.ts";
import type { Node } from "./node.ts";

/** A container as far as it is needed to detach it. */
export interface Detached {
  readonly id: string;
  /** Path of the network namespace now; null when it is gone. */
  readonly netns: string | null;
}

export interface DetachOptions {
  /** Go on past a plugin that fails. */
  readonly force?: boolean;
}

export interface DetachedFrom {
  readonly networkName: string;
  /** This interface only. Default: every one that the container has on the network. */
  readonly ifname?: string;
}

interface Found {
  readonly conflist: Conflist;
  readonly attachment: RuntimeAttachment;
}

/** @throws WordedError `not-found` when it is not connected. */
export function detach(
  node: Node,
  container: Detached,
  { networkName, ifname, force = false }: DetachOptions & DetachedFrom,
): void {
  withContainerLock(node, container.id, () => {
    const all = findAttachments(node, container, networkName);
    const found = all.filter(({ attachment }) => ifname === undefined || attachment.ifname === ifname);
    if (found.length === 0)
      throw new WordedError(
        "not-found",
        `container ${container.id} is not connected to network ${networkName}${ifname === undefined ? "" : ` by ${ifname}`}`,
      );
    const attempts = new Attempts();
    for (const { conflist, attachment } of found)
      attempts.run(() => {
        node.runtime.del(conflist, attachment, { force });
        if (container.netns !== null) keepPorts(node, container.id, attachment.capabilityArgs);
      });
    attempts.throwIfFailed("disconnect", `${container.id} from network ${networkName}`);
    if (networkName === PREDEFINED_BRIDGE) forgetLinks(node, container.id);
  });
}

/** Detaches everything that a container is attached to, newest first; goes on past failures. */
export function detachAll(node: Node, { id, netns }: Detached, options: DetachOptions = {}): void {
  const attempts = new Attempts();
  withContainerLock(node, id, () => {
    for (const cached of node.cache.list(id).reverse())
      attempts.run(() => node.runtime.delCached(cached, { ...options, netns: netnsFor(cached, netns) }));
    // What the cache does not tell of, because an entry is empty or broken, or nobody wrote one.
    const force = options.force ?? false;
    for (const { conflist, attachment } of leasedAttachments(node, { id, netns }))
      attempts.run(() => node.runtime.del(conflist, attachment, { force }));
  });
  attempts.run(() => forgetLinks(node, id));
  attempts.run(() => forgetPorts(node, id));
  attempts.throwIfFailed("disconnect", id);
}

function findAttachments(node: Node, { id, netns }: Detached, networkName: string): Found[] {
  const cached = node.cache.list(id).filter((entry) => entry.networkName === networkName);
  if (cached.length > 0)
    return cached.map((entry) => ({
      conflist: entry.conflist,
      attachment: { ...entry, netns: netnsFor(entry, netns) },
    }));
  return leasedAttachments(node, { id, netns, networkName });
}

/** The path of then, while it leads where it led; a container that is gone has none. */
function netnsFor(cached: CachedAttachment, now: string | null): string {
  const { notes, netns } = cached;
  if (notes?.["netnsIdentity"] === undefined) return now ?? "";
  return isNotedNetns(notes, netns) ? netns : "";
}

function leasedAttachments(
  node: Node,
  { id, netns, networkName }: Detached & { readonly networkName?: string },
): Found[] {
  try {
    const filter = { containerId: id, ...(networkName !== undefined && { networkName }) };
    return node.service.listEndpoints(filter).map((endpoint) => ({
      conflist: conflistOf(node, endpoint.networkName),
      attachment: { containerId: id, ifname: endpoint.ifname, netns: netns ?? "" },
    }));
  } catch (thrown) {
    if (thrown instanceof FairleadError && ["unavailable", "not-found"].includes(thrown.code)) return [];
    throw thrown;
  }
}

/** IDs of containers that are on a network under that name or ID, though no runtime knows them any more. */
export function containersOnNetwork(node: Node, networkName: string, reference: string): string[] {
  const cached = node.cache
    .list()
    .filter((entry) => entry.networkName === networkName)
    .filter(({ containerId, notes }) => means(reference, containerId, notes?.["name"]));
  if (cached.length > 0) return [...new Set(cached.map(({ containerId }) => containerId))];
  try {
    const endpoints = node.service.listEndpoints({ networkName });
    const meant = endpoints.filter(({ containerId, name }) => means(reference, containerId, name));
    return [...new Set(meant.map(({ containerId }) => containerId))];
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.code === "unavailable") return [];
    throw thrown;
  }
}

function means(reference: string, containerId: string, name: string | undefined): boolean {
  return containerId.startsWith(reference) || name === reference;
}
