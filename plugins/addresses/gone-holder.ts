/**
 * A requested address is taken over from a holder that is gone: its container was killed with its namespace, and no DEL came.
 *
 * No key and no clock decides. An ADD that is under way holds a lease before there is a link; but it holds the attachment's lock,
 * too. So a holder is gone only when its lock is free, no link of this host is its own, and no namespace that is there has
 * a record of it. All of that can be told only of a link that `fairlead-bridge` made on this node, in this boot; whoever
 * cannot be judged keeps what it has.
 */
import { integer, readLeniently, text } from "../../lib/cni/fields.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import type { AttachmentKey } from "../../lib/cni/request.ts";
import type { FairleadError } from "../../lib/errors.ts";
import { listAttachmentPorts } from "../../lib/host/attachment/ports.ts";
import { findLink } from "../../lib/host/links.ts";
import { bootId, hostname } from "../../lib/linux/processes/machine.ts";
import { openHostNetlinkSocket } from "../../lib/linux/sockets/host-netlink.ts";
import { NETLINK_ROUTE } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { aliasOf, hostIfnameOf } from "../attachment-names.ts";
import { tryHoldAttachment } from "../attachment-order.ts";
import { livingNamespaceOf } from "../other-managers.ts";

/** Who holds a requested address, by which grant. */
export interface Holder {
  readonly key: AttachmentKey;
  readonly address: string;
  /** Of the grant. */
  readonly sequence: number;
  readonly node: string;
  readonly bootId: string;
  /** Empty: an IPAM plugin asked on behalf of an interface plugin that is not known. */
  readonly mac: string;
}

const READING = { operation: "read refusal", fault: "decode-failure" } as const;

/** Calls `release` when the holder is gone, while its attachment is kept from others. Returns the evidence; null: it may be there. */
export type ReleaseIfGone = (holder: Holder, release: (evidence: string) => void) => string | null;

const HOLDER_FIELDS = {
  state: text(),
  address: text(),
  containerId: text(),
  ifname: text(),
  node: text(),
  bootId: text(),
  mac: text(),
  sequence: integer(),
};

/** The holder that a refusal of the service names; null where it names none. */
export function holderInTheWay({ code, details }: FairleadError, networkName: string): Holder | null {
  if (code !== "address-in-use") return null;
  const place = { path: "", reading: READING, complain: () => undefined };
  const read = readLeniently(HOLDER_FIELDS, details as JsonObject, place);
  const { state, containerId, ifname, sequence, ...rest } = read;
  if (state !== "bound" || sequence === 0) return null;
  return { ...rest, sequence, key: { networkName, containerId, ifname } };
}

/** {@link ReleaseIfGone} of networks whose attachments `fairlead-bridge` makes. */
export const releaseIfGone: ReleaseIfGone = (holder, release) => {
  if (!isOfBridgeHere(holder)) return null;
  const letGo = tryHoldAttachment(holder.key);
  if (letGo === null) return null;
  try {
    if (hasLink(holder.key) || livingNamespaceOf(holder.key) !== null) return null;
    const evidence = `no call for it runs, it has no link ${hostIfnameOf(holder.key)}, and no namespace that is recorded`;
    release(evidence);
    return evidence;
  } finally {
    letGo();
  }
};

/** Only an interface plugin of ours tells the service a MAC address, and the one of this network is the bridge. */
function isOfBridgeHere({ node, bootId: boot, mac }: Holder): boolean {
  return mac !== "" && node === hostname() && boot === bootId();
}

/** True also when a link of that name is somebody else's: then nothing can be told. */
function hasLink(key: AttachmentKey): boolean {
  const route = new NetlinkConnection(openHostNetlinkSocket(NETLINK_ROUTE));
  try {
    if (findLink(route, hostIfnameOf(key)) !== null) return true;
    const alias = aliasOf(key);
    return [...listAttachmentPorts(route).values()].some((port) => port.alias === alias);
  } finally {
    route.close();
  }
}
