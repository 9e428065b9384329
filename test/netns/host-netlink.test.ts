/** Netlink sockets that are kept: one at a time is lent, none with answers that somebody else left in it. */
import { readdirSync, readlinkSync } from "node:fs";
import { findLink } from "../../lib/host/links.ts";
import { keepHostNetlinkSockets, openHostNetlinkSocket } from "../../lib/linux/sockets/host-netlink.ts";
import { NETLINK_ROUTE } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { encodeMessage, NLM_F_DUMP, NLM_F_REQUEST } from "../../lib/netlink/message.ts";

const RTM_GETLINK = 18;
/** A dump of all links. */
const DUMP = encodeMessage({
  type: RTM_GETLINK,
  flags: NLM_F_REQUEST | NLM_F_DUMP,
  sequence: 1,
  portId: 0,
  payload: new Uint8Array(16),
});

/** Inodes of the sockets that this process has open. */
function sockets(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith("socket:") ? [target] : [];
    } catch {
      return [];
    }
  });
}

test("sockets are not kept unless that is asked for", () => {
  const before = sockets();
  openHostNetlinkSocket(NETLINK_ROUTE).close();
  expect(sockets()).toEqual(before);
});

describe("kept sockets", () => {
  let before: string[];
  let first: string[];
  beforeAll(() => {
    keepHostNetlinkSockets();
    before = sockets();
    openHostNetlinkSocket(NETLINK_ROUTE).close();
    first = sockets().filter((socket) => !before.includes(socket));
  });
  const current = () => sockets().filter((socket) => !before.includes(socket));

  test("are used again", () => {
    expect(first).toHaveLength(1);
    const connection = new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
    expect(findLink(connection, "lo")?.ifname).toBe("lo");
    connection.close();
    expect(current()).toEqual(first);
  });

  test("are not lent twice at once; one of two is kept", () => {
    const [a, b] = [openHostNetlinkSocket(NETLINK_ROUTE), openHostNetlinkSocket(NETLINK_ROUTE)];
    expect(current()).toHaveLength(2);
    a.close();
    b.close();
    b.close();
    expect(current()).toEqual(first);
  });

  test("hold no answers of the one before", () => {
    const careless = openHostNetlinkSocket(NETLINK_ROUTE);
    careless.send(DUMP);
    careless.close();
    expect(current()).toEqual(first);
    // Its first request has the sequence number of the dump that nobody read.
    const connection = new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
    expect(findLink(connection, "no-such-link")).toBeNull();
    connection.close();
  });

  test("are closed when they failed", () => {
    const failing = openHostNetlinkSocket(NETLINK_ROUTE);
    expect(() => failing.send(new Uint8Array(0))).toThrow("ENODATA");
    failing.close();
    expect(current()).toEqual([]);
  });
});
