/**
 * Deleting links without waiting for the kernel to forget them.
 *
 * RTM_DELLINK takes a link away within half a millisecond: it is down, off its bridge, and its name is free. The kernel
 * tells so at once, to whoever listens; but the call itself comes back only after an RCU barrier, 14 to 20 ms later. So
 * another process, a reaper, makes the call, and this one listens. Measured: 0.5 ms against 18 ms.
 *
 * A reaper takes all requests that wait at once, and deletes the links together, see link-group.ts: one barrier serves them all.
 *
 * An ifindex is not used again before two thousand million others were, so a request that is served late meets nobody else.
 *
 * Source: net/core/dev.c, unregister_netdevice_many_notify (unlist_netdevice, synchronize_net, rtmsg_ifinfo_send) and
 * netdev_run_todo (rcu_barrier).
 */
import { asFairleadError, FairleadError } from "../errors.ts";
import { invoke } from "../linux/calls/errno.ts";
import { writeAll } from "../linux/files/stdio.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../linux/sockets/netlink-socket.ts";
import { NetlinkConnection, type NetlinkTransport } from "../netlink/connection.ts";
import { decodeMessages } from "../netlink/message.ts";
import { AF_UNSPEC, RTM_DELLINK } from "../netlink/route/family.ts";
import { ifinfomsg } from "../netlink/route/link/ifinfo.ts";
import { removeLinks } from "./link-group.ts";
import { findLink, removeLink } from "./links.ts";

/** Source: include/uapi/linux/rtnetlink.h. */
const RTNLGRP_LINK = 1;
const REQUEST_BYTES = 4;
/** Requests that one reaper takes. There are never more than workers, unless some gave up waiting. */
const MOST_AT_ONCE = 64;
/** Beyond it the reapers have more to do than one can wait for, or are gone. */
const NOTICE_LIMIT_MS = 100;

/** Where requests for reapers are written to; null: this process waits for the kernel itself. */
let reapers: number | null = null;

/** From now on links are deleted by reapers, which read from the other end of this pipe. */
export function useLinkReapers(pipe: number): void {
  reapers = pipe;
}

/**
 * Deletes a link of this process's own namespace, and a veth's peer with it. Returns whether there was one. Idempotent.
 *
 * With reapers it returns when the link is gone, although the kernel still waits for its processors.
 */
export function removeHostLink(connection: NetlinkConnection, ifindex: number): boolean {
  if (reapers === null) return removeLink(connection, ifindex);
  const outcome = removeByReaper(connection, ifindex, reapers);
  return outcome === "unknown" ? removeLink(connection, ifindex) : outcome === "removed";
}

function removeByReaper(
  connection: NetlinkConnection,
  ifindex: number,
  pipe: number,
): "removed" | "absent" | "unknown" {
  const notices = openNetlinkSocket(NETLINK_ROUTE, { timeoutMs: NOTICE_LIMIT_MS, groups: [RTNLGRP_LINK] });
  try {
    // Only now: of a link that went before, no notice comes.
    if (findLink(connection, ifindex) === null) return "absent";
    writeAll(pipe, encodeRequest(ifindex), "pipe of the link reapers");
    return awaitNotice(notices, ifindex) ? "removed" : "unknown";
  } catch (thrown) {
    if (thrown instanceof FairleadError) return "unknown";
    throw thrown;
  } finally {
    notices.close();
  }
}

function awaitNotice(notices: NetlinkTransport, ifindex: number): boolean {
  const deadline = performance.now() + NOTICE_LIMIT_MS;
  while (performance.now() < deadline) {
    for (const { type, payload } of decodeMessages(notices.receive())) {
      if (type !== RTM_DELLINK) continue;
      const link = ifinfomsg.decodePrefix(payload);
      // The bridge tells in the same way that it has lost a port.
      if (link.family === AF_UNSPEC && link.ifindex === ifindex) return true;
    }
  }
  return false;
}

function encodeRequest(ifindex: number): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  new DataView(bytes.buffer).setInt32(0, ifindex, true);
  return bytes;
}

/**
 * Serves requests from a pipe until all who write to it have closed it. Several processes may share one pipe.
 *
 * @param group for links that are deleted together; see `drawLinkGroup`.
 */
export function serveLinkReaper(pipe: number, group: number, log: (message: string) => void): void {
  const connection = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  for (let waiting = readRequests(pipe); waiting.length > 0; waiting = readRequests(pipe)) {
    try {
      removeLinks(connection, waiting, group);
    } catch (thrown) {
      // Whoever asked sees no notice, tries by itself, and reports what it meets.
      log(asFairleadError(thrown, "delete links", waiting.join(", ")).message);
    }
  }
  connection.close();
}

/** All that wait, up to {@link MOST_AT_ONCE}; waits for the first. None: there will not be any more. */
function readRequests(pipe: number): number[] {
  const bytes = new Uint8Array(MOST_AT_ONCE * REQUEST_BYTES);
  const length = invoke((c) => c.read(pipe, bytes, bytes.length));
  const view = new DataView(bytes.buffer);
  // Written in one piece each, so none of them is torn apart.
  return Array.from({ length: Math.max(0, length) / REQUEST_BYTES }, (_, index) =>
    view.getInt32(index * REQUEST_BYTES, true),
  );
}
