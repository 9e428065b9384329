/** Taking published ports back. */
import { addressToBytes } from "../../../addr/address.ts";
import { deleteElements, element, newElements } from "../../../netlink/nftables/element.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import { isAbsent, type NetlinkRequest } from "../../../netlink/request.ts";
import { ElementChanges, isSameKey, portElement } from "./changes.ts";
import {
  attachmentKey,
  containerKey,
  type HostPort,
  holderText,
  isHolderOn,
  overlaps,
  type PortHolder,
  parseAttachment,
  parseHolder,
} from "./holder.ts";
import {
  ATTACHMENTS,
  laneFor,
  mapOf,
  type PublishedPort,
  portKey,
  readPort,
  SHARED,
  selfKey,
  targetsOf,
} from "./plan.ts";
import { commentOf, type HeldPort, type PortmapState, readPortmap, wanted } from "./state.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/** Asks whether the attachment has published anything; for whoever asks several things at once. */
export function findPublished(holder: PortHolder) {
  return wanted(ATTACHMENTS, attachmentKey(holder));
}

/**
 * Takes back what `publishPorts` made for the attachment. Idempotent; needs nothing but the key. Returns the ports that
 * it had.
 *
 * Where there is nothing, one exchange with the kernel says so. Closing the connection's socket takes some 13 ms
 * afterwards if something was there.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function unpublishPorts(nft: NFTables, holder: PortHolder): readonly PublishedPort[] {
  const [attachment, shared] = nft.findAll([
    wanted(ATTACHMENTS, attachmentKey(holder)),
    wanted(SHARED, containerKey(holder.containerId)),
  ]);
  const own = attachment?.elements?.[0];
  if (own === undefined) return [];
  const elements = shared === undefined ? ownElements(nft, holder, commentOf(own)) : null;
  return (elements && removeElements(nft, elements)) ?? forgetByText(nft, holder);
}

/**
 * The link that an attachment had when it published, if it is written down: evidence, when it is gone, that the attachment is, too.
 * Null: it published nothing, or nobody knows.
 */
export function findOwnLink(nft: NFTables, holder: PortHolder): string | null {
  const own = nft.find(wanted(ATTACHMENTS, attachmentKey(holder)))?.elements?.[0];
  const { holder: text, link = null } = parseAttachment(commentOf(own));
  return text === holderText(holder) ? link : null;
}

function forgetByText(nft: NFTables, holder: PortHolder): readonly PublishedPort[] {
  const text = holderText(holder);
  return forgetPorts(nft, `unpublish ports of ${text}`, (held) => held === text);
}

/** What an attachment has, by key. */
interface OwnElements {
  readonly ports: readonly PublishedPort[];
  readonly elements: readonly { readonly set: SetSpec; readonly key: Uint8Array }[];
}

/** What the attachment's comment leads to; null where that is not all of it, or something else is there. */
function ownElements(nft: NFTables, holder: PortHolder, comment: string): OwnElements | null {
  const { ports: hostPorts, holder: text } = parseAttachment(comment);
  if (hostPorts === null || text !== holderText(holder)) return null;
  const ports = lookUpPorts(nft, hostPorts, text);
  if (ports === null) return null;
  const shared = targetsOf(ports).flatMap((address) => {
    const { self, masquerade } = laneFor(address.family);
    return [
      { set: self, key: selfKey(address) },
      { set: masquerade, key: addressToBytes(address) },
    ];
  });
  const found = nft.findAll(shared.map(({ set, key }) => wanted(set, key)));
  const isOwn = (at: number) => commentOf(found[at]?.elements?.[0]) === text;
  return {
    ports,
    elements: [
      { set: ATTACHMENTS, key: attachmentKey(holder) },
      ...ports.map((port) => ({ set: mapOf(port), key: portKey(port) })),
      ...shared.filter((_, at) => isOwn(at)),
    ],
  };
}

/** The ports as the maps have them; null when one is not there, or is somebody else's. */
function lookUpPorts(nft: NFTables, ports: readonly HostPort[], holder: string): PublishedPort[] | null {
  const found = nft.findAll(ports.map((port) => wanted(mapOf(port), portKey(port))));
  const read = ports.map(({ hostAddress: { family } }, at) => {
    const one = found[at]?.elements?.[0];
    const [key, target] = [one?.key?.value, one?.data?.value];
    return key && target && commentOf(one) === holder ? readPort(family, key, target) : null;
  });
  return read.every((port) => port !== null) ? read : null;
}

/** The ports that went; null when somebody else took something out meanwhile, and nothing went. */
function removeElements(nft: NFTables, { ports, elements }: OwnElements): readonly PublishedPort[] | null {
  const changes = new ElementChanges();
  for (const { set, key } of elements) changes.add(set, element({ key }));
  try {
    nft.commit(changes.requests(deleteElements));
    return ports;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/**
 * Takes back what attachments to the network have that are not among the valid ones. Returns the ports that they had.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function unpublishStalePorts(
  nft: NFTables,
  networkName: string,
  valid: readonly Pick<PortHolder, "containerId" | "ifname">[],
): readonly PublishedPort[] {
  const kept = new Set(valid.map((attachment) => holderText({ networkName, ...attachment })));
  const isStale = (holder: string) => isHolderOn(networkName, holder) && !kept.has(holder);
  return forgetPorts(nft, `unpublish stale ports of network ${networkName}`, isStale);
}

/** Takes back what the holders have whose texts are meant. Reads everything, whatever the attachments' comments say. */
export function forgetPorts(
  nft: NFTables,
  purpose: string,
  isForgotten: (holder: string) => boolean,
): PublishedPort[] {
  let gone: PublishedPort[] = [];
  nft.update(purpose, () => {
    const state = readPortmap(nft);
    gone = state.ports.filter(({ holder }) => isForgotten(holder)).map(({ port }) => port);
    return requestsToForget(state, isForgotten);
  });
  return gone;
}

/** What was on standby for a port that becomes free takes effect in the same transaction. */
function requestsToForget(state: PortmapState, isForgotten: (holder: string) => boolean): Requests {
  const { ports, attachments, masqueraded, selves, shared } = state;
  const removed = [...ports, ...attachments, ...masqueraded, ...selves].filter(({ holder }) =>
    isForgotten(holder),
  );
  const remaining = ports.filter(({ holder }) => !isForgotten(holder));
  const promoted = portsToPromote(remaining);
  const waiting = remaining.filter((held) => held.isStandby && !promoted.includes(held));
  const isWaitedFor = (key: Uint8Array) =>
    waiting.some(({ holder }) => isSameKey(key, containerKey(parseHolder(holder)?.containerId ?? "")));
  const unshared = shared.filter(({ key }) => !isWaitedFor(key));
  const removals = new ElementChanges();
  for (const { set, key } of [...removed, ...promoted, ...unshared]) removals.add(set, element({ key }));
  const additions = new ElementChanges();
  for (const { port, holder } of promoted)
    additions.add(mapOf(port), portElement(portKey(port), port, holder));
  return [...removals.requests(deleteElements), ...additions.requests(newElements)];
}

/** Ports on standby that nothing is in the way of any more. */
function portsToPromote(remaining: readonly HeldPort[]): HeldPort[] {
  const promoted: HeldPort[] = [];
  for (const held of remaining.filter(({ isStandby }) => isStandby)) {
    const isInTheWay = (other: HeldPort) =>
      (!other.isStandby || promoted.includes(other)) && overlaps(other.port, held.port);
    if (!remaining.some(isInTheWay)) promoted.push(held);
  }
  return promoted;
}
