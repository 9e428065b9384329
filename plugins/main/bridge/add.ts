/** ADD: decide, get the addresses, touch the kernel, answer; on any failure what was done is taken back. */
import { configurationError } from "../../../lib/cni/config.ts";
import type { AddRequest } from "../../../lib/cni/request.ts";
import { EMPTY_RESULT, type Result, requireRepresentable } from "../../../lib/cni/result.ts";
import { type BridgeLook, lookAtBridge } from "../../../lib/host/bridge/look.ts";
import { refuseMovedGateway } from "../../../lib/host/bridge/verbs.ts";
import type { HostNetlink } from "../../../lib/host/netlink.ts";
import { openNetns } from "../../../lib/linux/namespaces/netns.ts";
import { releaseIfGone } from "../../addresses/gone-holder.ts";
import { bindIpam, type IpamBinding } from "../../addresses/ipam-binding.ts";
import { askForAddresses } from "../../addresses/pending-addresses.ts";
import { appendResult, resultOf } from "../../container/attachment-result.ts";
import { processExec } from "../../io.ts";
import { leaveWordOf } from "../../unfinished-add.ts";
import type { Workspace } from "../../workspace.ts";
import { adopt, findAdoptable } from "./adopt.ts";
import { attach, whileBridgeIsKept } from "./attach.ts";
import { type Addition, type BridgePlan, planAddresses, planBridge } from "./plan.ts";
import { openHost, publishMappings } from "./ports.ts";

/** Place of the container's end among the interfaces that `attach` returns. */
const CONTAINER_INTERFACE = 2;

export function add(request: AddRequest): Result {
  const plan = planBridge(request);
  const ipam = bindIpam(plan.shared, { ...request, exec: processExec });
  requireConsistent(plan, ipam, request);
  const host = openHost(plan.config);
  request.atEnd(() => host.close());
  const space = { host, undo: request.undo, log: request.log };
  const { result, takeWordBack } = whileBridgeIsKept(plan, () => addPort({ plan, ipam, request }, space));
  // Last: nobody is led to a container that is not ready, and the first step to be undone.
  publishMappings({ plan, result, log: request.log }, space);
  takeWordBack();
  return result;
}

/** What is made, and the end of the word that it is being made. */
interface Made {
  readonly result: Result;
  readonly takeWordBack: () => void;
}

function addPort(addition: Addition, space: Workspace): Made {
  const { plan, request } = addition;
  const look = lookAtBridge(space.host.route, { bridge: plan.config.bridge, port: plan.hostIfname });
  requireGatewaysInPlace(plan, look, space.host);
  const adoptable = findAdoptable(request, look, space.host);
  if (adoptable !== null) return { result: adopt(addition, adoptable, space), takeWordBack: () => {} };
  // A link that is there is of an ADD that was told, or has left word itself; this one can only fail.
  const takeWordBack = look.port === null ? leaveWordOf(request, "fairlead-bridge") : () => {};
  return { result: make(addition, look, space), takeWordBack };
}

/** Rules that hold between the bridge keys, `ipam` and the version. */
function requireConsistent({ config }: BridgePlan, ipam: IpamBinding | null, request: AddRequest): void {
  // What no result of this version can tell must not be made.
  if (ipam === null) requireRepresentable([], request.config.cniVersion);
  else if (config.disableContainerInterface) {
    throw configurationError(
      "disableContainerInterface",
      "cannot use IPAM when DisableContainerInterface flag is set: the addresses would be on a link that is down",
      "drop ipam or disableContainerInterface",
    );
  }
}

/** Before the service hears of it: what it was told once holds for the containers that are there. */
function requireGatewaysInPlace(
  { config, shared }: BridgePlan,
  look: BridgeLook,
  { route }: HostNetlink,
): void {
  if (!config.isGateway || config.forceAddress || config.vlan > 0) return;
  const gateways = shared.declaredGateways();
  if (gateways.length > 0) refuseMovedGateway(route, look, gateways);
}

function make(addition: Addition, look: BridgeLook, space: Workspace): Result {
  const { plan, request } = addition;
  const netns = openNetns(request.netns);
  const complete = (result: Result) => planAddresses(plan, result);
  try {
    const question = { ...addition, mac: plan.mac, complete, releaseIfGone };
    const awaitAddresses = askForAddresses(question, space.undo);
    const attached = attach({ bridge: plan, netns, look, awaitAddresses }, space);
    const outcome = { ...attached, containerInterface: CONTAINER_INTERFACE, dns: plan.dns };
    return appendResult(request.prevResult ?? EMPTY_RESULT, resultOf(outcome));
  } finally {
    netns.close();
  }
}
