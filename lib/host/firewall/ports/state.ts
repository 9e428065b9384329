/** Published ports as the kernel has them. */
import { zstring } from "../../../netlink/attribute.ts";
import { IFNAME } from "../../../netlink/nftables/datatype.ts";
import { type Element, type ElementsKey, getElement } from "../../../netlink/nftables/element.ts";
import { listElements } from "../../../netlink/nftables/elements.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import { decodeComment, NFTNL_UDATA_SET_ELEM_COMMENT } from "../../../netlink/nftables/userdata.ts";
import { parseAttachment } from "./holder.ts";
import {
  ATTACHMENTS,
  HAIRPIN,
  type PortLane,
  type PublishedPort,
  portLanes,
  readPort,
  SHARED,
} from "./plan.ts";

/** One element of a set or map, and whose it is. */
interface HeldElement {
  readonly set: SetSpec;
  readonly key: Uint8Array;
  /** Text of its holder; empty where there is no comment. */
  readonly holder: string;
}

export interface HeldPort extends HeldElement {
  readonly port: PublishedPort;
  /** Not in effect: another attachment of the container has the port. */
  readonly isStandby: boolean;
}

export interface PortmapState {
  readonly ports: readonly HeldPort[];
  readonly attachments: readonly HeldElement[];
  readonly masqueraded: readonly HeldElement[];
  readonly selves: readonly HeldElement[];
  readonly kept: readonly HeldElement[];
  /** Containers with ports on standby: their keys are hashes. */
  readonly shared: readonly HeldElement[];
  readonly hairpinLinks: readonly string[];
}

export function elementsKey({ family, table, name }: SetSpec): ElementsKey {
  return { family, table, set: name };
}

/** The comment of an element; empty when there is none. */
export function commentOf(element: Element | undefined): string {
  return decodeComment(element?.userdata, NFTNL_UDATA_SET_ELEM_COMMENT) ?? "";
}

/** Reads it all, in several requests: consistent only inside `NFTables.update` or `NFTables.read`. */
export function readPortmap(nft: NFTables): PortmapState {
  const held = (set: SetSpec) => listHeld(nft, set);
  return {
    ports: portLanes().flatMap((lane) => readPorts(nft, lane)),
    attachments: held(ATTACHMENTS),
    masqueraded: portLanes().flatMap(({ masquerade }) => held(masquerade)),
    selves: portLanes().flatMap(({ self }) => held(self)),
    kept: portLanes().flatMap(({ kept }) => held(kept)),
    shared: held(SHARED),
    hairpinLinks: held(HAIRPIN).map(({ key }) => zstring.decode(key.slice(0, IFNAME.length))),
  };
}

/** Every port that some container has, without those on standby. For choosing others: it may change at any time. */
export function readPublishedPorts(nft: NFTables): PublishedPort[] {
  return portLanes().flatMap(({ every, bound }) =>
    [...readPortsIn(nft, every), ...readPortsIn(nft, bound)].map(({ port }) => port),
  );
}

/** Attachments with the link of their own that they had when they published, where that is written down. */
export function readHolderLinks(nft: NFTables): { readonly holder: string; readonly link: string }[] {
  return listElements(nft, elementsKey(ATTACHMENTS)).flatMap((element) => {
    const { holder, link } = parseAttachment(commentOf(element));
    return link === undefined ? [] : [{ holder, link }];
  });
}

function listHeld(nft: NFTables, set: SetSpec): HeldElement[] {
  return listElements(nft, elementsKey(set)).flatMap((element) => {
    const key = element.key?.value;
    if (key === undefined) return [];
    const comment = commentOf(element);
    const holder = set === ATTACHMENTS ? parseAttachment(comment).holder : comment;
    return [{ set, key, holder }];
  });
}

function readPorts(nft: NFTables, { every, bound, standby }: PortLane): HeldPort[] {
  return [...readPortsIn(nft, every), ...readPortsIn(nft, bound), ...readPortsIn(nft, standby)];
}

/** The ports in one map of {@link portLanes}. */
export function readPortsIn(nft: NFTables, set: SetSpec): HeldPort[] {
  const lane = portLanes().find(({ every, bound, standby }) => [every, bound, standby].includes(set));
  const isStandby = lane?.standby === set;
  return listElements(nft, elementsKey(set)).flatMap((element) => {
    const key = element.key?.value ?? new Uint8Array(0);
    const target = element.data?.value ?? new Uint8Array(0);
    const port = lane ? readPort(lane.family, isStandby ? key.slice(IFNAME.length) : key, target) : null;
    return port === null ? [] : [{ set, key, port, isStandby, holder: commentOf(element) }];
  });
}

/** An element to be looked for; it is the only one of its reply. */
export function wanted(set: SetSpec, key: Uint8Array) {
  return getElement(elementsKey(set), key);
}
