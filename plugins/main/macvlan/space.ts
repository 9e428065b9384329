/** The two namespaces of an attachment, and a socket in each. */

import { isOwnNetns, type Netns, openNetns } from "../../../lib/linux/namespaces/netns.ts";
import {
  NETLINK_ROUTE,
  openNetlinkSocket,
  openNetlinkSocketIn,
} from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";

/** The netns of the calling thread. */
const OWN_NETNS = "/proc/thread-self/ns/net";

/** A container, and where the link below is. Sockets are opened when they are first used. */
export class MacvlanSpace {
  readonly netns: Netns;
  readonly #linkInContainer: boolean;
  #container: NetlinkConnection | undefined;
  #host: NetlinkConnection | undefined;
  #hostNetns: Netns | undefined;

  /** Takes over `netns`, which {@link close} closes. */
  constructor(netns: Netns, { linkInContainer }: { readonly linkInContainer: boolean }) {
    this.netns = netns;
    this.#linkInContainer = linkInContainer || isOwnNetns(netns);
  }

  get container(): NetlinkConnection {
    this.#container ??= new NetlinkConnection(openNetlinkSocketIn(this.netns, NETLINK_ROUTE));
    return this.#container;
  }

  /** To the netns of the master. */
  get below(): NetlinkConnection {
    if (this.#linkInContainer) return this.container;
    this.#host ??= new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
    return this.#host;
  }

  /** Netns of the master; undefined when it is that of the container. */
  get netnsBelow(): Netns | undefined {
    if (this.#linkInContainer) return undefined;
    this.#hostNetns ??= openNetns(OWN_NETNS);
    return this.#hostNetns;
  }

  close(): void {
    this.#container?.close();
    this.#host?.close();
    this.#hostNetns?.close();
    this.netns.close();
  }
}
