/**
 * Deleting several links at the price of one.
 *
 * The kernel ends each RTM_DELLINK with an RCU barrier, some 18 ms, and serves one request after the other. The one request that
 * deletes many names a group: so the links are put into one that nobody else uses, and that is deleted. Putting a link into a
 * group takes some 30 microseconds, with its notice.
 *
 * Source: net/core/rtnetlink.c, rtnl_group_dellink: all or, when one link cannot be deleted, none.
 */
import { Attempts } from "../attempts.ts";
import type { NetlinkConnection } from "../netlink/connection.ts";
import { isAbsent } from "../netlink/request.ts";
import { deleteLinkGroup, setLink } from "../netlink/route/link.ts";
import { removeLink } from "./links.ts";

/** Of links that are in no other. Source: include/linux/netdevice.h, INIT_NETDEV_GROUP. */
const DEFAULT_GROUP = 0;
const GREATEST_GROUP = 2 ** 31 - 1;

/** A group that is nobody else's, as far as chance can tell. @param random in [0, 1), as `Math.random`. */
export function drawLinkGroup(random: () => number): number {
  return 1 + Math.floor(random() * GREATEST_GROUP);
}

/**
 * Deletes links, and veths' peers with them. Idempotent; goes on past those that it cannot delete, which end up in group 0.
 *
 * @param group a number from {@link drawLinkGroup} that no other thread or process uses: whatever is in it goes.
 * @throws FairleadError of all that could not be deleted.
 */
export function removeLinks(
  connection: NetlinkConnection,
  ifindexes: readonly number[],
  group: number,
): void {
  if (ifindexes.length > 1 && removeTogether(connection, ifindexes, group)) return;
  const attempts = new Attempts();
  for (const ifindex of ifindexes) attempts.run(() => removeAlone(connection, ifindex));
  attempts.throwIfFailed("delete links", ifindexes.join(", "));
}

/** False when some may be left. */
function removeTogether(connection: NetlinkConnection, ifindexes: readonly number[], group: number): boolean {
  const grouped = connection.attempt(ifindexes.map((ifindex) => setLink({ ifindex }, { group })));
  const isWhole = grouped.every((result) => result.ok || isAbsent(result.error));
  // Links that have gone meanwhile, as their peers did, are in no group.
  const [deleted] = connection.attempt([deleteLinkGroup(group)]);
  return isWhole && (deleted.ok || isAbsent(deleted.error));
}

function removeAlone(connection: NetlinkConnection, ifindex: number): void {
  try {
    removeLink(connection, ifindex);
  } catch (thrown) {
    // Left in the group, it would keep the next ones from going together.
    connection.attempt([setLink({ ifindex }, { group: DEFAULT_GROUP })]);
    throw thrown;
  }
}
