/**
 * Source checks: a container sends from its own MAC address and its own IP addresses, or not at all. What the verbs make is
 * described in `firewall-source-plan.ts`.
 *
 * Elements outlive their port: nobody else's port ever has its name, and an ADD of the same attachment replaces them. So DEL
 * leaves them, which would have to wait for the kernel, and {@link sweepSourceChecks} takes many at once.
 */
import { FairleadError } from "../../../errors.ts";
import { zstring } from "../../../netlink/attribute.ts";
import { type Chain, getChain, newChain } from "../../../netlink/nftables/chain.ts";
import { IFNAME, ifnameKey } from "../../../netlink/nftables/datatype.ts";
import {
  deleteElements,
  type Element,
  type ElementsKey,
  element,
  newElements,
} from "../../../netlink/nftables/element.ts";
import { findElement, listElements } from "../../../netlink/nftables/elements.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { flushChain, getRules, newRule } from "../../../netlink/nftables/rule.ts";
import { getSet, newSet, type SetSpec } from "../../../netlink/nftables/set.ts";
import { newTable } from "../../../netlink/nftables/table.ts";
import { decodeComment, NFTNL_UDATA_SET_ELEM_COMMENT } from "../../../netlink/nftables/userdata.ts";
import { isAbsent, isPresent, type NetlinkRequest, type NetlinkResult } from "../../../netlink/request.ts";
import { checkFirewall } from "../check.ts";
import { holds } from "../rules-compare.ts";
import { BRIDGE_TABLE, INSIDE_BRIDGE } from "../table.ts";
import {
  CHAIN_NAMES,
  CHAIN_USES,
  elementsOf,
  OWN,
  PORTS,
  SETS,
  type SourceChainPlan,
  type SourceSpec,
  sourceChains,
  sourceComment,
} from "./plan.ts";

export type { SourceSpec } from "./plan.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/** How often somebody else may take the table or an element away between two requests of ours. */
const ATTEMPTS = 20;

/**
 * Binds what comes in by `hostIfname` to the MAC address and the addresses of `spec`.
 *
 * Idempotent, and safe when many processes do it at once. What an earlier attachment of the same port left is replaced. One
 * question, and one transaction even where all is in place: {@link sweepSourceChecks} must notice that the port is used.
 *
 * @throws FairleadError invalid-config, in-use when somebody else's chain has a name of ours; kernel-refused, unavailable.
 */
export function ensureSourceCheck(nft: NFTables, spec: SourceSpec): void {
  const additions = elementsOf(spec).flatMap(({ set, elements }) =>
    elements.length === 0 ? [] : [newElements(keyOf(set), elements.map(element))],
  );
  if (!areChainsInPlace(nft)) ensureRules(nft);
  let stale: Requests = [];
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      nft.commit([...stale, ...additions]);
      return;
    } catch (error) {
      if (!isAbsent(error) && !isPresent(error)) throw error;
      if (isAbsent(error)) ensureRules(nft);
      stale = deletionsOf(nft, (ifname) => ifname === spec.hostIfname);
    }
  }
  throw tooBusy(spec.hostIfname);
}

function keyOf({ family, table, name }: SetSpec): ElementsKey {
  return { family, table, set: name };
}

/** Elements in one request, whose list has 64 KiB at most. */
const ELEMENTS_AT_ONCE = 500;

/** Requests that take the elements of these ports out of every set. */
function deletionsOf(nft: NFTables, isMeant: (ifname: string) => boolean): Requests {
  return SETS.flatMap((set) => {
    const found = listElements(nft, keyOf(set)).filter((one) => isMeant(portOf(one)));
    const parts = Array.from({ length: Math.ceil(found.length / ELEMENTS_AT_ONCE) }, (_, at) =>
      found.slice(at * ELEMENTS_AT_ONCE, (at + 1) * ELEMENTS_AT_ONCE),
    );
    return parts.map((part) => deleteElements(keyOf(set), part.map(keyOnly)));
  });
}

function keyBytes({ key }: Element): Uint8Array {
  return key?.value ?? new Uint8Array(0);
}

function keyOnly(one: Element): Element {
  return element({ key: keyBytes(one) });
}

/** The first field of every key. */
function portOf(one: Element): string {
  return zstring.decode(keyBytes(one).subarray(0, IFNAME.length));
}

/** By how many rules they have: one small datagram. {@link repairSourceRules} looks at every rule. */
function areChainsInPlace(nft: NFTables): boolean {
  const results: readonly NetlinkResult<Chain>[] = nft.ask(
    CHAIN_NAMES.map((name) => getChain({ ...INSIDE_BRIDGE, name })),
  );
  return CHAIN_NAMES.every((name, at) => {
    const result = results[at];
    return result?.ok === true && result.replies[0]?.use === CHAIN_USES[name];
  });
}

/** Makes table, sets, chains and rules as far as they are not there as they should be. */
function ensureRules(nft: NFTables): void {
  nft.update("check sources of containers", () => requestsForRules(nft));
}

function requestsForRules(nft: NFTables): Requests {
  const chains = sourceChains().map((plan) => ({ plan, state: stateOf(nft, plan) }));
  if (chains.every(({ state }) => state === "in place")) return [];
  const missing = SETS.filter(({ name }) => nft.find(getSet({ ...INSIDE_BRIDGE, name })) === undefined);
  return [
    newTable(BRIDGE_TABLE),
    ...missing.map(newSet),
    ...chains.flatMap(({ plan, state }) => requestsForChain(plan, state)),
  ];
}

type ChainState = "missing" | "different" | "in place";

function stateOf(nft: NFTables, { name, base, rules }: SourceChainPlan): ChainState {
  const present = nft.find(getChain({ ...INSIDE_BRIDGE, name }));
  if (present === undefined) return "missing";
  if (present.hook?.number !== base?.hook || present.hook?.priority !== base?.priority) throw inTheWay(name);
  const found = nft.list(getRules({ ...INSIDE_BRIDGE, chain: name }));
  const same =
    found.length === rules.length && rules.every((rule, at) => holds(found[at]?.expressions ?? [], rule));
  return same ? "in place" : "different";
}

function requestsForChain({ name, base, rules }: SourceChainPlan, state: ChainState): Requests {
  if (state === "in place") return [];
  return [
    state === "missing"
      ? newChain({ ...INSIDE_BRIDGE, name, ...(base && { base }) })
      : flushChain({ ...INSIDE_BRIDGE, chain: name }),
    ...rules.map((expressions) => newRule({ ...INSIDE_BRIDGE, chain: name, expressions })),
  ];
}

/**
 * Makes the rules again that somebody else changed, where there are checks. Which attachments there are is not known here.
 *
 * @returns whether something was wrong.
 * @throws FairleadError in-use, kernel-refused, unavailable.
 */
export function repairSourceRules(nft: NFTables): boolean {
  let wasWrong = false;
  nft.update("repair source checks", () => {
    const requests = listElements(nft, keyOf(PORTS)).length === 0 ? [] : requestsForRules(nft);
    wasWrong = requests.length > 0;
    return requests;
  });
  return wasWrong;
}

/** The ports whose sources are checked, and which may send from something. */
export function listSourceChecks(nft: NFTables): ReadonlySet<string> {
  const owners = new Set([...portsIn(nft, OWN[4]), ...portsIn(nft, OWN[6])]);
  return new Set([...portsIn(nft, PORTS)].filter((ifname) => owners.has(ifname)));
}

function portsIn(nft: NFTables, set: SetSpec): Set<string> {
  return new Set(listElements(nft, keyOf(set)).map(portOf));
}

/** Ports whose elements are taken away in one transaction, which must fit into a socket's buffer. */
const PORTS_AT_ONCE = 256;

/**
 * Takes back what {@link ensureSourceCheck} made for ports that are gone, many in one transaction.
 *
 * Closing the connection's socket takes some 13 ms afterwards, if something was there.
 *
 * @param isPresent whether there is such a link, asked after the elements were read: an ADD makes its link before them.
 * @throws FairleadError kernel-refused, unavailable.
 */
export function sweepSourceChecks(nft: NFTables, isLinkPresent: (ifname: string) => boolean): void {
  let left = 0;
  do {
    nft.update("take back source checks of ports that are gone", () => {
      const gone = [...portsIn(nft, PORTS)].filter((ifname) => !isLinkPresent(ifname));
      const now = new Set(gone.slice(0, PORTS_AT_ONCE));
      left = gone.length - now.size;
      return now.size === 0 ? [] : deletionsOf(nft, (ifname) => now.has(ifname));
    });
  } while (left > 0);
}

/** Takes back what {@link ensureSourceCheck} made for one port. Idempotent. As {@link sweepSourceChecks}. */
export function removeSourceCheck(nft: NFTables, hostIfname: string): void {
  nft.update(`take back source check of ${hostIfname}`, () =>
    deletionsOf(nft, (name) => name === hostIfname),
  );
}

/**
 * Makes sure that the port's sources are checked as `spec` says.
 *
 * @throws FairleadError check-failed, which says what is missing; invalid-config, kernel-refused, unavailable.
 */
export function checkSourceCheck(nft: NFTables, spec: SourceSpec): void {
  const check = {
    operation: "check source check of",
    object: spec.hostIfname,
    table: "bridge fairlead",
    remedy: "the agent mends it, or attach the container again",
  };
  checkFirewall(nft, check, () => problemWith(nft, spec));
}

function problemWith(nft: NFTables, spec: SourceSpec): string | null {
  if (!isBound(nft, spec)) return `set ${PORTS.name} lacks the interface`;
  const lacking = elementsOf(spec).find(({ set, elements }) =>
    elements.some(({ key }) => findElement(nft, keyOf(set), key) === undefined),
  );
  if (lacking) return `set ${lacking.set.name} lacks what the interface may send from`;
  const broken = sourceChains().find((plan) => stateOf(nft, plan) !== "in place");
  return broken ? `chain ${broken.name} is ${stateOf(nft, broken)}` : null;
}

/** Whether the port's sources are checked, and by the addresses of `spec`: one small request. */
export function isBound(nft: NFTables, spec: SourceSpec): boolean {
  const found = findElement(nft, keyOf(PORTS), ifnameKey(spec.hostIfname));
  return decodeComment(found?.userdata, NFTNL_UDATA_SET_ELEM_COMMENT) === sourceComment(spec);
}

function inTheWay(chain: string): FairleadError {
  return new FairleadError({
    code: "in-use",
    operation: "make nftables chain",
    object: `bridge ${BRIDGE_TABLE.name} ${chain}`,
    reason: "there is a chain of that name that Fairlead did not make",
    hint: `remove it: nft delete chain bridge ${BRIDGE_TABLE.name} ${chain}`,
  });
}

function tooBusy(hostIfname: string): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: "bind sources of",
    object: hostIfname,
    reason: `table bridge fairlead was changed by others during each of ${ATTEMPTS} attempts`,
    hint: "find out what changes it all the time (`nft monitor`), and try again",
  });
}
