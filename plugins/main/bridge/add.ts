/** ADD: decide, get the addresses, touch the kernel, answer; on any failure what was done is taken back. */
import { configurationError } from "../../../lib/cni/config.ts";
import type { AddRequest } from "../../../lib/cni/request.ts";
import { EMPTY_RESULT, type Result, requireRepresentable } from "../../../lib/cni/result.ts";
import { openNetns } from "../../../lib/linux/netns.ts";
import { appendResult, resultOf } from "../../attachment-result.ts";
import { releaseIfGone } from "../../gone-holder.ts";
import { processExec } from "../../io.ts";
import { bindIpam, type IpamBinding } from "../../ipam-binding.ts";
import { askForAddresses } from "../../pending-addresses.ts";
import type { Workspace } from "../../workspace.ts";
import { adopt, findAdoptable } from "./adopt.ts";
import { attach } from "./attach.ts";
import { type Addition, type BridgePlan, planAddresses, planBridge } from "./plan.ts";
import { openHost, planMappings, publishMappings } from "./ports.ts";

/** Place of the container's end among the interfaces that `attach` returns. */
const CONTAINER_INTERFACE = 2;

export function add(request: AddRequest): Result {
  const plan = planBridge(request);
  const ipam = bindIpam(request, processExec);
  const mappings = planMappings(plan.config, request);
  requireConsistent(plan, ipam, request);
  const host = openHost(plan.config);
  request.atEnd(() => host.close());
  const addition = { plan, ipam, request };
  const adoptable = findAdoptable(request, host);
  const space = { host, undo: request.undo, log: request.log };
  const result = adoptable ? adopt(addition, adoptable, space) : make(addition, space);
  // Last: nobody is led to a container that is not ready, and the first step to be undone.
  publishMappings({ plan, mappings, result, log: request.log }, space);
  return result;
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

function make(addition: Addition, space: Workspace): Result {
  const { plan, request } = addition;
  const netns = openNetns(request.netns);
  const complete = (result: Result) => planAddresses(plan, result);
  try {
    const question = { ...addition, mac: plan.mac, complete, releaseIfGone };
    const awaitAddresses = askForAddresses(question, space.undo);
    const attached = attach({ bridge: plan, netns, awaitAddresses }, space);
    const outcome = { ...attached, containerInterface: CONTAINER_INTERFACE, dns: plan.dns };
    return appendResult(request.prevResult ?? EMPTY_RESULT, resultOf(outcome));
  } finally {
    netns.close();
  }
}
