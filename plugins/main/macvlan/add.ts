/** ADD: decide, ask for addresses, make the link, answer; on any failure take back what was done. */
import type { AddRequest } from "../../../lib/cni/request.ts";
import { EMPTY_RESULT, type Result, requireRepresentable } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { type LinkState, removeLink } from "../../../lib/host/links.ts";
import { createMacvlan } from "../../../lib/host/macvlan.ts";
import { openNetns, withNetns } from "../../../lib/linux/namespaces/netns.ts";
import { NetlinkError } from "../../../lib/netlink/request.ts";
import type { UndoStack } from "../../../lib/undo.ts";
import { probeThrough } from "../../addresses/address-probe.ts";
import { bindIpam, type IpamBinding } from "../../addresses/ipam-binding.ts";
import { type AwaitAddresses, askForAddresses } from "../../addresses/pending-addresses.ts";
import type { AddressPlan } from "../../container/address-plan.ts";
import { appendResult, interfaceOf, resultOf } from "../../container/attachment-result.ts";
import {
  type ConfiguredEnd,
  type ContainerSettings,
  configureContainerEnd,
  prepareContainerEnd,
} from "../../container/container-end.ts";
import { processExec } from "../../io.ts";
import { requireMaster } from "./master.ts";
import { type MacvlanPlan, macOn, planAddresses, planMacvlan } from "./plan.ts";
import { MacvlanSpace } from "./space.ts";

/** One ADD, read and checked. */
interface Addition {
  readonly plan: MacvlanPlan;
  /** Null: a layer 2 network. */
  readonly ipam: IpamBinding | null;
  readonly request: AddRequest;
}

export function add(request: AddRequest): Result {
  const plan = planMacvlan(request);
  const ipam = bindIpam(plan.shared, { ...request, exec: processExec });
  // What no result of this version can tell must not be made.
  if (ipam === null) requireRepresentable([], request.config.cniVersion);
  const space = new MacvlanSpace(openNetns(request.netns), plan.config);
  request.atEnd(() => space.close());
  return make({ plan, ipam, request }, space, request.undo);
}

/** The link below, and the MAC address of the container's on it. */
interface LinkBelow {
  readonly master: LinkState;
  readonly mac: string;
}

function make(addition: Addition, space: MacvlanSpace, undo: UndoStack): Result {
  const { plan, request } = addition;
  const master = requireMaster(space.below, plan.config);
  const below = { master, mac: macOn(master, plan) };
  const complete = (result: Result) => planAddresses(plan, result);
  const awaitAddresses = askForAddresses({ ...addition, mac: below.mac, complete }, undo);
  const made = makeLink(plan, below, space);
  undo.push(`delete link ${made.ifname}`, () => removeLink(space.container, made.ifindex));
  const end = configure(plan, { ...below, made, awaitAddresses, log: request.log }, space);
  const interfaces = [interfaceOf(end.link, request.netns)];
  const outcome = { interfaces, containerInterface: 0, addresses: end.addresses, dns: plan.dns };
  return appendResult(request.prevResult ?? EMPTY_RESULT, resultOf(outcome));
}

function makeLink(plan: MacvlanPlan, { master, mac }: LinkBelow, space: MacvlanSpace): LinkState {
  const { config, key, alias } = plan;
  const { mode, mtu, broadcastQueueLength } = config;
  const { netnsBelow } = space;
  return createMacvlan(space.container, {
    ifname: key.ifname,
    master,
    ...(netnsBelow && { masterNetns: netnsBelow }),
    mode,
    ...(mode !== "passthru" && { mac }),
    ...(mtu !== undefined && { mtu }),
    ...(broadcastQueueLength !== undefined && { broadcastQueueLength }),
    alias,
  });
}

interface LinkInProgress extends LinkBelow {
  readonly made: LinkState;
  readonly awaitAddresses: AwaitAddresses;
  log(message: string): void;
}

function configure(plan: MacvlanPlan, link: LinkInProgress, space: MacvlanSpace): ConfiguredEnd {
  const { made, log } = link;
  // Unlike a veth in its bridge, a macvlan is heard from its first frame: what the kernel announces when it comes up is enough.
  const settings = {
    ifname: made.ifname,
    routerAdvertisements: plan.config.routerAdvertisements,
    requiresIpv6: plan.asksForIpv6,
    log,
  };
  try {
    const addresses = addressesFor(plan, { ...link, settings }, space);
    const usable = withNetns(space.netns, () => prepareContainerEnd({ ...settings, addresses }));
    return configureContainerEnd(space.container, {
      ifindex: made.ifindex,
      addresses: usable,
      gatewayPriority: plan.gatewayPriority,
    });
  } catch (error) {
    throw explainBusyMac(error, link);
  }
}

interface LinkWithSettings extends LinkInProgress {
  readonly settings: Omit<ContainerSettings, "addresses">;
}

function addressesFor(
  { config }: MacvlanPlan,
  { made, mac, awaitAddresses, settings }: LinkWithSettings,
  { netns, container: connection }: MacvlanSpace,
): AddressPlan | null {
  if (!config.probe) return awaitAddresses();
  return awaitAddresses(probeThrough({ netns, connection, ifindex: made.ifindex, mac, settings }));
}

/** Two links on one master cannot have one MAC address; the kernel says so when the second comes up. */
function explainBusyMac(error: unknown, { master, mac }: LinkBelow): unknown {
  if (!(error instanceof NetlinkError) || error.errnoName !== "EADDRINUSE") return error;
  return new FairleadError({
    code: "in-use",
    operation: "set up interface with MAC address",
    object: mac,
    reason: `${master.ifname}, or another container on it, has this MAC address`,
    hint: "ask for another one",
    details: error.details,
    cause: error,
  });
}
