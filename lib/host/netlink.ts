/** Sockets to the kernel in the host's namespace, for whoever asks it again and again. */
import { openHostNetlinkSocket } from "../linux/sockets/host-netlink.ts";
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  type NetlinkSocketOptions,
} from "../linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../netlink/connection.ts";
import { NFTables } from "../netlink/nftables/nftables.ts";

/**
 * Opened when they are first used. They stay open, because closing one that removed nftables objects takes 13 ms, until
 * they are closed: after a failure, whose late answers might wait in them, and at the end.
 */
export class HostNetlink {
  readonly #options: NetlinkSocketOptions;
  #route: NetlinkConnection | undefined;
  #netfilter: NetlinkConnection | undefined;

  /** @param options of the netfilter socket. */
  constructor(options: NetlinkSocketOptions = {}) {
    this.#options = options;
  }

  get route(): NetlinkConnection {
    this.#route ??= new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
    return this.#route;
  }

  get netfilter(): NetlinkConnection {
    this.#netfilter ??= new NetlinkConnection(openHostNetlinkSocket(NETLINK_NETFILTER, this.#options));
    return this.#netfilter;
  }

  get nft(): NFTables {
    return new NFTables(this.netfilter);
  }

  /** Sockets that are asked for afterwards are opened anew. */
  close(): void {
    this.#route?.close();
    this.#netfilter?.close();
    this.#route = undefined;
    this.#netfilter = undefined;
  }
}
