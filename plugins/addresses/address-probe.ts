/** Whether somebody on the network of a container's new link has the addresses that it shall get. */
import { findClaim, type ProbedLink } from "../../lib/host/addressing/probe.ts";
import { withNetns } from "../../lib/linux/namespaces/netns.ts";
import type { AddressPlan } from "../container/address-plan.ts";
import { type ContainerSettings, prepareContainerEnd } from "../container/container-end.ts";
import type { Probe } from "./pending-addresses.ts";

export interface ProbedEnd extends ProbedLink {
  readonly settings: Omit<ContainerSettings, "addresses">;
}

/** The question, to be asked when there are addresses. It makes the settings that must be there before the link is up. */
export function probeThrough(end: ProbedEnd): Probe {
  return (plan: AddressPlan) => {
    // What there is to tell is told when the link gets its addresses: the same settings are made then.
    const settings = { ...end.settings, addresses: plan, log: () => undefined };
    const usable = withNetns(end.netns, () => prepareContainerEnd(settings));
    return findClaim(end, usable?.ips.map(({ address }) => address.address) ?? []);
  };
}
