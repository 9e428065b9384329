/**
 * Who gives the addresses of a network: our service, or the configuration itself, in process; another IPAM plugin, by
 * delegation; or nobody.
 */
import {
  type Delegation,
  delegateAdd,
  delegateCheck,
  delegateDel,
  delegateStatus,
  type Exec,
} from "../lib/cni/delegate.ts";
import { readFields } from "../lib/cni/fields.ts";
import type { AddRequest, CheckRequest, PluginRequest } from "../lib/cni/request.ts";
import type { Result } from "../lib/cni/result.ts";
import { IPAM_SECTION } from "../lib/cni/sections.ts";
import { CentralIpam, type PendingAddresses } from "./central-ipam.ts";
import type { ReleaseIfGone } from "./gone-holder.ts";
import { FAIRLEAD_IPAM } from "./ipam-config.ts";
import { checkStatic, FAIRLEAD_STATIC, type StaticSource, staticResult } from "./static-ipam.ts";

/** The address side of an interface plugin's verbs. Errors are those of the service or of the delegate. */
export interface IpamBinding {
  /** Asks for addresses. What it throws leaves nothing to undo. Who has no leases takes none over. */
  begin(request: AddRequest, mac: string, releaseIfGone?: ReleaseIfGone): PendingAddresses;
  check(request: CheckRequest): void;
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
  return IN_PROCESS.get(type) ?? delegated(type, exec);
}

const NO_ARGS: ReadonlyMap<string, string> = new Map();

type RequestWithArgs = PluginRequest & { readonly args?: ReadonlyMap<string, string> };

function service({ config: { networkName, raw }, args = NO_ARGS, log }: RequestWithArgs): CentralIpam {
  return new CentralIpam({ raw, networkName, args }, log);
}

const central: IpamBinding = {
  begin(request, mac, releaseIfGone) {
    return service(request).beginAcquire(request.key, mac, releaseIfGone);
  },
  check: (request) => service(request).verify(request.key, request.prevResult),
  status: (request) => service(request).requireReady(),
};

function staticSource({ config, args = NO_ARGS }: RequestWithArgs): StaticSource {
  return { raw: config.raw, args };
}

const named: IpamBinding = {
  begin(request) {
    const result = staticResult(staticSource(request));
    return { finish: () => result, undo: () => undefined };
  },
  check: (request) => checkStatic(staticSource(request), request.prevResult),
  status: (request) => void staticResult(staticSource(request)),
};

const IN_PROCESS: ReadonlyMap<string, IpamBinding> = new Map([
  [FAIRLEAD_IPAM, central],
  [FAIRLEAD_STATIC, named],
]);

function delegated(type: string, exec: Exec): IpamBinding {
  const to = (request: PluginRequest): Delegation => ({ type, request, exec });
  return {
    begin: (request) => {
      let made = false;
      const finish = (): Result => {
        const result = delegateAdd(to(request));
        made = true;
        return result;
      };
      return { finish, undo: () => made && delegateDel(to(request)) };
    },
    check: (request) => delegateCheck(to(request)),
    status: (request) => delegateStatus(to(request)),
  };
}
