/** What the steps of one invocation act through. */
import { openHostNetlinkSocket } from "../lib/linux/host-netlink.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, type NetlinkSocketOptions } from "../lib/linux/netlink-socket.ts";
import { NetlinkConnection } from "../lib/netlink/connection.ts";
import { NFTables } from "../lib/netlink/nftables/nftables.ts";
import type { UndoStack } from "../lib/undo.ts";

export { LOCK_DIRECTORY } from "../lib/host/bridge-lock.ts";

/** Longest wait for a bridge's lock: whoever holds it exclusively is removing the bridge, which takes 40 ms. */
export const LOCK_TIMEOUT_MS = 10_000;

/** Netlink sockets in the host's namespace, opened when they are first used. */
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

/** The host's sockets, where each step leaves its inverse, and who is told what could not be had. */
export interface Workspace {
  readonly host: HostNetlink;
  readonly undo: UndoStack;
  log(message: string): void;
}
