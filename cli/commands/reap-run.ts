/** What `fairlead reap` does. */

import { Attempts } from "../../lib/attempts.ts";
import { findLink } from "../../lib/host/links.ts";
import { readFileIfExists } from "../../lib/linux/files/files.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { readCacheEntry } from "../../lib/runtime/cache.ts";
import { isContainerGone, ownStandpoint, type Witness } from "../../lib/runtime/stale.ts";
import type { Io } from "../base/io.ts";
import type { Input } from "../base/spec.ts";
import { withContainerLock } from "../node/attach.ts";
import { type Node, openNode } from "../node/node.ts";
import type { NODE_OPTIONS } from "../node/options.ts";
import { pathsOf } from "../node/options.ts";
import { dockerStatus } from "./docker-status.ts";

export function runReap({ args, options }: Input<typeof NODE_OPTIONS>, io: Io): Promise<number> {
  return dockerStatus(io, async () => {
    const node = openNode(pathsOf(options));
    const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
    const witness = {
      standpoint: ownStandpoint(),
      hasLink: (ifname: string) => findLink(connection, ifname) !== null,
    };
    const attempts = new Attempts();
    for (const file of args) attempts.run(() => reapOne(node, file, witness));
    connection.close();
    attempts.throwIfFailed("take back", "what containers left");
  });
}

/** Looks again under the container's lock: it may have been connected anew meanwhile. */
function reapOne(node: Node, file: string, witness: Witness): void {
  const bytes = readFileIfExists(file);
  const known = bytes === null ? null : readCacheEntry(bytes, file);
  if (known === null) return;
  withContainerLock(node, known.containerId, () => {
    const entry = node.cache.find(known);
    if (entry !== null && isContainerGone(entry, witness)) node.runtime.delCached(entry, { netns: "" });
  });
}
