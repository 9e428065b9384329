/** The network that somebody names: what the service knows of it, and the conflist that attaches to it. */
import { FairleadError } from "../../lib/errors.ts";
import type { Network } from "../../lib/ipam/api.ts";
import type { Conflist } from "../../lib/runtime/conflist.ts";
import { findConflist, loadConflists } from "../../lib/runtime/conflist-directory.ts";
import { WordedError } from "../base/worded-error.ts";
import type { Node } from "./node.ts";

export interface NamedNetwork {
  readonly name: string;
  /** Null for one that only a conflist of this node tells of, or while the service is away. */
  readonly network: Network | null;
}

/**
 * Finds a network by name, ID, or the beginning of an ID. A conflist counts as well: hand-written ones are networks too,
 * before the first container is on them.
 *
 * @throws WordedError `not-found` in Docker's words; FairleadError `unavailable` when the service is away and no
 * conflist has the name.
 */
export function resolveNetwork(node: Node, reference: string): NamedNetwork {
  const hasConflist = (): boolean =>
    loadConflists(node.paths.confDirectory).networks.some(({ conflist }) => conflist.name === reference);
  try {
    const network = node.service.findNetwork(reference);
    if (network !== null) return { name: network.name, network };
  } catch (thrown) {
    const away = thrown instanceof FairleadError && ["unavailable", "timeout"].includes(thrown.code);
    if (!away || !hasConflist()) throw thrown;
    return { name: reference, network: null };
  }
  if (hasConflist()) return { name: reference, network: null };
  throw new WordedError("not-found", `network ${reference} not found`);
}

/** @throws FairleadError `not-found` */
export function conflistOf({ paths }: Node, name: string): Conflist {
  return findConflist(paths.confDirectory, name).conflist;
}

/** The conflist of exactly that name, or null. */
export function conflistIfThere({ paths }: Node, name: string): Conflist | null {
  try {
    return findConflist(paths.confDirectory, name).conflist;
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.code === "not-found") return null;
    throw thrown;
  }
}
