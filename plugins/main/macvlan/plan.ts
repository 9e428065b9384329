/** What one invocation is about, decided before anything is touched. */
import type { AttachmentRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import type { LinkState } from "../../../lib/host/links.ts";
import type { AttachmentKey } from "../../../lib/ipam/api.ts";
import { aliasOf, containerMacOf } from "../../attachment-names.ts";
import { type AttachmentWishes, wishesOf } from "../../configuration/attachment-wishes.ts";
import { type AddressPlan, completeAddresses } from "../../container/address-plan.ts";
import { type MacvlanReading, readMacvlan } from "./config.ts";

/** The names and settings of one attachment; the same for ADD, CHECK and DEL of one key. */
export interface MacvlanPlan extends AttachmentWishes, MacvlanReading {
  readonly key: AttachmentKey;
  readonly alias: string;
}

/**
 * Plans the attachment of `request`. The MAC address: the key `mac`, CNI_ARGS, `args.cni`, the runtime's capability, the
 * later the stronger; without any of them one that follows from the attachment.
 *
 * @throws FairleadError invalid-config, naming the key.
 */
export function planMacvlan(request: AttachmentRequest): MacvlanPlan {
  const reading = readMacvlan(request.config);
  const wishes = wishesOf(reading.shared, request, reading.config.mac);
  return {
    ...wishes,
    ...reading,
    key: request.key,
    alias: aliasOf(request.key),
  };
}

/**
 * The MAC address that the container's link is going to have. In mode "passthru" it is the master's: the kernel would take
 * another one for the master, or ignore it.
 *
 * @throws FairleadError unsupported-field
 */
export function macOn(master: Pick<LinkState, "mac">, { config, mac, key }: MacvlanPlan): string {
  if (config.mode !== "passthru") return mac ?? containerMacOf(key);
  if (mac === undefined || mac === master.mac) return master.mac;
  throw new FairleadError({
    code: "unsupported-field",
    operation: "read network configuration",
    object: "mac",
    reason: `cannot serve ${mac}: in mode "passthru" the container has the MAC address of the master`,
    hint: "drop the MAC address, or use another mode",
  });
}

/**
 * Completes the result of IPAM as the keys say.
 *
 * @throws FairleadError invalid-config when IPAM gave no address.
 */
export function planAddresses({ config, dns }: MacvlanPlan, ipam: Result): AddressPlan {
  return completeAddresses({ isGateway: false, isDefaultGateway: config.isDefaultGateway, dns }, ipam);
}
