/** The host as this plugin acts on it: netlink sockets, opened when they are first used. */
import { NETLINK_NETFILTER, NETLINK_ROUTE, openNetlinkSocket } from "../../../lib/linux/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { NFTables } from "../../../lib/netlink/nftables/nftables.ts";

/** Room for the largest transaction: MOST_PORTS ports of two families, each with a comment. */
const LONGEST_DATAGRAM_BYTES = 4 * 1024 * 1024;

export class Host {
  #route: NetlinkConnection | undefined;
  #netfilter: NetlinkConnection | undefined;

  get route(): NetlinkConnection {
    this.#route ??= new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
    return this.#route;
  }

  get netfilter(): NetlinkConnection {
    this.#netfilter ??= new NetlinkConnection(
      openNetlinkSocket(NETLINK_NETFILTER, { sendBufferBytes: LONGEST_DATAGRAM_BYTES }),
    );
    return this.#netfilter;
  }

  get nft(): NFTables {
    return new NFTables(this.netfilter);
  }

  close(): void {
    this.#route?.close();
    this.#netfilter?.close();
  }
}

/** Runs `action` with the host, and closes its sockets. */
export function withHost<T>(action: (host: Host) => T): T {
  const host = new Host();
  try {
    return action(host);
  } finally {
    host.close();
  }
}
