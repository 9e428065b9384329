/** The host as this plugin acts on it. */

import { HostNetlink } from "../../../lib/host/netlink.ts";
import { PUBLISHING_SOCKET } from "../../published-ports.ts";

/** Runs `action` with the host's sockets, and closes them. */
export function withHost<T>(action: (host: HostNetlink) => T): T {
  const host = new HostNetlink(PUBLISHING_SOCKET);
  try {
    return action(host);
  } finally {
    host.close();
  }
}
