/**
 * Source MAC checks: a container sends from its own MAC address, or not at all.
 *
 * ```
 * table bridge fairlead {
 *   set mac-checked { type ifname; elements = { "veth1" comment "02:ab:cd:ef:01:23 web/c1/eth0" } }
 *   set mac-allowed { type ifname . ether_addr; elements = { "veth1" . 02:ab:cd:ef:01:23 } }
 *
 *   chain mac-spoof { type filter hook prerouting priority dstnat; policy accept;
 *     iifname @mac-checked iifname . ether saddr != @mac-allowed drop }
 * }
 * ```
 * One rule serves all; an attachment is one element in each set. The comment says what it was made for, so that it
 * can be found and taken back by the host interface's name alone.
 */
import { validateIfname } from "../../../addr/ifname.ts";
import { macToBytes, parseInterfaceMac } from "../../../addr/mac.ts";
import { FairleadError } from "../../../errors.ts";
import { hashHex } from "../../../hash.ts";
import {
  type ChainSpec,
  getChain,
  NF_BR_PRI_NAT_DST_BRIDGED,
  NF_INET_PRE_ROUTING,
  newChain,
} from "../../../netlink/nftables/chain.ts";
import {
  concatenate,
  ETHER_ADDR,
  IFNAME,
  ifnameKey,
  ifnameOfKey,
} from "../../../netlink/nftables/datatype.ts";
import {
  deleteElements,
  type ElementsKey,
  element,
  getElement,
  newElements,
} from "../../../netlink/nftables/element.ts";
import { findElement, listElements } from "../../../netlink/nftables/elements.ts";
import { counter } from "../../../netlink/nftables/expr/counter.ts";
import { NFT_REG_1, NFT_REG_2, verdict } from "../../../netlink/nftables/expr/data.ts";
import type { Expression } from "../../../netlink/nftables/expr/expression.ts";
import { immediateVerdict } from "../../../netlink/nftables/expr/immediate.ts";
import { lookup } from "../../../netlink/nftables/expr/lookup.ts";
import { meta, NFT_META_IIFNAME } from "../../../netlink/nftables/expr/meta.ts";
import { ETHER_SADDR, payload } from "../../../netlink/nftables/expr/payload.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { getRules, newRule } from "../../../netlink/nftables/rule.ts";
import { newSet, type SetSpec } from "../../../netlink/nftables/set.ts";
import { deleteTable, getTable, newTable } from "../../../netlink/nftables/table.ts";
import {
  COMMENT_MAXIMUM_BYTES,
  decodeComment,
  NFTNL_UDATA_SET_ELEM_COMMENT,
} from "../../../netlink/nftables/userdata.ts";
import { isAbsent, isPresent, type NetlinkRequest } from "../../../netlink/request.ts";
import { checkFirewall } from "../check.ts";
import { holds } from "../rules-compare.ts";
import { BRIDGE_TABLE, INSIDE_BRIDGE } from "../table.ts";

/** One attachment whose source MAC is checked. */
export interface MacSpoofSpec {
  /** What the attachment is called, for whoever lists the rules: `web/<container ID>/eth0`. */
  readonly key: string;
  /** The attachment's interface on the host, a port of the bridge. */
  readonly hostIfname: string;
  /** The only source address that may come in by it. */
  readonly mac: string;
}

const CHECKED: SetSpec = { ...INSIDE_BRIDGE, name: "mac-checked", key: [IFNAME], id: 1 };
const ALLOWED: SetSpec = { ...INSIDE_BRIDGE, name: "mac-allowed", key: [IFNAME, ETHER_ADDR], id: 2 };
const CHAIN: ChainSpec = {
  ...INSIDE_BRIDGE,
  name: "mac-spoof",
  base: { type: "filter", hook: NF_INET_PRE_ROUTING, priority: NF_BR_PRI_NAT_DST_BRIDGED },
};
/** What {@link getTable} counts when there is nothing but these three. */
const OBJECTS_IN_TABLE = 3;

/** How often somebody else may take the table away, or the element, between two requests of ours. */
const ATTEMPTS = 20;

function elementsKey({ family, table, name }: SetSpec): ElementsKey {
  return { family, table, set: name };
}

function rule(): Expression[] {
  return [
    meta(NFT_META_IIFNAME, NFT_REG_1),
    lookup({ set: CHECKED.name, sreg: NFT_REG_1 }),
    meta(NFT_META_IIFNAME, NFT_REG_1),
    payload(ETHER_SADDR, NFT_REG_2),
    lookup({ set: ALLOWED.name, sreg: NFT_REG_1, inverted: true }),
    counter(),
    immediateVerdict(verdict.drop),
  ];
}

/** MAC first: it is what is read back. A key too long for a comment is there as its hash. */
function commentOf({ key, mac }: MacSpoofSpec): string {
  const comment = `${parseInterfaceMac(mac)} ${key}`;
  const fits = new TextEncoder().encode(comment).length <= COMMENT_MAXIMUM_BYTES;
  return fits ? comment : `${parseInterfaceMac(mac)} ${hashHex(key, 16)}`;
}

/** Asks whether the interface's source MAC is checked; for whoever asks several things at once. */
export function findSourceCheck(hostIfname: string) {
  return getElement(elementsKey(CHECKED), ifnameKey(validateIfname(hostIfname)));
}

/** The comment on the interface's element; null when there is no element. */
function findComment(nft: NFTables, hostIfname: string): string | null {
  const found = findElement(nft, elementsKey(CHECKED), ifnameKey(validateIfname(hostIfname)));
  return found ? (decodeComment(found.userdata, NFTNL_UDATA_SET_ELEM_COMMENT) ?? "") : null;
}

/**
 * Whether the interface's source MAC is checked as `spec` says: one small request. Both elements were made in one
 * transaction.
 *
 * @throws FairleadError invalid-config, kernel-refused.
 */
export function isMacSpoofCheckInPlace(nft: NFTables, spec: MacSpoofSpec): boolean {
  return findComment(nft, spec.hostIfname) === commentOf(spec);
}

/**
 * Drops what comes in by `hostIfname` from any MAC but `mac`.
 *
 * Idempotent, and safe when many processes do it at once. What an earlier attachment of the same host interface
 * left is replaced.
 *
 * @throws FairleadError invalid-config, kernel-refused, unavailable.
 */
export function ensureMacSpoofCheck(nft: NFTables, spec: MacSpoofSpec): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const comment = findComment(nft, spec.hostIfname);
    if (comment === commentOf(spec)) return;
    try {
      nft.commit([...requestsToForget(spec.hostIfname, comment), ...requestsToAdd(spec)]);
      return;
    } catch (error) {
      if (!isAbsent(error) && !isPresent(error)) throw error;
      ensureTable(nft);
    }
  }
  throw tooBusy("ensure", spec.hostIfname);
}

function requestsToAdd(spec: MacSpoofSpec): NetlinkRequest[] {
  const key = ifnameKey(validateIfname(spec.hostIfname));
  const pair = concatenate([key, macToBytes(spec.mac)]);
  return [
    newElements(elementsKey(CHECKED), [element({ key, comment: commentOf(spec) })]),
    newElements(elementsKey(ALLOWED), [element({ key: pair })]),
  ];
}

/** @param comment of the element that is there; null when there is none. */
function requestsToForget(hostIfname: string, comment: string | null): NetlinkRequest[] {
  if (comment === null) return [];
  const key = ifnameKey(validateIfname(hostIfname));
  const mac = comment.split(" ")[0] ?? "";
  const pair = concatenate([key, macToBytes(mac)]);
  return [
    deleteElements(elementsKey(CHECKED), [element({ key })]),
    deleteElements(elementsKey(ALLOWED), [element({ key: pair })]),
  ];
}

function ensureTable(nft: NFTables): void {
  nft.update("create table bridge fairlead", () => {
    if (nft.find(getChain(CHAIN))) return [];
    const rules = newRule({ ...INSIDE_BRIDGE, chain: CHAIN.name, expressions: rule() });
    return [newTable(BRIDGE_TABLE), newSet(CHECKED), newSet(ALLOWED), newChain(CHAIN), rules];
  });
}

/**
 * Takes back what {@link ensureMacSpoofCheck} made for the interface. Idempotent; needs nothing but the name.
 *
 * Closing the connection's socket takes some 13 ms afterwards, if something was there.
 *
 * @throws FairleadError invalid-config, kernel-refused, unavailable.
 */
export function removeMacSpoofCheck(nft: NFTables, hostIfname: string): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const comment = findComment(nft, hostIfname);
    if (comment === null) return;
    try {
      nft.commit(requestsToForget(hostIfname, comment));
      return;
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  throw tooBusy("remove", hostIfname);
}

/**
 * Takes back the checks of interfaces that were made for what `isStale` names; its argument is the `key` of the spec.
 * Idempotent. A key that was too long to be written down is nobody's here: its check goes with its interface.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeStaleMacSpoofChecks(nft: NFTables, isStale: (key: string) => boolean): void {
  for (const { key, userdata } of listElements(nft, elementsKey(CHECKED))) {
    const comment = decodeComment(userdata, NFTNL_UDATA_SET_ELEM_COMMENT) ?? "";
    const hostIfname = key?.value && ifnameOfKey(key.value);
    if (hostIfname && isStale(comment.slice(comment.indexOf(" ") + 1))) removeMacSpoofCheck(nft, hostIfname);
  }
}

function tooBusy(verb: string, hostIfname: string): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: `${verb} source MAC check of`,
    object: hostIfname,
    reason: `table bridge fairlead was changed by others during each of ${ATTEMPTS} attempts`,
    hint: "find out what changes it all the time (`nft monitor`), and try again",
  });
}

/**
 * Deletes the table when no interface is checked any more. The table costs every bridged packet a look-up, but
 * deleting it with every last container and making it with every first would cost more.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeUnusedMacSpoofTable(nft: NFTables): void {
  nft.update("remove unused table bridge fairlead", () => {
    const unused = listElements(nft, elementsKey(CHECKED)).length === 0;
    return unused && nft.find(getTable(BRIDGE_TABLE))?.use === OBJECTS_IN_TABLE
      ? [deleteTable(BRIDGE_TABLE)]
      : [];
  });
}

/**
 * Makes sure that the interface's source MAC is checked as `spec` says.
 *
 * @throws FairleadError check-failed, which says what is missing; invalid-config, kernel-refused, unavailable.
 */
export function checkMacSpoofCheck(nft: NFTables, spec: MacSpoofSpec): void {
  const check = {
    operation: "check source MAC check of",
    object: spec.hostIfname,
    table: "bridge fairlead",
    remedy: "attach the container again",
  };
  checkFirewall(nft, check, () => problemWith(nft, spec));
}

function problemWith(nft: NFTables, spec: MacSpoofSpec): string | null {
  const pair = concatenate([ifnameKey(spec.hostIfname), macToBytes(spec.mac)]);
  const rules = nft.list(getRules({ ...INSIDE_BRIDGE, chain: CHAIN.name }));
  if (findComment(nft, spec.hostIfname) !== commentOf(spec)) return `set ${CHECKED.name} lacks the interface`;
  if (!findElement(nft, elementsKey(ALLOWED), pair)) return `set ${ALLOWED.name} lacks ${spec.mac}`;
  return rules.some(({ expressions = [] }) => holds(expressions, rule())) ? null : "the rule is missing";
}
