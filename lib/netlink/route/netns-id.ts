/**
 * Numbers of network namespaces: how one namespace names another one in netlink messages (IFLA_LINK_NETNSID).
 *
 * The numbers are local to the namespace of the socket; a namespace without one gets one when a link here has its other
 * part there, or when it is asked for.
 *
 * Source: include/uapi/linux/net_namespace.h; net/core/net_namespace.c.
 */
import { attribute, attributeTable, i32, pad, struct, u8, u32 } from "../attribute.ts";
import { familyMessage } from "../family-message.ts";
import type { NetlinkRequest } from "../request.ts";
import { RTM_GETNSID, RTM_NEWNSID } from "./family.ts";

/** No number yet, in an answer; any that is free, in a request. Source: NETNSA_NSID_NOT_ASSIGNED. */
export const NETNS_ID_NOT_ASSIGNED = -1;

/** One byte, which attributes do not follow before the next multiple of four. */
const rtgenmsg = struct("rtgenmsg", { family: u8, _pad1: pad(1), _pad2: pad(1), _pad3: pad(1) });

const netnsIdTable = attributeTable("netns id", () => ({
  id: attribute("NETNSA_NSID", 1, i32),
  pid: attribute("NETNSA_PID", 2, u32),
  fd: attribute("NETNSA_FD", 3, u32),
  targetId: attribute("NETNSA_TARGET_NSID", 4, i32),
  currentId: attribute("NETNSA_CURRENT_NSID", 5, i32),
}));

export const netnsIdMessage = familyMessage(rtgenmsg, netnsIdTable);

/** Gives the namespace of an open file a number; EEXIST when it has one. */
export function newNetnsId(fd: number, id: number = NETNS_ID_NOT_ASSIGNED): NetlinkRequest {
  return {
    type: RTM_NEWNSID,
    flags: 0,
    payload: netnsIdMessage.encode({ fd, id }),
    operation: "number network namespace",
    object: `of file descriptor ${fd}`,
  };
}

/** Asks for the number of the namespace of an open file; the answer may be {@link NETNS_ID_NOT_ASSIGNED}. */
export function getNetnsId(fd: number): NetlinkRequest<number> {
  return {
    type: RTM_GETNSID,
    flags: 0,
    payload: netnsIdMessage.encode({ fd }),
    operation: "get number of network namespace",
    object: `of file descriptor ${fd}`,
    decodeReply: ({ payload }) => netnsIdMessage.decode(payload).id ?? NETNS_ID_NOT_ASSIGNED,
  };
}
