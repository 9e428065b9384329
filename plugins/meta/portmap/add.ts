/** ADD: decide, see that nobody listens on the ports, publish them all at once. Passes prevResult on as it is. */

import { configurationError } from "../../../lib/cni/config.ts";
import type { AddRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { type PublishSpec, publishPorts } from "../../../lib/host/firewall-portmap.ts";
import { formatHostPort, isOfEveryAddress } from "../../../lib/host/firewall-portmap-holder.ts";
import { isKeptForHost } from "../../../lib/host/firewall-portmap-kept.ts";
import type { PublishedPort } from "../../../lib/host/firewall-portmap-plan.ts";
import { unpublishPorts } from "../../../lib/host/firewall-portmap-unpublish.ts";
import { describeListener, findListeners, type Listener } from "../../../lib/host/listeners.ts";
import { routeLoopback } from "../../../lib/host/settings.ts";
import { UndoStack } from "../../../lib/undo.ts";
import type { HostNetlink, Workspace } from "../../workspace.ts";
import { readPortmapConfig } from "./config.ts";
import { forgetFlows } from "./flows.ts";
import { withHost } from "./host.ts";
import { findLinkTo } from "./link.ts";
import { containerAddresses, planPorts, readMappings } from "./plan.ts";

export function add(request: AddRequest): Result {
  const { prevResult, key } = request;
  const config = readPortmapConfig(request.config.raw);
  if (prevResult === null) throw notChained();
  const mappings = readMappings(config);
  if (mappings.length === 0) return prevResult;
  const addresses = containerAddresses(prevResult, key.ifname);
  const ports = planPorts(mappings, addresses);
  withHost((host) => {
    for (const port of ports) refuseListeners(port, key.containerId, host);
    const link = config.snat ? findLinkTo(addresses, request, host) : null;
    const undo = new UndoStack();
    try {
      publish({ holder: key, ports, link, masqueradeAll: config.masqAll }, { host, undo });
    } catch (error) {
      for (const failure of undo.unwind()) request.log(failure.message);
      throw error;
    }
  });
  return prevResult;
}

/**
 * All or nothing: a port that is published while old connections pass it by would seem to work, for some. The loopback is
 * routed last, when the chain that keeps others out of it is there.
 */
function publish(spec: PublishSpec, { host, undo }: Workspace): void {
  const { ports, link, holder } = spec;
  publishPorts(host.nft, spec);
  undo.push("unpublish ports", () => unpublishPorts(host.nft, holder));
  forgetFlows(ports, host);
  if (link !== null && ports.some(({ hostAddress }) => hostAddress.family === 4)) routeLoopback(link);
}

/** @throws FairleadError in-use, which names the program. */
function refuseListeners(port: PublishedPort, containerId: string, host: HostNetlink): void {
  const { protocol, hostAddress: address, hostPort } = port;
  const listener = findListeners({ protocol, address, port: hostPort }).find(
    (one) => !isReservation(one, containerId) && !isOurs(port, one, host),
  );
  if (listener === undefined) return;
  throw new FairleadError({
    code: "in-use",
    operation: "publish port",
    object: formatHostPort(port),
    reason: describeListener(listener),
    hint: "stop that program, or publish another port",
    details: { port: formatHostPort(port), program: listener.program, processId: listener.processId },
  });
}

/** A shorter ID could be a part of anybody's command line. Runtimes' own have 64 digits. */
const SHORTEST_TELLING_ID = 12;

/** Some runtimes (podman's conmon) hold the port open on behalf of the container, so that nobody else takes it. */
function isReservation({ commandLine }: Listener, containerId: string): boolean {
  return containerId.length >= SHORTEST_TELLING_ID && commandLine.includes(containerId);
}

/** A service of Fairlead's on one address keeps its port there, and is in nobody's way elsewhere. */
function isOurs(port: PublishedPort, { address }: Listener, host: HostNetlink): boolean {
  return isOfEveryAddress(port) && isKeptForHost(host.nft, { ...port, hostAddress: address });
}

function notChained(): FairleadError {
  return configurationError(
    "prevResult",
    "must be called as chained plugin: there is no prevResult",
    "put it behind a plugin that makes an interface, such as fairlead-bridge",
  );
}
