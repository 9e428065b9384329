/** What the kernel has of attachments, over sockets that stay open; and whether anything about links has changed. */
import { listAttachmentPorts } from "../../lib/host/attachment-ports.ts";
import { listMasquerade } from "../../lib/host/firewall.ts";
import { TABLE } from "../../lib/host/firewall-masquerade-in-place.ts";
import { readPortmap } from "../../lib/host/firewall-portmap-state.ts";
import { isPortmapInPlace } from "../../lib/host/firewall-portmap-table.ts";
import { listSourceChecks } from "../../lib/host/firewall-source.ts";
import { listLinksOfKind } from "../../lib/host/links.ts";
import {
  type DrainableNetlinkTransport,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  openNetlinkSocket,
} from "../../lib/linux/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import { getTable } from "../../lib/netlink/nftables/table.ts";
import { type Actual, publishedText } from "./compare.ts";

/** Source: include/uapi/linux/rtnetlink.h. */
const RTNLGRP_LINK = 1;

export class AttachmentKernel {
  #route: NetlinkConnection | null = null;
  #netfilter: NetlinkConnection | null = null;
  #notices: DrainableNetlinkTransport | null = null;
  #generation: number | null = null;
  /** Of our table when it was looked at; undefined: it was not there. Null: nobody looked yet. */
  #table: bigint | undefined | null = null;

  /** Whether a link or a rule has changed since it was asked last. True the first time. */
  hasChanged(): boolean {
    if (this.#notices === null) {
      this.#notices = openNetlinkSocket(NETLINK_ROUTE, { groups: [RTNLGRP_LINK] });
      return true;
    }
    const heard = this.#notices.heard();
    const before = this.#generation;
    this.#generation = this.#nft.generation();
    return heard || before !== this.#generation;
  }

  /**
   * Reads it all. Not as it was at one time: what is half done by somebody else shows as missing, and is looked at again.
   * @throws FairleadError
   */
  read(): Actual {
    const nft = this.#nft;
    const { ports, attachments } = readPortmap(nft);
    const table = nft.find(getTable(TABLE))?.handle;
    const tableWasLost = this.#table !== null && this.#table !== undefined && this.#table !== table;
    this.#table = table;
    const bridges = listLinksOfKind(this.#links, "bridge");
    return {
      ports: listAttachmentPorts(this.#links),
      bridges: new Map(bridges.map(({ ifname, ifindex }) => [ifname, ifindex])),
      published: new Set(
        ports.map(({ holder, port: { protocol, hostAddress, hostPort } }) =>
          publishedText(holder, { protocol, family: hostAddress.family, hostPort }),
        ),
      ),
      translates: attachments.length === 0 || isPortmapInPlace(nft),
      masqueraded: new Set(listMasquerade(nft).map(({ networkName }) => networkName)),
      sourceChecked: listSourceChecks(nft),
      tableWasLost,
    };
  }

  close(): void {
    this.#route?.close();
    this.#netfilter?.close();
    this.#notices?.close();
    this.#route = null;
    this.#netfilter = null;
    this.#notices = null;
  }

  get #links(): NetlinkConnection {
    this.#route ??= new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
    return this.#route;
  }

  get #nft(): NFTables {
    this.#netfilter ??= new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER));
    return new NFTables(this.#netfilter);
  }
}
