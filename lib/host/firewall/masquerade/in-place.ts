/**
 * Is a network masqueraded? The one question of an ADD, apart from all that makes masquerading, so that an ADD that
 * finds it in place loads none of that.
 */
import { validateIfname } from "../../../addr/ifname.ts";
import { comparePrefixes, formatPrefix, type Prefix, prefixContainsPrefix } from "../../../addr/prefix.ts";
import { FairleadError } from "../../../errors.ts";
import { hashHex } from "../../../hash.ts";
import { type Chain, getChain } from "../../../netlink/nftables/chain.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import {
  COMMENT_MAXIMUM_BYTES,
  decodeComment,
  NFTNL_UDATA_CHAIN_COMMENT,
} from "../../../netlink/nftables/userdata.ts";
import { INSIDE } from "../table.ts";

/** What is masqueraded for one network. */
export interface MasqueradeSpec {
  readonly networkName: string;
  /** The network's own prefixes, of either family: what comes from them and leaves them is masqueraded. */
  readonly prefixes: readonly Prefix[];
  /** The bridge that the network's packets come in by, if it has one. */
  readonly bridge?: string;
}

/** Chains of networks begin with this, and no others do. */
export const NETWORK_CHAIN = "masq-";

/** All chains of one network begin with this. */
export function chainNamePrefix(networkName: string): string {
  return `${NETWORK_CHAIN}${hashHex(networkName, 16)}-`;
}

/** By what a network's chain is known. */
export interface MasqueradeIdentity {
  readonly networkName: string;
  /** Sorted, and without those that lie in another: their addresses are masqueraded through that one. */
  readonly prefixes: readonly Prefix[];
  /**
   * After a hash of the network's name and one of all the rest: a chain of that name is the right one, and one that
   * begins alike belongs to the same network.
   */
  readonly chainName: string;
}

/** @throws invalid-config when there is no prefix, or a name cannot be used. */
export function masqueradeIdentity({ networkName, prefixes, bridge }: MasqueradeSpec): MasqueradeIdentity {
  const distinct = withoutContained(prefixes);
  if (distinct.length === 0) throw invalid(networkName, "it has no prefixes", "give its subnets");
  if (new TextEncoder().encode(networkName).length > COMMENT_MAXIMUM_BYTES) {
    throw invalid(networkName, `its name has more than ${COMMENT_MAXIMUM_BYTES} bytes`, "shorten it");
  }
  if (bridge !== undefined) validateIfname(bridge);
  const content = JSON.stringify([bridge ?? null, ...distinct.map(formatPrefix)]);
  const chainName = chainNamePrefix(networkName) + hashHex(content, 16);
  return { networkName, prefixes: distinct, chainName };
}

function withoutContained(prefixes: readonly Prefix[]): Prefix[] {
  const kept: Prefix[] = [];
  for (const prefix of [...prefixes].sort(comparePrefixes)) {
    if (!kept.some((outer) => prefixContainsPrefix(outer, prefix))) kept.push(prefix);
  }
  return kept;
}

export function familiesOf(prefixes: readonly Prefix[]): (4 | 6)[] {
  return ([4, 6] as const).filter((family) => prefixes.some(({ address }) => address.family === family));
}

/**
 * Whether the network is masqueraded as `spec` says: one small request.
 *
 * It looks for the chain that is named after all of `spec` and was made in one transaction with everything else,
 * and counts what the kernel says is in it and points to it. It does not notice when somebody else took a rule
 * out of the two base chains, or put another in the place of one; `checkMasquerade` does.
 *
 * @throws FairleadError invalid-config, kernel-refused.
 */
export function isMasqueradeInPlace(nft: NFTables, spec: MasqueradeSpec): boolean {
  const identity = masqueradeIdentity(spec);
  const key = { ...INSIDE, name: identity.chainName };
  return isChainOf(identity, nft.find(getChain(key)));
}

/**
 * Whether this is the network's chain, with all that belongs to it.
 * @param elements that lead to it. Default: one for each prefix.
 */
export function isChainOf(
  { networkName, prefixes, elements }: MasqueradeIdentity & { readonly elements?: number },
  chain: Chain | undefined,
): boolean {
  if (chain === undefined) return false;
  const comment = decodeComment(chain.userdata, NFTNL_UDATA_CHAIN_COMMENT);
  return comment === networkName && (chain.use ?? 0) >= rulesOf(prefixes) + (elements ?? prefixes.length);
}

/** A rule for each prefix and for each family's multicast, and one for all the rest. */
function rulesOf(prefixes: readonly Prefix[]): number {
  return prefixes.length + familiesOf(prefixes).length + 1;
}

function invalid(networkName: string, reason: string, hint: string): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "masquerade network",
    object: networkName,
    reason,
    hint,
  });
}
