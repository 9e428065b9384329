/**
 * Addresses that were in use before the service knew of their network: another IPAM gave them, or nobody did.
 *
 * Whose holder is known becomes a lease of that attachment, which its DEL releases like any other. All others are
 * quarantined: an administrator, who sees where they were seen, takes them back.
 */
import { type Address, parseAddress } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import { type AttachmentKey, type Caller, MOST_FOUND, type SurveyedAddress } from "../../lib/ipam/api.ts";
import { checkKey, checkText } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Transaction } from "../state/transaction.ts";
import { blank, quarantineUnknown } from "./blank-lease.ts";

const OPERATION = "take over address";

/** Who found them, since which boot of his machine. */
export interface Finder {
  readonly caller: Caller;
  readonly bootId: string;
}

/** The answer to a caller that can survey and has not, when a network or a pool of it is new. */
export function surveyNeeded(networkName: string): FairleadError {
  return new FairleadError({
    code: "survey-needed",
    operation: "acquire address",
    object: `network ${networkName}`,
    reason: "it is declared for the first time, and its addresses may be in use already",
    hint: "look for them, and send the request again with what was found",
  });
}

/**
 * Writes down what was found. What there is a record of stays as it is, so that two surveys of one network, or one that
 * comes late, do no harm. Addresses outside of the ranges are passed over.
 *
 * @throws FairleadError invalid-config
 */
export function takeOver(
  tx: Transaction,
  network: NetworkState,
  { found, finder }: { readonly found: readonly SurveyedAddress[]; readonly finder: Finder },
): void {
  if (found.length > MOST_FOUND) throw tooMany(network, found.length);
  for (const one of found) {
    const address = parseAddress(one.address);
    const pool = network.poolForRequest(address);
    if (pool === null || network.slotAt(address) !== undefined) continue;
    const seen = checkText(OPERATION, "seen", one.seen);
    const holder = holderOf(network, one);
    const isOnlyOne = holder && !hasLeaseIn(network, holder, pool);
    if (isOnlyOne) bind(tx, network, { address, pool, holder, seen, finder });
    else {
      const told = holder ? `${seen}, second of ${holder.containerId}` : seen;
      quarantineFound(tx, network, { address, seen: told });
    }
  }
}

function holderOf({ networkName }: NetworkState, found: SurveyedAddress): AttachmentKey | null {
  const { containerId, ifname } = found;
  return containerId && ifname ? checkKey(OPERATION, { networkName, containerId, ifname }) : null;
}

/** An attachment has one address of each pool. */
function hasLeaseIn(network: NetworkState, { containerId, ifname }: AttachmentKey, pool: number): boolean {
  return network.attachment(containerId, ifname).some((lease) => lease.pool === pool);
}

interface Holding {
  readonly address: Address;
  readonly pool: number;
  readonly holder: AttachmentKey;
  readonly seen: string;
  readonly finder: Finder;
}

function bind(
  tx: Transaction,
  network: NetworkState,
  { address, pool, holder, seen, finder }: Holding,
): void {
  const { containerId, ifname } = holder;
  const lease = {
    ...blank(tx, network, address),
    pool,
    state: "bound" as const,
    sequence: tx.nextRevision,
    containerId,
    ifname,
    node: finder.caller.node,
    bootId: finder.bootId,
    acquiredAtMs: tx.nowMs,
  };
  tx.changeLease(
    network,
    { before: null, after: lease },
    { kind: "lease-bound", reason: `taken over: ${seen}` },
  );
}

function quarantineFound(
  tx: Transaction,
  network: NetworkState,
  { address, seen }: Pick<Holding, "address" | "seen">,
): void {
  quarantineUnknown(tx, network, { address, reason: `in use before the network was declared: ${seen}` });
}

function tooMany({ networkName }: NetworkState, count: number): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: `network ${networkName}`,
    reason: `${count} addresses were found in use, at most ${MOST_FOUND} can be taken over at once`,
    hint: "give the network other ranges, or remove containers before it is declared",
  });
}
