/**
 * Is a network isolated? The one question of an ADD, apart from all that makes isolation, so that an ADD that finds it
 * in place loads none of that.
 */
import { type Address, addressToBytes, compareAddresses, type Family } from "../../../addr/address.ts";
import { validateIfname } from "../../../addr/ifname.ts";
import { FairleadError } from "../../../errors.ts";
import { hashHex } from "../../../hash.ts";
import { type Chain, getChain } from "../../../netlink/nftables/chain.ts";
import { concatenate, IFNAME, IPV4_ADDR, IPV6_ADDR, ifnameKey } from "../../../netlink/nftables/datatype.ts";
import { type ElementList, getElement } from "../../../netlink/nftables/element.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import {
  COMMENT_MAXIMUM_BYTES,
  decodeComment,
  NFTNL_UDATA_SET_ELEM_COMMENT,
} from "../../../netlink/nftables/userdata.ts";
import type { NetlinkResult } from "../../../netlink/request.ts";
import { INSIDE } from "../table.ts";

/** What a network is kept apart from the others by. */
export interface IsolationSpec {
  readonly networkName: string;
  /** The link that the network's packets come in by. No other isolated network may have it. */
  readonly bridge: string;
  /** Addresses of the host on that link: they are for this network alone. */
  readonly gateways: readonly Address[];
  /** Nothing is forwarded onto or off the bridge, and its containers reach nothing of the host but the gateways. */
  readonly internal: boolean;
  /** The network's containers do not reach each other by way of the host either (icc=false). Default: they do. */
  readonly separate?: boolean;
  /** In these families nobody outside of the host gets onto the bridge by a route. Default: in none. */
  readonly closed?: readonly Family[];
}

/** Every isolated network's bridge. The comment says whose it is, and holds a hash of what was asked for. */
export const BRIDGES: SetSpec = { ...INSIDE, name: "isolation-bridges", key: [IFNAME] };
/** Which gateway addresses belong to which bridge. */
export const OWN = {
  4: { ...INSIDE, name: "isolation-own4", key: [IFNAME, IPV4_ADDR] },
  6: { ...INSIDE, name: "isolation-own6", key: [IFNAME, IPV6_ADDR] },
} as const satisfies Record<4 | 6, SetSpec>;

/**
 * The chains, each with what the kernel says uses it when all is in place: its rules, and the rules that go to it.
 * A test compares these numbers with the rules.
 */
export const CHAIN_USES = {
  "isolation-forward": 8,
  "isolation-input": 5,
  "isolation-internal": 5 + 1,
  "isolation-gateway": 5 + 2,
} as const satisfies Record<string, number>;

export type IsolationChain = keyof typeof CHAIN_USES;
const CHAIN_NAMES = Object.keys(CHAIN_USES) as readonly IsolationChain[];

/** Hexadecimal digits of the hash in a comment, and the blank behind it. */
const HASH_DIGITS = 16;

/**
 * Text that is on the element of the network's bridge: a hash of what is asked for the network, but for its gateways, and
 * its name.
 *
 * @throws invalid-config when a name cannot be used.
 */
export function isolationComment(spec: IsolationSpec): string {
  const { networkName, bridge, internal, separate = false, closed = [] } = spec;
  validateIfname(bridge);
  const content = JSON.stringify([networkName, bridge, internal, separate, [...closed].sort()]);
  const comment = `${hashHex(content, HASH_DIGITS)} ${networkName}`;
  if (new TextEncoder().encode(comment).length <= COMMENT_MAXIMUM_BYTES) return comment;
  throw new FairleadError({
    code: "invalid-config",
    operation: "isolate network",
    object: networkName,
    reason: `its name has more than ${COMMENT_MAXIMUM_BYTES - HASH_DIGITS - 1} bytes`,
    hint: "shorten it",
  });
}

/** The network that an element's comment names; null when it is not one of ours. */
export function networkOfComment(comment: string | null): string | null {
  return comment !== null && /^[0-9a-f]{16} ./.test(comment) ? comment.slice(HASH_DIGITS + 1) : null;
}

/** In order, each once. */
export function sortedGateways({ gateways }: Pick<IsolationSpec, "gateways">): Address[] {
  const sorted = [...gateways].sort(compareAddresses);
  return sorted.filter((address, at) => {
    const before = sorted[at - 1];
    return before === undefined || compareAddresses(before, address) !== 0;
  });
}

/** The key of a gateway in {@link OWN}. */
export function ownKey(bridge: string, address: Address): Uint8Array {
  return concatenate([ifnameKey(bridge), addressToBytes(address)]);
}

/**
 * Whether the network is isolated as `spec` says, perhaps with more gateways: one small datagram.
 *
 * It asks for the element of the bridge, whose comment tells what was made in one transaction with it; for those of the
 * gateways; and for the chains, of which the kernel says how many rules they have. It does not notice when somebody else
 * took another element away, or put another rule in the place of one; `checkIsolation` does.
 *
 * @throws FairleadError invalid-config.
 */
export function isIsolationInPlace(nft: NFTables, spec: IsolationSpec): boolean {
  const { bridge, gateways } = spec;
  const comment = isolationComment(spec);
  const chains = CHAIN_NAMES.map((name) => getChain({ ...INSIDE, name }));
  const elements = [
    getElement({ ...INSIDE, set: BRIDGES.name }, ifnameKey(bridge)),
    ...gateways.map((address) =>
      getElement({ ...INSIDE, set: OWN[address.family].name }, ownKey(bridge, address)),
    ),
  ];
  const results = nft.ask([...chains, ...elements]);
  const [element, ...owned] = results.slice(chains.length) as NetlinkResult<ElementList>[];
  return (
    commentOn(element) === comment &&
    owned.every(({ ok }) => ok) &&
    CHAIN_NAMES.every((name, at) => usesOf(results[at] as NetlinkResult<Chain>) === CHAIN_USES[name])
  );
}

/** A question that the kernel refuses, because the set is not there or not ours, has no answer. */
function commentOn(result: NetlinkResult<ElementList> | undefined): string | null {
  const [element] = result?.ok ? (result.replies[0]?.elements ?? []) : [];
  return decodeComment(element?.userdata, NFTNL_UDATA_SET_ELEM_COMMENT);
}

function usesOf(result: NetlinkResult<Chain> | undefined): number | undefined {
  return result?.ok ? result.replies[0]?.use : undefined;
}
