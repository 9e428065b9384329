/**
 * What one ADD is going to do, decided before anything is touched.
 *
 * A plan that exists is valid: there is no "validate first" to forget.
 */
import type { InterfaceAddress } from "../../../lib/addr/prefix.ts";
import type { AddRequest, AttachmentRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import type { AttachmentKey } from "../../../lib/ipam/api.ts";
import { type AddressPlan, completeAddresses } from "../../address-plan.ts";
import { aliasOf, containerMacOf, hostIfnameOf } from "../../attachment-names.ts";
import { type AttachmentWishes, readWishes } from "../../attachment-wishes.ts";
import { declaredGateways } from "../../declared-gateways.ts";
import type { IpamBinding } from "../../ipam-binding.ts";
import { type BridgeConfig, readBridgeConfig } from "./config.ts";

/** The names and settings of one attachment; the same for ADD, CHECK and DEL of one key. */
export interface BridgePlan extends AttachmentWishes {
  readonly key: AttachmentKey;
  readonly config: BridgeConfig;
  readonly hostIfname: string;
  readonly alias: string;
  readonly mac: string;
  /** The gateways of all ranges that the configuration names: of one set, each attachment gets one. */
  readonly declaredGateways: () => readonly InterfaceAddress[];
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
 * @throws FairleadError invalid-config, naming the key.
 */
export function planBridge(request: AttachmentRequest): BridgePlan {
  const wishes = readWishes(request);
  return {
    ...wishes,
    key: request.key,
    config: readBridgeConfig(request.config.raw),
    hostIfname: hostIfnameOf(request.key),
    alias: aliasOf(request.key),
    mac: wishes.mac ?? containerMacOf(request.key),
    declaredGateways: () => declaredGateways(request.config.raw),
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
