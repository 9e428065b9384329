/** The host as this plugin acts on it. */
import { HostNetlink } from "../../workspace.ts";

/** Room for the largest transaction: MOST_PORTS ports of two families, each with a comment. */
const LONGEST_DATAGRAM_BYTES = 4 * 1024 * 1024;

/** Runs `action` with the host's sockets, and closes them. */
export function withHost<T>(action: (host: HostNetlink) => T): T {
  const host = new HostNetlink({ sendBufferBytes: LONGEST_DATAGRAM_BYTES });
  try {
    return action(host);
  } finally {
    host.close();
  }
}
