/** The host's ends of attachments as the kernel has them: what is looked at often, of many links, and nothing else. */
import { attribute, attributeTable, zstring } from "../../netlink/attribute.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { familyMessage } from "../../netlink/family-message.ts";
import { bridgePortTable } from "../../netlink/route/link/bridge.ts";
import { getLinks, IFF_UP, ifinfomsg, linkTable } from "../../netlink/route/link.ts";

/** One veth of this host. */
export interface AttachmentPort {
  readonly ifname: string;
  readonly alias: string;
  readonly isUp: boolean;
  /** Bytes of layer 3. */
  readonly mtu: number;
  /** ifindex of its bridge; null: it is no port. */
  readonly master: number | null;
  /** Of a port. */
  readonly hairpin: boolean;
  readonly isolated: boolean;
}

const portDataTable = attributeTable(
  "port of an attachment",
  () => {
    const { hairpin, isolated } = bridgePortTable.rows;
    return { hairpin, isolated };
  },
  { dropsUnknown: true },
);
const infoTable = attributeTable(
  "link info of an attachment",
  () => ({
    kind: attribute("IFLA_INFO_KIND", 1, zstring),
    port: attribute("IFLA_INFO_SLAVE_DATA", 5, portDataTable),
  }),
  { dropsUnknown: true },
);
const portMessage = familyMessage(
  ifinfomsg,
  attributeTable(
    "attachment's link",
    () => {
      const { alias, ifname, master, mtu } = linkTable.rows;
      return { alias, ifname, master, mtu, linkInfo: attribute("IFLA_LINKINFO", 18, infoTable) };
    },
    { dropsUnknown: true },
  ),
);

/** Every veth of this host, by name. One exchange. */
export function listAttachmentPorts(connection: NetlinkConnection): ReadonlyMap<string, AttachmentPort> {
  const { type, flags, payload, operation, object } = getLinks({ kind: "veth" });
  const replies = connection.dump({
    type,
    flags,
    payload,
    operation,
    object,
    decodeReply: (reply) => portMessage.decode(reply.payload),
    accepts: ({ linkInfo }) => linkInfo?.kind === "veth",
  });
  return new Map(replies.map((link) => [link.ifname ?? "", portOf(link)]));
}

function portOf(link: ReturnType<typeof portMessage.decode>): AttachmentPort {
  const { ifname = "", alias = "", flags, mtu = 0, master, linkInfo } = link;
  // The master of a port of something else than a bridge tells in other words; both switches are then off.
  const { hairpin = false, isolated = false } = linkInfo?.port ?? {};
  return { ifname, alias, isUp: (flags & IFF_UP) !== 0, mtu, master: master ?? null, hairpin, isolated };
}
