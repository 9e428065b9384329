/** Connections of ports that change hands, for the protocols that have no beginning of a connection. */
import { forgetConnections } from "../../../lib/host/connections.ts";
import type { PortProtocol } from "../../../lib/host/firewall-portmap-holder.ts";
import { PROTOCOL_NUMBERS, type PublishedPort, targetsOf } from "../../../lib/host/firewall-portmap-plan.ts";
import type { HostNetlink } from "../../workspace.ts";

const WITHOUT_HANDSHAKE: readonly PortProtocol[] = ["udp", "sctp"];

/** Makes clients of the ports be translated anew. Nothing to do, and no time spent, where all ports are TCP's. */
export function forgetFlows(ports: readonly PublishedPort[], host: HostNetlink): void {
  for (const protocol of WITHOUT_HANDSHAKE) {
    const own = ports.filter((port) => port.protocol === protocol);
    if (own.length === 0) continue;
    forgetConnections(host, {
      families: [...new Set(own.map(({ hostAddress }) => hostAddress.family))],
      protocol: PROTOCOL_NUMBERS[protocol],
      hostPorts: new Set(own.map(({ hostPort }) => hostPort)),
      containerAddresses: targetsOf(own),
    });
  }
}
