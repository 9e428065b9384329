/** Two network namespaces for requests of rtnetlink: one that is the host, and one of a container. */
import { parseAddress } from "../../../lib/addr/address.ts";
import { type Netns, openNetns } from "../../../lib/linux/namespaces/netns.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { NetlinkError } from "../../../lib/netlink/request.ts";
import { VXLAN_PORT, vxlanLocal } from "../../../lib/netlink/route/link/vxlan.ts";
import { getLink, LINK_UP, newLink } from "../../../lib/netlink/route/link.ts";
import { TestNetns } from "./netns.ts";

export class RouteNetns {
  readonly host = new TestNetns("fl-route");
  readonly container = new TestNetns("fl-route");
  readonly hostNetns: Netns = openNetns(this.host.path);
  readonly containerNetns: Netns = openNetns(this.container.path);
  /** To the host's. */
  readonly connection = new NetlinkConnection(openNetlinkSocketIn(this.hostNetns, NETLINK_ROUTE));
  /** To the container's. */
  readonly inside = new NetlinkConnection(openNetlinkSocketIn(this.containerNetns, NETLINK_ROUTE));

  constructor() {
    this.host.ip("link", "set", "lo", "up");
  }

  close(): void {
    this.connection.close();
    this.inside.close();
    this.hostNetns.close();
    this.containerNetns.close();
    this.host.close();
    this.container.close();
  }

  /** The first that `ip` shows on the host. */
  readonly show = (...args: string[]): Record<string, unknown> => {
    const [first] = this.host.show<Record<string, unknown>>(...args);
    if (!first) throw new Error(`ip ${args.join(" ")} shows nothing`);
    return first;
  };

  readonly ifindexOf = (ifname: string): number => this.connection.get(getLink({ ifname })).ifindex;

  readonly makeBridge = (): number => {
    const bridge = { ifname: "br0", address: "02:00:00:00:00:01", mtu: 1450, ...LINK_UP };
    this.connection.execute([newLink({ ...bridge, linkInfo: { kind: "bridge" } })]);
    return this.ifindexOf("br0");
  };

  readonly makeVxlan = (): number => {
    const data = { vni: 4097, ...vxlanLocal(parseAddress("192.0.2.1")), port: VXLAN_PORT, learning: false };
    this.connection.execute([newLink({ ifname: "vx0", ...LINK_UP, linkInfo: { kind: "vxlan", data } })]);
    return this.ifindexOf("vx0");
  };
}

/** What the kernel refuses `act` with. */
export function failure(act: () => unknown): NetlinkError {
  try {
    act();
  } catch (error) {
    if (error instanceof NetlinkError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
