/**
 * Publishing ports of containers: the verbs. What they make is described in `firewall-portmap-plan.ts`.
 *
 * One transaction publishes all ports of an attachment or none. That no two attachments get one port is decided inside
 * it: it commits only if nobody changed anything since the maps were read.
 */
import { addressToBytes } from "../../../addr/address.ts";
import { FairleadError } from "../../../errors.ts";
import { concatenate } from "../../../netlink/nftables/datatype.ts";
import { element, ensureElements, newElements } from "../../../netlink/nftables/element.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";
import { isPortmapInPlace, requestsForPortmapTable } from "./chains.ts";
import { ElementChanges, isSameKey, isSamePort, portElement } from "./changes.ts";
import {
  attachmentKey,
  containerKey,
  formatAttachment,
  formatHostPort,
  type HostPort,
  holderText,
  isOfEveryAddress,
  overlaps,
  type PortHolder,
  parseHolder,
  portNumbers,
} from "./holder.ts";
import {
  ATTACHMENTS,
  HAIRPIN,
  hairpinKey,
  laneFor,
  mapOf,
  type PublishedPort,
  portKey,
  portKeyWithAddress,
  portLanes,
  SHARED,
  selfKey,
  targetsOf,
} from "./plan.ts";
import { commentOf, type HeldPort, type PortmapState, readPortmap, readPortsIn, wanted } from "./state.ts";
import { forgetPorts } from "./unpublish.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/** What is published for one attachment. */
export interface PublishSpec {
  readonly holder: PortHolder;
  readonly ports: readonly PublishedPort[];
  /**
   * The link of the host that leads to the container. Clients on it, and the host's loopback, are masqueraded towards
   * the container, since its answers would miss this host otherwise. Null: nobody is.
   */
  readonly link: string | null;
  /** Hides every client from the container behind this host. */
  readonly masqueradeAll: boolean;
  /** The attachment's own link on this host, if it is known: when it is gone, so is the attachment. */
  readonly ownLink?: string;
}

/** How often an attachment may be replaced, or changed by somebody else, before giving up. */
const ATTEMPTS = 20;
/** Up to so many ports are looked up one by one; more of them, and the maps are read as a whole. */
const FEW_PORTS = 16;

/**
 * Publishes the ports: all of them, or none. Idempotent; what the same attachment published before is replaced.
 *
 * A port that another attachment of the same container has is put on standby: it takes effect when that one goes.
 *
 * @throws FairleadError in-use, which names the holder; kernel-refused, unavailable.
 */
export function publishPorts(nft: NFTables, spec: PublishSpec): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    let isOutdated = false;
    nft.update(`publish ports of ${holderText(spec.holder)}`, () => {
      const decision = decide(nft, spec);
      isOutdated = decision === "outdated";
      return decision === "outdated" ? [] : decision;
    });
    if (!isOutdated) return;
    const text = holderText(spec.holder);
    forgetPorts(nft, `replace ports of ${text}`, (holder) => holder === text);
  }
  throw new FairleadError({
    code: "unavailable",
    operation: "publish ports of",
    object: holderText(spec.holder),
    reason: "something else keeps publishing other ports for the same attachment",
  });
}

/** The requests that publish; "outdated": the attachment has other ports, which have to go first. */
function decide(nft: NFTables, spec: PublishSpec): Requests | "outdated" {
  const view = spec.ports.length <= FEW_PORTS ? lookAt(nft, spec) : readAll(nft, spec);
  const table = isPortmapInPlace(nft) ? [] : requestsForPortmapTable(nft);
  const text = holderText(spec.holder);
  const hasSome =
    view.hasAttachment ||
    spec.ports.some((port) => view.holdersOf(port).some(({ holder }) => holder === text));
  if (hasSome) return isPublished(readPortmap(nft), spec) ? table : "outdated";
  const standby = spec.ports.filter((port) => isOnStandby(port, spec, view));
  return [...table, ...requestsToAdd(spec, new Set(standby))];
}

/** What matters for publishing, out of what the kernel has. */
interface View {
  readonly hasAttachment: boolean;
  /** Who has the port, or one that overlaps with it, in effect. */
  holdersOf(port: PublishedPort): readonly Taken[];
}

interface Taken {
  readonly holder: string;
  readonly port: HostPort;
}

/** Looks up just the keys in question, in one exchange, and the ports of single addresses where they matter. */
function lookAt(nft: NFTables, { holder, ports }: PublishSpec): View {
  const places = ports.flatMap(placesOf);
  const [attachment, ...found] = nft.findAll([
    wanted(ATTACHMENTS, attachmentKey(holder)),
    ...places.map(({ set, key }) => wanted(set, key)),
  ]);
  const bound = new Map(
    portLanes().map((lane) => {
      const matters = ports.some((port) => port.hostAddress.family === lane.family && isOfEveryAddress(port));
      return [lane.family, matters ? readPortsIn(nft, lane.bound) : []];
    }),
  );
  const taken = places.flatMap(({ port }, at) => {
    const one = found[at]?.elements?.[0];
    return one ? [{ port, holder: commentOf(one) }] : [];
  });
  return {
    hasAttachment: attachment !== undefined,
    holdersOf: (port) => [
      ...taken.filter((one) => overlaps(one.port, port)),
      ...(bound.get(port.hostAddress.family) ?? []).filter((one) => overlaps(one.port, port)),
    ],
  };
}

/** Where a holder of the port would be found by key: the port itself, and that of every address. */
function placesOf(port: PublishedPort): { port: HostPort; set: SetSpec; key: Uint8Array }[] {
  const every: HostPort = { ...port, hostAddress: { family: port.hostAddress.family, value: 0n } };
  const places = isOfEveryAddress(port) ? [port] : [port, every];
  return places.map((place) => ({ port: place, set: mapOf(place), key: portKey(place) }));
}

/** The same, for many ports at once. */
function readAll(nft: NFTables, { holder }: PublishSpec): View {
  const state = readPortmap(nft);
  const byNumber = new Map<string, HeldPort[]>();
  for (const held of state.ports.filter(({ isStandby }) => !isStandby)) {
    const numbers = portNumbers(held.port);
    byNumber.set(numbers, [...(byNumber.get(numbers) ?? []), held]);
  }
  return {
    hasAttachment: has(state.attachments, attachmentKey(holder)),
    holdersOf: (port) => (byNumber.get(portNumbers(port)) ?? []).filter((one) => overlaps(one.port, port)),
  };
}

function has(elements: readonly { readonly key: Uint8Array }[], key: Uint8Array): boolean {
  return elements.some((one) => isSameKey(one.key, key));
}

/** @throws in-use when another container has the port. */
function isOnStandby(port: PublishedPort, { holder }: PublishSpec, view: View): boolean {
  const taken = view.holdersOf(port);
  const other = taken.find((one) => parseHolder(one.holder)?.containerId !== holder.containerId);
  if (other) throw portInUse(port, other);
  return taken.length > 0;
}

function portInUse(port: PublishedPort, { holder, port: taken }: Taken): FairleadError {
  const parts = parseHolder(holder);
  const who = parts
    ? `container ${parts.containerId} (interface ${parts.ifname}, network ${parts.networkName})`
    : holder === ""
      ? "an element that somebody else put into the map"
      : `attachment ${holder}`;
  return new FairleadError({
    code: "in-use",
    operation: "publish port",
    object: formatHostPort(port),
    reason: `${who} has ${formatHostPort(taken)}`,
    hint: "publish another port, or remove that container; a DEL or a GC takes back what one that is gone has left",
    details: { port: formatHostPort(port), holder, ...(parts && { ...parts }) },
  });
}

function requestsToAdd(spec: PublishSpec, standby: ReadonlySet<PublishedPort>): Requests {
  const { holder, ports } = spec;
  const text = holderText(holder);
  const own = new ElementChanges();
  for (const port of ports) {
    if (standby.has(port)) own.add(standbySet(port), portElement(standbyKey(holder, port), port, text));
    else own.add(mapOf(port), portElement(portKey(port), port, text));
  }
  const comment = formatAttachment(text, ports, spec.ownLink);
  own.add(ATTACHMENTS, element({ key: attachmentKey(holder), comment }));
  return [...own.requests(newElements), ...requestsToShare(spec, standby.size > 0)];
}

/** What others may have put there before. */
function requestsToShare({ holder, ports, link, masqueradeAll }: PublishSpec, isShared: boolean): Requests {
  const [shared, comment] = [new ElementChanges(), holderText(holder)];
  if (link !== null) shared.add(HAIRPIN, element({ key: hairpinKey(link) }));
  if (isShared) shared.add(SHARED, element({ key: containerKey(holder.containerId) }));
  for (const address of targetsOf(ports)) {
    const { masquerade, self } = laneFor(address.family);
    if (link !== null) shared.add(self, element({ key: selfKey(address), comment }));
    if (masqueradeAll) shared.add(masquerade, element({ key: addressToBytes(address), comment }));
  }
  return shared.requests(ensureElements);
}

function standbySet({ hostAddress }: HostPort): SetSpec {
  return laneFor(hostAddress.family).standby;
}

function standbyKey(holder: PortHolder, port: HostPort): Uint8Array {
  return concatenate([attachmentKey(holder), portKeyWithAddress(port)]);
}

/** Whether everything that `spec` asks for is there, and nothing else of the attachment. */
function isPublished(state: PortmapState, spec: PublishSpec): boolean {
  const text = holderText(spec.holder);
  const own = state.ports.filter(({ holder }) => holder === text);
  const isHeld = (port: PublishedPort) => own.some((held) => isSamePort(held.port, port));
  const masqueraded = state.masqueraded.some(({ holder }) => holder === text);
  const linked = spec.link === null || state.hairpinLinks.includes(spec.link);
  return (
    own.length === spec.ports.length &&
    spec.ports.every(isHeld) &&
    masqueraded === spec.masqueradeAll &&
    linked
  );
}
