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
} from "../../lib/cni/delegate.ts";
import type { AddRequest, CheckRequest, PluginRequest } from "../../lib/cni/request.ts";
import type { Result } from "../../lib/cni/result.ts";
import type { AddressConfig } from "../configuration/attachment.ts";
import { FAIRLEAD_IPAM, readIpamConfig } from "../configuration/ipam-config.ts";
import { checkStatic, FAIRLEAD_STATIC, staticResult } from "../configuration/static-ipam.ts";
import { CentralIpam, type PendingAddresses } from "./central-ipam.ts";
import type { ReleaseIfGone } from "./gone-holder.ts";

/** The address side of an interface plugin's verbs. Errors are those of the service or of the delegate. */
export interface IpamBinding {
  /** Asks for addresses. What it throws leaves nothing to undo. Who has no leases takes none over. */
  begin(request: AddRequest, mac: string, releaseIfGone?: ReleaseIfGone): PendingAddresses;
  check(request: CheckRequest): void;
  status(request: PluginRequest): void;
}

/** Who asks. */
export interface IpamCaller {
  /** The pairs of CNI_ARGS; absent for verbs that have none. */
  readonly args?: ReadonlyMap<string, string>;
  readonly exec: Exec;
  log(message: string): void;
}

/**
 * Chooses by `ipam.type`, and reads the section; null when the configuration has none: a layer 2 network.
 *
 * @throws FairleadError invalid-config
 */
export function bindIpam(config: AddressConfig, caller: IpamCaller): IpamBinding | null {
  const { type } = config.ipam;
  if (type === "") return null;
  const bind = IN_PROCESS.get(type);
  return bind === undefined ? delegated(type, caller.exec) : bind(config, caller);
}

const NO_ARGS: ReadonlyMap<string, string> = new Map();

/** The service of the configuration. Speaks to nobody yet. @throws FairleadError invalid-config, naming the key. */
export function serviceOf(
  config: AddressConfig,
  { args = NO_ARGS, log }: Omit<IpamCaller, "exec">,
): CentralIpam {
  const { networkName, configuration } = config;
  return new CentralIpam({ config: readIpamConfig(config, args), networkName, configuration }, log);
}

function central(config: AddressConfig, caller: IpamCaller): IpamBinding {
  const service = serviceOf(config, caller);
  return {
    begin: ({ key }, mac, releaseIfGone) => service.beginAcquire(key, mac, releaseIfGone),
    check: ({ key, prevResult }) => service.verify(key, prevResult),
    status: () => service.requireReady(),
  };
}

function named(config: AddressConfig, { args = NO_ARGS }: IpamCaller): IpamBinding {
  const result = staticResult(config, args);
  return {
    begin: () => ({ finish: () => result, undo: () => undefined }),
    check: ({ prevResult }) => checkStatic(result, prevResult),
    status: () => undefined,
  };
}

const IN_PROCESS: ReadonlyMap<string, typeof central> = new Map([
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
