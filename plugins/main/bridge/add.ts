/** ADD: decide, get the addresses, touch the kernel, answer; on any failure take back what was done. */
import type { AddRequest } from "../../../lib/cni/request.ts";
import { EMPTY_RESULT, type Result, requireRepresentable } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { openNetns } from "../../../lib/linux/netns.ts";
import { UndoStack } from "../../../lib/undo.ts";
import type { AddressPlan } from "../../address-plan.ts";
import { appendResult, resultOf } from "../../attachment-result.ts";
import { processExec } from "../../io.ts";
import { bindIpam, type IpamBinding } from "../../ipam-binding.ts";
import { HostNetlink, type Workspace } from "../../workspace.ts";
import { adopt, findAdoptable } from "./adopt.ts";
import { attach } from "./attach.ts";
import { type Addition, type BridgePlan, planAddresses, planBridge } from "./plan.ts";

/** Place of the container's end among the interfaces that `attach` returns. */
const CONTAINER_INTERFACE = 2;

export function add(request: AddRequest): Result {
  const plan = planBridge(request);
  const ipam = bindIpam(request, processExec);
  requireConsistent(plan, ipam, request);
  const host = new HostNetlink();
  const undo = new UndoStack();
  try {
    const addition = { plan, ipam, request };
    const adoptable = findAdoptable(request, host);
    const result = adoptable ? adopt(addition, adoptable, { host, undo }) : make(addition, { host, undo });
    undo.commit();
    return result;
  } catch (error) {
    for (const failure of undo.unwind()) request.log(failure.message);
    throw error;
  } finally {
    host.close();
  }
}

/** Rules that hold between the bridge keys, `ipam` and the version. */
function requireConsistent({ config }: BridgePlan, ipam: IpamBinding | null, request: AddRequest): void {
  // What no result of this version can tell must not be made.
  if (ipam === null) requireRepresentable([], request.config.cniVersion);
  else if (config.disableContainerInterface) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "read network configuration",
      object: "disableContainerInterface",
      reason:
        "cannot use IPAM when DisableContainerInterface flag is set: the addresses would be on a link that is down",
      hint: "drop ipam or disableContainerInterface",
    });
  }
}

function make(addition: Addition, space: Workspace): Result {
  const { plan, request } = addition;
  const netns = openNetns(request.netns);
  try {
    const awaitAddresses = ask(addition, space);
    const attached = attach({ bridge: plan, netns, awaitAddresses }, space);
    const outcome = { ...attached, containerInterface: CONTAINER_INTERFACE, dns: plan.dns };
    return appendResult(request.prevResult ?? EMPTY_RESULT, resultOf(outcome));
  } finally {
    netns.close();
  }
}

/** Asks for addresses now; the function returned waits for them. Null: a layer 2 network. */
function ask({ plan, ipam, request }: Addition, { undo }: Workspace): (() => AddressPlan) | null {
  if (ipam === null) return null;
  const pending = ipam.begin(request, plan.mac);
  // As in DEL: an interface that would not go still uses its address. The runtime's DEL comes back to both.
  undo.pushGuarded("release addresses", pending.undo);
  return () => {
    const result = pending.finish();
    requireRepresentable(result.ips, request.config.cniVersion);
    return planAddresses(plan, result);
  };
}
