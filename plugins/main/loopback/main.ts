/**
 * `fairlead-loopback`: sets up the loopback of a container's network namespace.
 *
 * It has no configuration of its own. `CNI_IFNAME` is not looked at, because the link is always `lo`.
 *
 * Source: CNI SPEC 1.1.0; plugins/main/loopback of the reference plugins for DEL, which sets the link down.
 */
import type { PluginHandlers } from "../../../lib/cni/request.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { type Netns, openNetns, openNetnsIfExists } from "../../../lib/linux/namespaces/netns.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { VERSION } from "../../../lib/version.ts";
import { pluginIo } from "../../io.ts";
import { requireLoopbackUp, setLoopbackDown, setLoopbackUp } from "./loopback.ts";

const handlers: PluginHandlers = {
  add: ({ netns, prevResult, undo }) => {
    undo.push("set the loopback down", () => inNetns(openNetns(netns), setLoopbackDown));
    const result = inNetns(openNetns(netns), (connection) => setLoopbackUp(connection, netns));
    return prevResult ?? result;
  },
  del: ({ netns }) => {
    // The loopback of a netns that is gone is gone with it.
    const open = netns === null ? null : openNetnsIfExists(netns);
    if (open !== null) inNetns(open, setLoopbackDown);
  },
  check: ({ netns }) => inNetns(openNetns(netns), requireLoopbackUp),
  gc: () => {},
  status: () => {},
};

/** Talks rtnetlink inside `netns`, and closes it. */
function inNetns<T>(netns: Netns, action: (connection: NetlinkConnection) => T): T {
  try {
    const transport = openNetlinkSocketIn(netns, NETLINK_ROUTE);
    try {
      return action(new NetlinkConnection(transport));
    } finally {
      transport.close();
    }
  } finally {
    netns.close();
  }
}

/**
 * Runs one invocation.
 *
 * @returns the exit status of the process.
 */
export function main(io: PluginIo = pluginIo()): number {
  return runPlugin({
    name: "fairlead-loopback",
    version: VERSION,
    supportedVersions: CNI_VERSIONS,
    handlers,
    io,
  });
}
