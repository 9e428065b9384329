/** What `fairlead agent --remove-rules` does. */
import { removeAccepted } from "../../lib/host/firewall/foreign/accept.ts";
import { NETLINK_NETFILTER, openNetlinkSocket } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import type { Io } from "../base/io.ts";

/** Idempotent. @throws FairleadError of what could not be taken out. */
export async function removeRules(io: Io): Promise<number> {
  const netfilter = new NetlinkConnection(openNetlinkSocket(NETLINK_NETFILTER));
  try {
    for (const chain of removeAccepted(new NFTables(netfilter))) await io.out(`chain ${chain}\n`);
    return 0;
  } finally {
    netfilter.close();
  }
}
