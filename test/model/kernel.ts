/**
 * The kernel of a world, by netlink: namespaces of containers made, emptied and read without a process for each question. What
 * it reads, {@link file://./witness.ts} reads with the kernel's own tools from time to time.
 */
import { formatAddress } from "../../lib/addr/address.ts";
import { listLinksOfKind, removeLink, setLinkUp } from "../../lib/host/links.ts";
import {
  createNamedNetns,
  namedNetnsPath,
  removeNamedNetns,
} from "../../lib/linux/namespaces/named-netns.ts";
import { openNetns } from "../../lib/linux/namespaces/netns.ts";
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  openNetlinkSocket,
  openNetlinkSocketIn,
} from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { listElements } from "../../lib/netlink/nftables/elements.ts";
import { NFPROTO_INET } from "../../lib/netlink/nftables/message.ts";
import { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import { getSets } from "../../lib/netlink/nftables/set.ts";
import { decodeComment, NFTNL_UDATA_SET_ELEM_COMMENT } from "../../lib/netlink/nftables/userdata.ts";
import { getAddresses, localAddress } from "../../lib/netlink/route/address.ts";
import { getLinks } from "../../lib/netlink/route/link.ts";
import type { Snapshot } from "./judge.ts";

const TABLE = { family: NFPROTO_INET, table: "fairlead" } as const;
const SCOPE_UNIVERSE = 0;
const LOOPBACK = 1;

/** What a snapshot takes from the kernel. */
export type KernelView = Pick<Snapshot, "interfaces" | "hostLinks" | "elements">;

export class Kernel {
  readonly #host = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  readonly #nft = new NFTables(new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER)));
  /** By container, into its namespace, which an open one keeps alive. */
  readonly #containers = new Map<number, NetlinkConnection>();

  raiseLoopback(): void {
    setLinkUp(this.#host, LOOPBACK);
  }

  /** A namespace as a runtime makes it. */
  addContainer(who: number): void {
    const netns = openNetns(createNamedNetns(containerName(who)));
    const connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    netns.close();
    setLinkUp(connection, LOOPBACK);
    this.#containers.set(who, connection);
  }

  /** Namespaces with what is in them, and the links of the host. */
  clear(): void {
    for (const [who, connection] of this.#containers) {
      connection.close();
      removeNamedNetns(containerName(who));
    }
    this.#containers.clear();
    this.removeLinks();
  }

  /** Of the host, all but the loopback. */
  removeLinks(): void {
    for (const { ifindex } of this.#host.dump(getLinks()))
      if (ifindex !== LOOPBACK) removeLink(this.#host, ifindex);
  }

  view(): KernelView {
    return {
      interfaces: [...this.#containers].flatMap(([who, connection]) => interfacesIn(who, connection)),
      hostLinks: listLinksOfKind(this.#host, "veth").map(({ ifname }) => ifname),
      elements: this.#nft.read("read comments", () => this.#comments()),
    };
  }

  /** Of elements of attachments: such a comment names network, container and interface. */
  #comments(): string[] {
    const sets = this.#nft.list(getSets(TABLE));
    return sets
      .flatMap(({ name = "" }) => listElements(this.#nft, { ...TABLE, set: name }))
      .flatMap(({ userdata }) => decodeComment(userdata, NFTNL_UDATA_SET_ELEM_COMMENT) ?? [])
      .filter((comment) => comment.includes("/"));
  }
}

function interfacesIn(who: number, connection: NetlinkConnection): Snapshot["interfaces"] {
  const addresses = connection.dump(getAddresses());
  return connection
    .dump(getLinks())
    .filter(({ ifindex }) => ifindex !== LOOPBACK)
    .map(({ ifindex }) => ({
      who,
      addresses: addresses
        .filter((each) => each.ifindex === ifindex && each.scope === SCOPE_UNIVERSE)
        .flatMap((each) => localAddress(each) ?? [])
        .map(({ address }) => formatAddress(address)),
    }));
}

/** Name of a container's namespace. */
function containerName(who: number): string {
  return `c${who}`;
}

/** Path of a container's namespace. */
export function containerPath(who: number): string {
  return namedNetnsPath(containerName(who));
}
