/**
 * Addresses of an ADD, asked for before the link is made and awaited after: the service takes as long to make its grant
 * durable as the kernel to make a link.
 */
import { formatAddress } from "../../lib/addr/address.ts";
import type { AddRequest } from "../../lib/cni/request.ts";
import { type Result, requireRepresentable } from "../../lib/cni/result.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { AddressClaim } from "../../lib/host/addressing/probe.ts";
import type { UndoStack } from "../../lib/undo.ts";
import type { AddressPlan } from "../container/address-plan.ts";
import type { PendingAddresses } from "./central-ipam.ts";
import type { ReleaseIfGone } from "./gone-holder.ts";
import type { IpamBinding } from "./ipam-binding.ts";

/** Who on the container's network has one of the addresses already; null: nobody. */
export type Probe = (plan: AddressPlan) => AddressClaim | null;

/**
 * Waits for the addresses; null on a layer 2 network. To be called once. With a probe, for addresses that nobody on the
 * network has: those that somebody has are put into quarantine, and others asked for.
 *
 * @throws FairleadError address-in-use, naming the MAC address, when an address that was asked for, or is held already, is
 * taken, or too many in a row are.
 */
export type AwaitAddresses = (probe?: Probe) => AddressPlan | null;

export interface AddressQuestion {
  /** Null: a layer 2 network. */
  readonly ipam: IpamBinding | null;
  readonly request: AddRequest;
  /** MAC address that the container's link is going to have. */
  readonly mac: string;
  /** Completes the result of IPAM as the plugin's keys say. */
  readonly complete: (ipam: Result) => AddressPlan;
  /** How a requested address is taken over from a holder that is gone. Absent: it cannot be told who is. */
  readonly releaseIfGone?: ReleaseIfGone;
}

/** So many in a row are no accident: the range is somebody else's. */
const MOST_TAKEN = 5;

/**
 * Asks for addresses now.
 *
 * @throws FairleadError (either part) what IPAM says; invalid-config when no result of this version can tell the addresses.
 */
export function askForAddresses(question: AddressQuestion, undo: UndoStack): AwaitAddresses {
  const { ipam } = question;
  if (ipam === null) return () => null;
  let pending = begin(ipam, question, undo);
  return (probe) => {
    for (let asked = 1; ; asked += 1) {
      const plan = finish(pending, question);
      const claim = probe?.(plan) ?? null;
      if (claim === null) return plan;
      if (!pending.refuse?.(claim) || asked === MOST_TAKEN) throw takenError(claim, asked);
      const { address, mac } = claim;
      question.request.log(`${formatAddress(address)} is in use by ${mac}: it is in quarantine from now on`);
      pending = begin(ipam, question, undo);
    }
  };
}

function begin(ipam: IpamBinding, question: AddressQuestion, undo: UndoStack): PendingAddresses {
  const { request, mac, releaseIfGone } = question;
  const pending = ipam.begin(request, mac, releaseIfGone);
  // As in DEL: an interface that would not go still uses its address. The runtime's DEL comes back to both.
  undo.pushGuarded("release addresses", pending.undo);
  return pending;
}

function finish(pending: PendingAddresses, { request, complete }: AddressQuestion): AddressPlan {
  const result = pending.finish();
  requireRepresentable(result.ips, request.config.cniVersion);
  return { ...complete(result), isWarm: pending.isWarm?.() ?? false };
}

function takenError({ address, mac }: AddressClaim, taken: number): FairleadError {
  const text = formatAddress(address);
  const before = taken === 1 ? "" : `, and so were the ${taken - 1} addresses before it`;
  return new FairleadError({
    code: "address-in-use",
    operation: "set address",
    object: text,
    reason: `a machine on the network with MAC address ${mac} has it${before}`,
    hint:
      taken === 1
        ? "ask for another address, or take it from that machine"
        : "give the network a range that nothing else hands out, such as the LAN's DHCP server",
    details: { address: text, mac },
  });
}
