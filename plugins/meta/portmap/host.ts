/** The host as this plugin acts on it. */
import { PUBLISHING_SOCKET } from "../../published-ports.ts";
import { HostNetlink } from "../../workspace.ts";

/** Runs `action` with the host's sockets, and closes them. */
export function withHost<T>(action: (host: HostNetlink) => T): T {
  const host = new HostNetlink(PUBLISHING_SOCKET);
  try {
    return action(host);
  } finally {
    host.close();
  }
}
