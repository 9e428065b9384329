/**
 * Addresses from the central service, for one invocation of a plugin.
 *
 * ADD acquires, DEL releases or leaves an intent, CHECK verifies, GC and STATUS ask; all over one unix socket, one
 * connection a call, with a time limit.
 */

import { formatAddress } from "../../lib/addr/address.ts";
import { EMPTY_DNS, type Result, type ResultDns } from "../../lib/cni/result.ts";
import type { AttachmentId } from "../../lib/cni/sections.ts";
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { AddressClaim } from "../../lib/host/addressing/probe.ts";
import type { AcquireRequest, AcquireResponse, AttachmentKey, Lease } from "../../lib/ipam/api.ts";
import { IpamClient } from "../../lib/ipam/client.ts";
import { isCompleteResponse } from "../../lib/ipam/http-message.ts";
import { type ReleaseIntent, requestOf } from "../../lib/ipam/release-intent.ts";
import { pathExists, readTextFile } from "../../lib/linux/files/files.ts";
import { sleepMs } from "../../lib/linux/files/stdio.ts";
import { bootId } from "../../lib/linux/processes/machine.ts";
import { beginExchange } from "../../lib/linux/sockets/stream-socket.ts";
import { tryHoldAttachment } from "../attachment-order.ts";
import type { Configuration } from "../configuration/attachment.ts";
import { namesOrId } from "../configuration/container-names.ts";
import type { IpamConfig } from "../configuration/ipam-config.ts";
import { asConfigurationFault, inPlacesOf } from "../configuration/range-places.ts";
import { dnsOfResolvConf } from "../configuration/resolv-conf.ts";
import { holderInTheWay, type ReleaseIfGone } from "./gone-holder.ts";
import { beginPatiently } from "./patient-exchange.ts";
import { PendingGrant } from "./pending-grant.ts";
import { replayReleaseIntents, writeReleaseIntent } from "./release-intents.ts";
import { surveyNetwork } from "./survey.ts";

/** A restart of the service takes a second or two, and five with 150,000 leases. */
const LONGEST_PATIENCE_MS = 5_000;
const LONGEST_RESOLV_CONF_BYTES = 64 * 1024;

/** Addresses that were asked for. */
export interface PendingAddresses {
  /**
   * Waits for them: `ips`, `routes` and `dns`; no interfaces. To be called once.
   * @throws FairleadError pool-exhausted, address-in-use, unavailable, timeout, … as the service says.
   */
  finish(): Result;
  /** Whether somebody else had one of them a moment ago; known when {@link finish} has returned. Absent: nobody knows. */
  isWarm?(): boolean;
  /**
   * Puts an address that a machine unknown to the service has into quarantine, and gives back what this request was
   * granted, so that another one can be asked for. Returns false, and does nothing, when the address was asked for by name,
   * or was the attachment's before. Absent: there are no others. @throws FairleadError as the service says.
   */
  refuse?(claim: AddressClaim): boolean;
  /** Gives back what this request was granted, and only that; waits for the answer first if nobody has. */
  undo(): void;
}

/** Of which network which service is asked. */
export interface IpamPlace {
  readonly config: IpamConfig;
  readonly networkName: string;
  /** Tells where to look for what is in use already, for a service that has not known the network. Absent: nobody asks for addresses. */
  readonly configuration?: Configuration;
}

/** The central service on behalf of one request. */
export class CentralIpam {
  readonly #config: IpamConfig;
  readonly #networkName: string;
  readonly #configuration: Configuration | undefined;
  readonly #client: IpamClient;
  readonly #log: (message: string) => void;

  /** Speaks to nobody yet. */
  constructor({ config, networkName, configuration }: IpamPlace, log: (message: string) => void) {
    this.#config = config;
    this.#networkName = networkName;
    this.#configuration = configuration;
    this.#log = log;
    this.#client = new IpamClient(
      (request, isRepeatable) => this.#beginExchange(request, isRepeatable),
      (field) =>
        log(`the IPAM service is older than this plugin, and is asked without ${field}: start it anew`),
    );
  }

  #beginExchange(request: Uint8Array, isRepeatable: boolean): () => Uint8Array {
    const { socket, timeoutMs } = this.#config;
    return beginPatiently({
      send: () => beginExchange(socket, request, { timeoutMs, isComplete: isCompleteResponse }).finish,
      patienceMs: () => (isRepeatable && this.isInUse ? Math.min(timeoutMs / 2, LONGEST_PATIENCE_MS) : 0),
      log: this.#log,
      sleepMs,
    });
  }

  /**
   * Asks for the addresses of `key`. Until they are awaited there is time for what does not need them: the service takes as
   * long to make a grant durable as the kernel to make a link.
   *
   * @param releaseIfGone how a requested address is taken over from a holder that is gone
   * @throws FairleadError as {@link PendingAddresses.finish}; then there is nothing to undo.
   */
  beginAcquire(key: AttachmentKey, mac?: string, releaseIfGone?: ReleaseIfGone): PendingAddresses {
    const { declaration, requestedAddresses, stickyName } = this.#config;
    const names = namesOrId(this.#config.names, key.containerId);
    const dns = this.#readDns();
    this.#replayIntents(key);
    const attempt = newAttempt();
    const request: AcquireRequest = {
      key,
      attempt,
      bootId: bootId(),
      ...(declaration && { declaration, canSurvey: true }),
      ...(requestedAddresses.length > 0 && { requestedAddresses }),
      ...(names.length > 0 && { names }),
      ...(stickyName !== "" && { stickyName }),
      ...(mac !== undefined && { mac }),
    };
    const answer = this.#client.beginAcquire(request);
    const grant = new PendingGrant({
      key,
      attempt,
      isForInterface: mac !== undefined,
      answer: () => this.#answerTo(request, answer, releaseIfGone),
    });
    let isWarm = false;
    const finish = (): Result => {
      const response = grant.finish();
      isWarm = response.addresses.some(({ warm }) => warm === true);
      return this.#resultOf(response, dns);
    };
    const refuse = (claim: AddressClaim): boolean =>
      requestedAddresses.length === 0 && this.#refuse(grant, key, claim);
    return { finish, isWarm: () => isWarm, refuse, undo: () => this.#undo(grant) };
  }

  #replayIntents(own?: AttachmentKey): void {
    const { stateDir } = this.#config;
    replayReleaseIntents({ stateDir, client: this.#client, tryHold: tryHoldAttachment, log: this.#log }, own);
  }

  #resultOf({ addresses }: AcquireResponse, dns: ResultDns): Result {
    const ips = addresses.map(({ address, gateway }) =>
      gateway === null ? { address } : { address, gateway },
    );
    return { interfaces: [], ips, routes: this.#config.routes, dns };
  }

  #undo(grant: PendingGrant): void {
    const undoing = grant.undoing();
    if (undoing === null) return;
    const intent = { ...undoing, attempt: newAttempt() };
    if (grant.isSilent) this.#intend(intent);
    else this.#releaseOrIntend(intent);
  }

  /** Quarantine comes first: an address that is free for a moment may be granted in it. */
  #refuse(grant: PendingGrant, key: AttachmentKey, claim: AddressClaim): boolean {
    if (!grant.isNew) return false;
    const address = formatAddress(claim.address);
    const isClaimed = (lease: Lease) => lease.networkName === key.networkName && lease.address === address;
    const addressSpace = this.#client.leasesOf(key.containerId).find(isClaimed)?.addressSpace;
    const reason = `in use by ${claim.mac}, which answered a probe of network ${key.networkName}`;
    this.#client.quarantine({ address, reason, ...(addressSpace !== undefined && { addressSpace }) });
    this.#undo(grant);
    return true;
  }

  #intend(intent: ReleaseIntent): void {
    const { stateDir } = this.#config;
    writeReleaseIntent(stateDir, { ...intent, at: new Date().toISOString() });
    this.#log(`the release is kept in ${stateDir} and will be made up for`);
  }

  /** The answer. @throws FairleadError; what is wrong with the ranges, in the places of the configuration. */
  #answerTo(
    request: AcquireRequest,
    answer: () => AcquireResponse,
    releaseIfGone?: ReleaseIfGone,
  ): AcquireResponse {
    try {
      return this.#answered(request, answer, releaseIfGone);
    } catch (thrown) {
      throw asConfigurationFault(this.#config, asFairleadError(thrown, "acquire"));
    }
  }

  /** The answer; where something can be done about a refusal, that is done, and the service asked again. */
  #answered(
    request: AcquireRequest,
    answer: () => AcquireResponse,
    releaseIfGone?: ReleaseIfGone,
  ): AcquireResponse {
    let asked = request;
    let next = answer;
    // Once for a survey, and once for each address.
    for (let left = 1 + (request.requestedAddresses?.length ?? 0); ; left -= 1) {
      try {
        return next();
      } catch (thrown) {
        const error = asFairleadError(thrown, "acquire");
        const again =
          left === 0 ? null : (this.#surveyed(asked, error) ?? this.#takenOver(asked, error, releaseIfGone));
        if (again === null) throw thrown;
        asked = again;
        next = this.#client.beginAcquire(again);
      }
    }
  }

  /** Where the service wants to know first what is in use: the request with what was seen. */
  #surveyed(request: AcquireRequest, { code }: FairleadError): AcquireRequest | null {
    const { declaration, survey: earlier } = request;
    const configuration = this.#configuration;
    if (code !== "survey-needed" || !declaration || earlier || !configuration) return null;
    return { ...request, survey: surveyNetwork({ ...configuration, declaration, log: this.#log }) };
  }

  /** Where a requested address was held by somebody who is gone, and is no more: the request. */
  #takenOver(request: AcquireRequest, refusal: FairleadError, releaseIfGone?: ReleaseIfGone) {
    const holder = releaseIfGone ? holderInTheWay(refusal, this.#networkName) : null;
    if (!releaseIfGone || holder === null) return null;
    const { key, address, sequence } = holder;
    const evidence = releaseIfGone(holder, (reason) => {
      this.#client.release({ key, sequences: [sequence], attempt: newAttempt(), reason });
    });
    if (evidence === null) return null;
    this.#log(`took ${address} over from ${key.networkName}/${key.containerId} (${key.ifname}): ${evidence}`);
    return request;
  }

  /**
   * Releases what `key` holds. When the service cannot be reached the intent is durable on return.
   *
   * @returns true when the service released something now.
   * @throws FairleadError when neither worked, or the service refused.
   */
  release(key: AttachmentKey): boolean {
    return this.#releaseOrIntend({ key, attempt: newAttempt() });
  }

  #releaseOrIntend(intent: ReleaseIntent): boolean {
    try {
      return this.#client.release(requestOf(intent)).released.length > 0;
    } catch (thrown) {
      const error = asFairleadError(thrown, "release");
      if (error.code !== "unavailable" && error.code !== "timeout") throw error;
      this.#log(error.message);
      this.#intend(intent);
      return false;
    }
  }

  /** True when the service knows that `key` holds an address, or held one lately. @throws FairleadError unavailable, … */
  hasServed({ networkName, containerId, ifname }: AttachmentKey): boolean {
    const leases = this.#client.leasesOf(containerId);
    return leases.some((lease) => lease.networkName === networkName && lease.ifname === ifname);
  }

  /** True on a machine where a service of ours is, or was: there is a socket, or a place for intents. */
  get isInUse(): boolean {
    return pathExists(this.#config.socket) || pathExists(this.#config.stateDir);
  }

  /** @throws FairleadError check-failed when `key` holds nothing, or an address that is not in the result. */
  verify(key: AttachmentKey, prevResult: Result): void {
    this.#client.verify({ key, addresses: prevResult.ips.map((ip) => ip.address) });
  }

  /** Releases every attachment of the network on this node that is not in the list. Returns those. */
  gc(validAttachments: readonly AttachmentId[]): readonly AttachmentId[] {
    this.#replayIntents();
    return this.#client.gc({ networkName: this.#networkName, validAttachments }).released;
  }

  /** @throws FairleadError plugin-unavailable (CNI code 50) with the reason why an ADD would fail. */
  requireReady(): void {
    const { declaration } = this.#config;
    try {
      const status = this.#client.networkStatus({
        networkName: this.#networkName,
        ...(declaration && { declaration }),
      });
      if (!status.ready) throw notReady(this.#networkName, inPlacesOf(this.#config, status.reason));
    } catch (thrown) {
      const error = asFairleadError(thrown, "ask the IPAM service");
      throw error.code === "plugin-unavailable" ? error : notReady(this.#networkName, error.message, error);
    }
  }

  #readDns(): ResultDns {
    const { resolvConf } = this.#config;
    if (resolvConf === "") return EMPTY_DNS;
    return dnsOfResolvConf(readTextFile(resolvConf, { maxBytes: LONGEST_RESOLV_CONF_BYTES }));
  }
}

const BASE_36 = 36;

/** A name that no other request for the same attachment has. */
function newAttempt(): string {
  return `${process.pid.toString(BASE_36)}-${Math.random().toString(BASE_36).slice(2)}`;
}

function notReady(networkName: string, reason: string, cause?: unknown): FairleadError {
  return new FairleadError({
    code: "plugin-unavailable",
    operation: "serve network",
    object: networkName,
    reason,
    hint: "see: fairlead ipam status",
    cause,
  });
}
