/**
 * Who gives the addresses of a network: our service, in process; another IPAM plugin, by delegation; or nobody.
 */
import {
  type Delegation,
  delegateAdd,
  delegateCheck,
  delegateDel,
  delegateGc,
  delegateStatus,
  type Exec,
} from "../lib/cni/delegate.ts";
import { readFields } from "../lib/cni/fields.ts";
import type {
  AddRequest,
  AttachmentRequest,
  CheckRequest,
  GcRequest,
  PluginRequest,
} from "../lib/cni/request.ts";
import type { Result } from "../lib/cni/result.ts";
import { IPAM_SECTION } from "../lib/cni/sections.ts";
import { CentralIpam } from "./central-ipam.ts";
import { FAIRLEAD_IPAM } from "./ipam-config.ts";

export interface BoundAddresses {
  /** `ips`, `routes` and `dns`; no interfaces. */
  readonly result: Result;
  /** Gives back what this call got, and only that. */
  undo(): void;
}

/** The address side of an interface plugin's verbs. Errors are those of the service or of the delegate. */
export interface IpamBinding {
  add(request: AddRequest, mac: string): BoundAddresses;
  del(request: AttachmentRequest): void;
  check(request: CheckRequest): void;
  gc(request: GcRequest): void;
  status(request: PluginRequest): void;
}

/**
 * Chooses by `ipam.type`; null when the configuration has none: a layer 2 network.
 *
 * @throws FairleadError invalid-config
 */
export function bindIpam({ config }: PluginRequest, exec: Exec): IpamBinding | null {
  const { type } = readFields({ ipam: IPAM_SECTION }, config.raw).ipam;
  if (type === "") return null;
  return type === FAIRLEAD_IPAM ? central : delegated(type, exec);
}

const NO_ARGS: ReadonlyMap<string, string> = new Map();

function service(request: PluginRequest & { readonly args?: ReadonlyMap<string, string> }): CentralIpam {
  const { networkName, raw } = request.config;
  return new CentralIpam({ raw, networkName, args: request.args ?? NO_ARGS }, request.log);
}

const central: IpamBinding = {
  add(request, mac) {
    const ipam = service(request);
    const { result, created } = ipam.acquire(request.key, mac);
    return { result, undo: () => created && ipam.release(request.key) };
  },
  del: (request) => service(request).release(request.key),
  check: (request) => service(request).verify(request.key, request.prevResult),
  gc: (request) => {
    service(request).gc(request.validAttachments);
  },
  status: (request) => service(request).requireReady(),
};

function delegated(type: string, exec: Exec): IpamBinding {
  const to = (request: PluginRequest): Delegation => ({ type, request, exec });
  return {
    add: (request) => ({ result: delegateAdd(to(request)), undo: () => delegateDel(to(request)) }),
    del: (request) => delegateDel(to(request)),
    check: (request) => delegateCheck(to(request)),
    gc: (request) => delegateGc(to(request)),
    status: (request) => delegateStatus(to(request)),
  };
}
