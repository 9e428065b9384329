/**
 * Addresses of an ADD, asked for before the link is made and awaited after: the service takes as long to make its grant
 * durable as the kernel to make a link.
 */
import type { AddRequest } from "../lib/cni/request.ts";
import { type Result, requireRepresentable } from "../lib/cni/result.ts";
import type { UndoStack } from "../lib/undo.ts";
import type { AddressPlan } from "./address-plan.ts";
import type { ReleaseIfGone } from "./gone-holder.ts";
import type { IpamBinding } from "./ipam-binding.ts";

/** Waits for the addresses; null on a layer 2 network. To be called once. */
export type AwaitAddresses = () => AddressPlan | null;

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

/**
 * Asks for addresses now.
 *
 * @throws FairleadError (either part) what IPAM says; invalid-config when no result of this version can tell the addresses.
 */
export function askForAddresses(question: AddressQuestion, undo: UndoStack): AwaitAddresses {
  const { ipam, request, mac, complete, releaseIfGone } = question;
  if (ipam === null) return () => null;
  const pending = ipam.begin(request, mac, releaseIfGone);
  // As in DEL: an interface that would not go still uses its address. The runtime's DEL comes back to both.
  undo.pushGuarded("release addresses", pending.undo);
  return () => {
    const result = pending.finish();
    requireRepresentable(result.ips, request.config.cniVersion);
    return { ...complete(result), isWarm: pending.isWarm?.() ?? false };
  };
}
