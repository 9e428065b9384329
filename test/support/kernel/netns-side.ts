/** One side of an attachment in a test: a netns, the code's connection to it, and what `ip` shows of it. */

import { type Netns, openNetns } from "../../../lib/linux/namespaces/netns.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection, type NetlinkTransport } from "../../../lib/netlink/connection.ts";
import { type ShownAddress, type ShownLink, TestNetns } from "./netns.ts";

/** A netns of a test's own with a connection to it that counts what is sent. Close it when the test is over. */
export class NetnsSide {
  readonly shown: TestNetns;
  readonly netns: Netns;
  readonly connection: NetlinkConnection;
  sends = 0;

  constructor(label: string) {
    this.shown = new TestNetns(label);
    this.netns = openNetns(this.shown.path);
    this.connection = new NetlinkConnection(this.#counting(openNetlinkSocketIn(this.netns, NETLINK_ROUTE)));
  }

  #counting(transport: NetlinkTransport): NetlinkTransport {
    return {
      send: (datagram) => {
        this.sends++;
        transport.send(datagram);
      },
      receive: () => transport.receive(),
      close: () => transport.close(),
    };
  }

  /** Datagrams that `action` sends. */
  sendsOf(action: () => unknown): number {
    const before = this.sends;
    action();
    return this.sends - before;
  }

  link(ifname: string): ShownLink | undefined {
    return this.shown.show<ShownLink>("link").find((link) => link.ifname === ifname);
  }

  addresses(ifname: string): ShownAddress[] {
    const [link] = this.shown.show<{ addr_info: ShownAddress[] }>("address", "show", "dev", ifname);
    return (link?.addr_info ?? []).filter((address) => !address.local.startsWith("fe80::"));
  }

  close(): void {
    this.connection.close();
    this.netns.close();
    this.shown.close();
  }
}
