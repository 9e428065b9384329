/**
 * Connects a container to a network: the command line plays the runtime.
 *
 * Everything is checked before anything is touched, and an attachment is either there as a whole, with its entry in the
 * cache of results, or not at all.
 */
import { isObject, type JsonObject } from "../../lib/cni/json.ts";
import { FairleadError } from "../../lib/errors.ts";
import { hashHex } from "../../lib/hash.ts";
import type { Network } from "../../lib/ipam/api.ts";
import { makeDirectories } from "../../lib/linux/files/files.ts";
import { LockFile } from "../../lib/linux/files/lock-file.ts";
import { openNetns } from "../../lib/linux/namespaces/netns.ts";
import { bootId } from "../../lib/linux/processes/machine.ts";
import { LinkProbe } from "../../lib/linux/sockets/link-probe.ts";
import { type CachedAttachment, isHalfMade, type OwnerNotes } from "../../lib/runtime/cache.ts";
import { type Conflist, withArgs } from "../../lib/runtime/conflist.ts";
import type { AddOutcome } from "../../lib/runtime/network-runtime.ts";
import { unservedCapabilities } from "../../lib/runtime/request-configuration.ts";
import { evidenceNotes, isNotedNetns } from "../../lib/runtime/stale.ts";
import { WordedError } from "../base/worded-error.ts";
import type { Container } from "../containers/container.ts";
import { forgetPorts, withKeptPorts } from "./kept-ports.ts";
import { checkLinks, forgetLinks, keepLinks, PREDEFINED_BRIDGE } from "./links.ts";
import { conflistIfThere, conflistOf, resolveNetwork } from "./networks.ts";
import type { Node } from "./node.ts";
import { inTypedWords, type NameOf } from "./plugin-words.ts";
import { type AttachmentWishes, capabilityArgsOf, checkWishes, isPlain } from "./wishes.ts";

/** A container with its network namespace: one that can be attached. */
export type RunningContainer = Container & { readonly netns: string };

const LOCK_LIMIT_MS = 60_000;
/** Name of the reference plugin's bridge where the configuration names none. */
const REFERENCE_BRIDGE = "cni0";
/** A container has fewer links; beyond this the kernel is asked in vain. */
const MOST_IFNAMES = 1_000;

interface Asked {
  readonly reference: string;
  readonly wishes: AttachmentWishes;
  /** Default: the first free ethN. */
  readonly ifname?: string;
}

/** Connects to the network that `reference` names. @throws WordedError in Docker's words */
export function attach(node: Node, container: Container, { reference, ...asked }: Asked): AddOutcome {
  // Most wish for nothing: then there is nothing to ask the service that the plugin does not ask.
  const plain = isPlain(asked.wishes) ? conflistIfThere(node, reference) : null;
  const named = plain ? { name: plain.name, network: null } : resolveNetwork(node, reference);
  requireConnectable(container, named.network);
  checkWishes(asked.wishes, named.name, named.network);
  requireRunning(container);
  const conflist = plain ?? conflistOf(node, named.name);
  checkLinks(node, named.name, asked.wishes.links);
  return attachWith(node, container, { ...asked, conflist });
}

export interface AttachmentPlan {
  readonly conflist: Conflist;
  readonly wishes: AttachmentWishes;
  readonly ifname?: string;
}

/** Connects by a conflist that is at hand. @throws WordedError `already-exists`; what the plugins report. */
export function attachWith(node: Node, container: RunningContainer, plan: AttachmentPlan): AddOutcome {
  const wished = capabilityArgsOf(plan.wishes);
  requireServed(plan.conflist, wished);
  const conflist = withArgs(plan.conflist, argsOf(container, plan.wishes));
  return withContainerLock(node, container.id, () => {
    const present = withoutStale(node, container);
    requireUnattached(present, container, conflist.name);
    const { id: containerId, netns } = container;
    const ifname = plan.ifname ?? freeIfname(netns, present);
    const isPredefined = conflist.name === PREDEFINED_BRIDGE;
    if (isPredefined) keepLinks(node, containerId, plan.wishes.links);
    try {
      const capabilityArgs = withKeptPorts(node, containerId, { conflist, capabilityArgs: wished });
      const attachment = { containerId, ifname, netns, capabilityArgs };
      const outcome = node.runtime.add(conflist, attachment, {
        notes: (raw) => notesOf(container, conflist, raw),
      });
      if (capabilityArgs !== wished) forgetPorts(node, containerId);
      return outcome;
    } catch (thrown) {
      if (isPredefined) forgetLinks(node, containerId);
      throw inTypedWords(thrown, conflist.name, nameIn(node));
    }
  });
}

/** Rules about the container and the kind of network, before anything about this one. */
export function requireConnectable({ mode }: Container, network: Network | null): void {
  if (network?.driver === "host") throw hostRule();
  if (mode === "host" || mode === "shared") {
    throw new WordedError(
      "invalid-config",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }
  if (mode === "none" || network?.driver === "null") {
    throw new WordedError(
      "invalid-config",
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    );
  }
}

export function hostRule(): WordedError {
  return new WordedError(
    "invalid-config",
    "container cannot be disconnected from host network or connected to host network",
  );
}

export function requireRunning(container: Container): asserts container is RunningContainer {
  if (container.netns === null)
    throw new WordedError("unknown-container", `Container ${container.id} is not running`);
}

function requireServed(conflist: Conflist, capabilityArgs: JsonObject): void {
  const unserved = unservedCapabilities(conflist, capabilityArgs);
  if (unserved.length === 0) return;
  throw new FairleadError({
    code: "unsupported-field",
    operation: "connect to network",
    object: conflist.name,
    reason: `its conflist does not declare the capability ${unserved.join(", ")}`,
    hint: `add "capabilities": {"${unserved[0]}": true} to the plugin that serves it`,
  });
}

/** What the container is called on a network: its name, its host name, and its aliases there, each once. */
export function namesOf({ name, hostname = "" }: Container, aliases: readonly string[] = []): string[] {
  return [...new Set([name, hostname, ...aliases])].filter((text) => text !== "");
}

/** Metadata for the plugins; see docs/names.md for what becomes of the names. */
function argsOf(container: Container, { aliases = [], gatewayPriority }: AttachmentWishes): JsonObject {
  const names = namesOf(container, aliases);
  return {
    ...(names.length > 0 && { names }),
    ...(gatewayPriority !== undefined && { gatewayPriority }),
  };
}

/** Two commands about one container take turns; those about different ones hardly ever meet. */
export function withContainerLock<T>({ paths }: Node, containerId: string, action: () => T): T {
  const folder = `${paths.runDirectory}/locks`;
  makeDirectories(folder, 0o700);
  const lock = new LockFile(`${folder}/container-${hashHex(containerId, 2)}`);
  try {
    lock.lock("exclusive", LOCK_LIMIT_MS);
    return action();
  } finally {
    lock.close();
  }
}

/**
 * What the container is attached to, after what is not whole is detached: what an earlier life of it left (the same ID, in
 * a network namespace that is no more), and what a command began that was killed.
 */
function withoutStale(node: Node, { id, netns }: RunningContainer): CachedAttachment[] {
  const boot = bootId();
  return node.cache.list(id).filter((cached) => {
    const { notes } = cached;
    const isNoted = notes?.["netnsIdentity"] !== undefined;
    const isPresent = !isNoted || (notes["bootId"] === boot && isNotedNetns(notes, netns));
    if (isPresent && !isHalfMade(cached)) return true;
    node.runtime.delCached(cached, { netns: isPresent ? netns : "" });
    return false;
  });
}

function requireUnattached(
  present: readonly CachedAttachment[],
  { id, name }: Container,
  networkName: string,
): void {
  if (!present.some((cached) => cached.networkName === networkName)) return;
  throw new WordedError(
    "already-exists",
    `endpoint with name ${name || id} already exists in network ${networkName}`,
  );
}

/** The first of eth0, eth1, … that neither the kernel nor the cache knows. */
function freeIfname(path: string, present: readonly CachedAttachment[]): string {
  const cached = new Set(present.map(({ ifname }) => ifname));
  const netns = openNetns(path);
  const probe = new LinkProbe(netns);
  try {
    for (let number = 0; number < MOST_IFNAMES; number += 1) {
      const ifname = `eth${number}`;
      if (!cached.has(ifname) && !probe.has(ifname)) return ifname;
    }
  } finally {
    probe.close();
    netns.close();
  }
  throw new FairleadError({
    code: "already-exists",
    operation: "name interface in",
    object: path,
    reason: `eth0 to eth${MOST_IFNAMES - 1} are taken`,
  });
}

/** Also what the reaper needs to tell, later and from outside, that the container is gone. */
function notesOf(container: RunningContainer, conflist: Conflist, raw: JsonObject | null): OwnerNotes {
  return {
    ...evidenceNotes(container.netns, containerLinks(conflist, raw)),
    name: container.name,
    kind: container.kind,
    attachedAt: new Date().toISOString(),
  };
}

/** Names of the host's links that are the container's own. The bridge outlives it: it is the one that is configured. */
function containerLinks({ plugins }: Conflist, raw: JsonObject | null): string[] {
  const bridges = new Set<unknown>([REFERENCE_BRIDGE, ...plugins.map((plugin) => plugin.raw["bridge"])]);
  const interfaces = raw?.["interfaces"];
  const links = Array.isArray(interfaces) ? interfaces.filter(isObject) : [];
  return links
    .filter(({ sandbox }) => !sandbox)
    .map(({ name }) => String(name))
    .filter((name) => !bridges.has(name));
}

/** Looks for a name of a container among the attachments that this node knows. */
function nameIn({ cache }: Node): NameOf {
  return (containerId) => {
    const named = cache.list(containerId).find(({ notes }) => notes?.["name"]);
    return named?.notes?.["name"];
  };
}

/** Attachments of a container in the order in which they were made. */
export function attachmentsOf({ cache }: Node, containerId: string): CachedAttachment[] {
  const at = ({ notes, ifname }: CachedAttachment): string => `${notes?.["attachedAt"] ?? ""} ${ifname}`;
  return cache.list(containerId).sort((a, b) => (at(a) < at(b) ? -1 : 1));
}
