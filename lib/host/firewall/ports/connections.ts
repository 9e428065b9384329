/**
 * Connections of published ports, forgotten when the port changes hands.
 *
 * Connection tracking keeps the translation that the first packet got. A client that goes on sending from the same port
 * (DNS, syslog, QUIC, SIP) would reach the container that was there before, or nobody, for as long as it goes on: with
 * UDP there is no end of a connection to start anew after. TCP clients notice, and connect again.
 */
import { type Address, addressEquals, type Family, formatAddress } from "../../../addr/address.ts";
import type { NetlinkConnection } from "../../../netlink/connection.ts";
import { type Connection, deleteConnection, getConnections } from "../../../netlink/conntrack/message.ts";
import { IPS_DST_NAT } from "../../../netlink/nftables/expr/ct.ts";
import { isAbsent } from "../../../netlink/request.ts";
import { getAddresses, localAddress } from "../../../netlink/route/address.ts";

/** Which connections to forget. */
export interface FlowFilter {
  readonly families: readonly Family[];
  /** IPPROTO_*. */
  readonly protocol: number;
  /** Ports of this host that clients sent to. */
  readonly hostPorts: ReadonlySet<number>;
  /** Where DNAT led to, whatever port it came in by. */
  readonly containerAddresses: readonly Address[];
}

export interface FlowConnections {
  /** On a NETLINK_NETFILTER socket. */
  readonly netfilter: NetlinkConnection;
  /** On a NETLINK_ROUTE socket. */
  readonly route: NetlinkConnection;
}

/**
 * Forgets connections that were begun to one of the ports of this host, or were led to one of the addresses. Returns how
 * many. Those that pass through the host to the same port elsewhere stay.
 *
 * One walk through the kernel's table for each family, some milliseconds long.
 *
 * @throws FairleadError kernel-refused; a connection that ended meanwhile is no error.
 */
export function forgetConnections({ netfilter, route }: FlowConnections, filter: FlowFilter): number {
  const candidates = filter.families
    .flatMap((family) => netfilter.dump(getConnections(family, filter.protocol)))
    .filter((one) => mayBeMeant(one, filter));
  if (candidates.length === 0) return 0;
  const local = addressesOfHost(route);
  const meant = candidates.filter((one) => isTranslated(one) || isLocal(destinationOf(one), local));
  const results = netfilter.attempt(meant.map(deleteConnection));
  for (const result of results) if (!result.ok && !isAbsent(result.error)) throw result.error;
  return meant.length;
}

function mayBeMeant(connection: Connection, { hostPorts, containerAddresses }: FlowFilter): boolean {
  if (hostPorts.has(connection.original?.protocol?.destinationPort ?? 0)) return true;
  const { reply } = connection;
  const ledTo = reply?.addresses?.source4 ?? reply?.addresses?.source6;
  if (ledTo === undefined || !isTranslated(connection)) return false;
  return containerAddresses.some((address) => addressEquals(address, ledTo));
}

function isTranslated({ status = 0 }: Connection): boolean {
  return (status & IPS_DST_NAT) !== 0;
}

function destinationOf({ original }: Connection): Address | undefined {
  return original?.addresses?.destination4 ?? original?.addresses?.destination6;
}

function addressesOfHost(route: NetlinkConnection): ReadonlySet<string> {
  const own = route.dump(getAddresses()).flatMap((address) => localAddress(address) ?? []);
  return new Set(own.map(({ address }) => formatAddress(address)));
}

/** The whole of 127.0.0.0/8 is local, whatever addresses the loopback lists. */
function isLocal(address: Address | undefined, local: ReadonlySet<string>): boolean {
  if (address === undefined) return false;
  return (address.family === 4 && address.value >> 24n === 127n) || local.has(formatAddress(address));
}
