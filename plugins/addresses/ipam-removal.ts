/**
 * Giving addresses back, whatever the configuration says by now: DEL and GC work from the attachment's key.
 *
 * The type of IPAM may have been changed since the ADD, or taken out, or be what nobody can read. So the service is asked
 * for what it holds under the key in any case; and once it has said that it gave the addresses, a delegate that is not
 * there, or does not understand, keeps nothing from going.
 */
import {
  type Delegation,
  delegateDel,
  delegateGc,
  type Exec,
  isInterfacePlugin,
} from "../../lib/cni/delegate.ts";
import { readLeniently, TOP } from "../../lib/cni/fields.ts";
import type { AttachmentRequest, GcRequest, PluginRequest } from "../../lib/cni/request.ts";
import { IPAM_SECTION } from "../../lib/cni/sections.ts";
import { asFairleadError } from "../../lib/errors.ts";
import type { AttachmentKey } from "../../lib/ipam/api.ts";
import { FAIRLEAD_IPAM, readIpamLeniently } from "../configuration/ipam-config.ts";
import { FAIRLEAD_STATIC } from "../configuration/static-ipam.ts";
import { CentralIpam } from "./central-ipam.ts";
import { findRemains, removeRemains } from "./reference-remains.ts";

/** Longest wait for the service on behalf of a network whose addresses are not its own. */
const PATIENCE_FOR_OTHERS_MS = 2_000;

/**
 * Gives back what the attachment holds.
 *
 * @throws FairleadError as {@link CentralIpam.release}; as the delegate reported it.
 */
export function releaseAddresses(request: AttachmentRequest, exec: Exec): void {
  const type = ipamTypeOf(request);
  if (type === FAIRLEAD_IPAM) releaseFromService(request);
  else releaseOfOthers({ type, request, exec });
}

/**
 * What the service holds under the key, and what host-local held of it before.
 *
 * @throws FairleadError as {@link CentralIpam.release}.
 */
export function releaseFromService(request: AttachmentRequest): void {
  serviceFor(request).release(request.key);
  removeRemains(findRemains(request, request.key));
}

/** A network whose addresses are, by today's configuration, not from the service. */
function releaseOfOthers(delegation: Delegation & { readonly request: AttachmentRequest }): void {
  const { type, request } = delegation;
  const service = serviceFor(request, PATIENCE_FOR_OTHERS_MS);
  const isReleased = mayHoldAddresses(request) && releaseIfInUse(service, request);
  if (!isDelegated(type)) {
    removeRemains(findRemains(request, request.key));
    return;
  }
  try {
    delegateDel(delegation);
  } catch (thrown) {
    if (!isReleased && !hasServed(service, request)) throw thrown;
    request.log(
      `the addresses were from the IPAM service; going on without ${type}: ${asFairleadError(thrown, "delegate DEL").message}`,
    );
  }
}

/** A result without addresses says that nobody gave any. */
function mayHoldAddresses({ prevResult }: AttachmentRequest): boolean {
  return prevResult === null || prevResult.ips.length > 0;
}

/** Our service's troubles are not those of a network that does without it. */
function releaseIfInUse(service: CentralIpam, { key, log }: AttachmentRequest): boolean {
  if (!service.isInUse) return false;
  return attempt(() => service.release(key), log);
}

function hasServed(service: CentralIpam, { key, log }: AttachmentRequest): boolean {
  return attempt(() => service.hasServed(key), log);
}

function attempt(ask: () => boolean, log: (message: string) => void): boolean {
  try {
    return ask();
  } catch (thrown) {
    log(`going on without the IPAM service: ${asFairleadError(thrown, "ask the IPAM service").message}`);
    return false;
  }
}

/**
 * Gives back what belongs to none of the valid attachments. The service, which may hold a network of the same name for
 * others, is asked about a whole network only where that network's addresses are its own.
 *
 * @param removed attachments whose links went: they hold nothing that anybody uses.
 * @throws FairleadError as the service, or the delegate, reported it.
 */
export function collectAddresses(request: GcRequest, exec: Exec, removed: readonly AttachmentKey[]): void {
  const type = ipamTypeOf(request);
  const service = serviceFor(request, PATIENCE_FOR_OTHERS_MS);
  if (type === FAIRLEAD_IPAM) collectFromService(request);
  else if (service.isInUse) for (const key of removed) attempt(() => service.release(key), request.log);
  if (isDelegated(type)) delegateGc({ type, request, exec });
}

/** What the service holds for the network beside the valid attachments; each is a line in the log. */
export function collectFromService(request: GcRequest): void {
  const { networkName } = request.config;
  for (const { containerId, ifname } of serviceFor(request).gc(request.validAttachments)) {
    removeRemains(findRemains(request, { networkName, containerId, ifname }));
    request.log(
      `released the addresses of ${containerId} (${ifname}): it is not among the valid attachments, and nobody has a record of it`,
    );
  }
}

/** Empty: the configuration names none, or what it names cannot be read. */
function ipamTypeOf({ config, log }: PluginRequest): string {
  return readLeniently({ ipam: IPAM_SECTION }, config.raw, { ...TOP, complain: log }).ipam.type;
}

function isDelegated(type: string): boolean {
  // No ADD ever came to anything with an interface plugin for IPAM.
  return type !== "" && type !== FAIRLEAD_IPAM && type !== FAIRLEAD_STATIC && !isInterfacePlugin(type);
}

function serviceFor({ config: { raw, networkName }, log }: PluginRequest, longestMs = Infinity): CentralIpam {
  const read = readIpamLeniently(raw, log);
  const config = { ...read, timeoutMs: Math.min(read.timeoutMs, longestMs) };
  return new CentralIpam({ config, networkName }, log);
}
