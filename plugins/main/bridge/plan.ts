/**
 * What one ADD is going to do, decided before anything is touched.
 *
 * A plan that exists is valid: there is no "validate first" to forget.
 */
import type { AddRequest, AttachmentRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import type { AttachmentKey } from "../../../lib/ipam/api.ts";
import type { IpamBinding } from "../../addresses/ipam-binding.ts";
import { aliasOf, containerMacOf, hostIfnameOf } from "../../attachment-names.ts";
import { type AttachmentWishes, wishesOf } from "../../configuration/attachment-wishes.ts";
import { type AddressPlan, completeAddresses } from "../../container/address-plan.ts";
import { type BridgeReading, readBridge } from "./config.ts";

/** The names and settings of one attachment; the same for ADD, CHECK and DEL of one key. */
export interface BridgePlan extends AttachmentWishes, BridgeReading {
  readonly key: AttachmentKey;
  readonly hostIfname: string;
  readonly alias: string;
  readonly mac: string;
}

/** One ADD, read and checked. */
export interface Addition {
  readonly plan: BridgePlan;
  /** Null: a layer 2 network. */
  readonly ipam: IpamBinding | null;
  readonly request: AddRequest;
}

/**
 * Plans the attachment of `request`.
 *
 * @throws FairleadError invalid-config, naming the key; unsupported-field.
 */
export function planBridge(request: AttachmentRequest): BridgePlan {
  const reading = readBridge(request.config);
  const wishes = wishesOf(reading.shared, request);
  return {
    ...wishes,
    ...reading,
    key: request.key,
    hostIfname: hostIfnameOf(request.key),
    alias: aliasOf(request.key),
    mac: wishes.mac ?? containerMacOf(request.key),
  };
}

/**
 * Completes the result of IPAM as the bridge keys say.
 *
 * @throws FairleadError invalid-config when IPAM gave no address.
 */
export function planAddresses({ config, dns }: BridgePlan, ipam: Result): AddressPlan {
  return completeAddresses({ ...config, dns }, ipam);
}
