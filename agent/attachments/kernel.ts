/** What the kernel has of attachments, over sockets that stay open; and whether anything about links has changed. */
import { listAttachmentPorts } from "../../lib/host/attachment/ports.ts";
import { listMasquerade } from "../../lib/host/firewall/masquerade/verbs.ts";
import { isPortmapInPlace } from "../../lib/host/firewall/ports/chains.ts";
import { readPortmap } from "../../lib/host/firewall/ports/state.ts";
import { listSourceChecks } from "../../lib/host/firewall/source/verbs.ts";
import { TABLE } from "../../lib/host/firewall/table.ts";
import { listLinksOfKind } from "../../lib/host/links.ts";
import { HostNetlink } from "../../lib/host/netlink.ts";
import {
  type DrainableNetlinkTransport,
  NETLINK_ROUTE,
  openNetlinkSocket,
} from "../../lib/linux/sockets/netlink-socket.ts";
import { getTable } from "../../lib/netlink/nftables/table.ts";
import { type Actual, publishedText } from "./compare.ts";

/** Source: include/uapi/linux/rtnetlink.h. */
const RTNLGRP_LINK = 1;

export class AttachmentKernel {
  readonly #netlink = new HostNetlink();
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
    this.#generation = this.#netlink.nft.generation();
    return heard || before !== this.#generation;
  }

  /**
   * Reads it all. Not as it was at one time: what is half done by somebody else shows as missing, and is looked at again.
   * @throws FairleadError
   */
  read(): Actual {
    const { nft, route } = this.#netlink;
    const { ports, attachments } = readPortmap(nft);
    const table = nft.find(getTable(TABLE))?.handle;
    const tableWasLost = this.#table !== null && this.#table !== undefined && this.#table !== table;
    this.#table = table;
    const bridges = listLinksOfKind(route, "bridge");
    return {
      ports: listAttachmentPorts(route),
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
    this.#netlink.close();
    this.#notices?.close();
    this.#notices = null;
  }
}
