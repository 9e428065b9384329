/** Ports of this host that nobody listens on and no container has. */
import { type Address, parseAddress } from "../../../lib/addr/address.ts";
import { type HostPort, overlaps } from "../../../lib/host/firewall/ports/holder.ts";
import { readPublishedPorts } from "../../../lib/host/firewall/ports/state.ts";
import { readSysctl } from "../../../lib/linux/files/sysctl.ts";
import { NETLINK_NETFILTER, openNetlinkSocket } from "../../../lib/linux/sockets/netlink-socket.ts";
import { isPortTaken } from "../../../lib/linux/sockets/port-probe.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { NFTables } from "../../../lib/netlink/nftables/nftables.ts";
import type { HostPortChoice, PortChooser } from "./host.ts";

/** Docker's, where the kernel does not say. */
const DEFAULT_RANGE = [32768, 60999] as const;
const EVERY_ADDRESS = ["0.0.0.0", "::"] as const;

/** What there is at this moment: somebody else may take a port before it is published. */
export function hostPortChooser(): PortChooser {
  const published = readAllPublished();
  return {
    range: ephemeralRange(),
    isFree: (choice) => portsMeant(choice).every((port) => isFree(port, published)),
    random: (below) => Math.floor(Math.random() * below),
  };
}

function ephemeralRange(): readonly [number, number] {
  const words = (readSysctl(["net", "ipv4", "ip_local_port_range"]) ?? "").trim().split(/\s+/);
  const [first = 0, last = 0] = words.map(Number);
  return first >= 1 && last >= first && last <= 65535 ? [first, last] : DEFAULT_RANGE;
}

function portsMeant({ protocol, hostIP, port }: HostPortChoice): HostPort[] {
  const addresses: Address[] = (hostIP === undefined ? EVERY_ADDRESS : [hostIP]).map(parseAddress);
  return addresses.map((hostAddress) => ({ protocol, hostAddress, hostPort: port }));
}

function isFree(port: HostPort, published: readonly HostPort[]): boolean {
  const { protocol, hostAddress: address, hostPort } = port;
  return !published.some((one) => overlaps(one, port)) && !isPortTaken({ protocol, address, port: hostPort });
}

function readAllPublished(): HostPort[] {
  const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER));
  try {
    return readPublishedPorts(new NFTables(connection));
  } finally {
    connection.close();
  }
}
