/**
 * ADD behind another interface plugin: the bridge takes in the interface that is there already.
 *
 * When `prevResult` has the container's interface, this plugin makes no pair; it makes the host's end a port of the
 * bridge and passes everything else on. Making the interface go is then the business of the plugin that made it.
 *
 * Source: CNI CONVENTIONS.md, "Chained interface plugins".
 */
import type { AddRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import type { BridgeLook } from "../../../lib/host/bridge/look.ts";
import { findLink, type LinkState } from "../../../lib/host/links.ts";
import type { HostNetlink } from "../../../lib/host/netlink.ts";
import type { Workspace } from "../../workspace.ts";
import { attachPort } from "./attach.ts";
import { type Addition, planAddresses } from "./plan.ts";

/** An interface that an earlier plugin of the chain made. */
export interface Adoptable {
  /** Its end on the host. */
  readonly port: LinkState;
  /** Of the bridge that it shall join. */
  readonly look: BridgeLook;
  /** What the plugins before us answered. */
  readonly before: Result;
}

/**
 * The interface to adopt; null when there is none.
 *
 * @throws FairleadError invalid-config when the container has the interface but `prevResult` names no host end.
 */
export function findAdoptable(
  { prevResult, key }: AddRequest,
  look: BridgeLook,
  host: HostNetlink,
): Adoptable | null {
  const made = prevResult?.interfaces.some(({ name, sandbox }) => name === key.ifname && sandbox);
  if (!prevResult || !made) return null;
  const onHost = prevResult.interfaces.filter(({ sandbox }) => !sandbox);
  const ports = onHost.map(({ name }) => findLink(host.route, name));
  const port = ports.find((link) => link !== null && link.kind !== "bridge");
  if (port) return { port, before: prevResult, look };
  throw invalid(
    key.ifname,
    "prevResult has this interface, but no host interface that could become a port of the bridge",
    "put the bridge first in the chain, or behind a plugin that makes a veth pair",
  );
}

/** Makes the port a port of the bridge. @throws FairleadError invalid-config when the bridge has an ipam section too. */
export function adopt({ plan, ipam }: Addition, { port, before, look }: Adoptable, space: Workspace): Result {
  if (ipam !== null) {
    throw invalid(
      port.ifname,
      "the interface has its addresses from the plugin before, and ipam would give it others",
      "drop ipam from one of the two plugins",
    );
  }
  const addresses = before.ips.length > 0 ? planAddresses(plan, before) : null;
  // The plugin before us gave the container its MAC address.
  const mac =
    before.interfaces.find(({ name, sandbox }) => name === plan.key.ifname && sandbox)?.mac || plan.mac;
  const bridge = { ...plan, hostIfname: port.ifname, mac };
  const interfaces = attachPort({ bridge, addresses, port, look }, space);
  return { ...before, interfaces: [...before.interfaces, ...interfaces] };
}

function invalid(object: string, reason: string, hint: string): FairleadError {
  return new FairleadError({ code: "invalid-config", operation: "attach to bridge", object, reason, hint });
}
