/** veth pairs between a host netns and a container netns. */
import { FairleadError } from "../errors.ts";
import type { Netns } from "../linux/namespaces/netns.ts";
import type { NetlinkConnection } from "../netlink/connection.ts";
import { isPresent } from "../netlink/request.ts";
import type { BridgePortData } from "../netlink/route/link/bridge.ts";
import { LINK_UP, type LinkChange, newLink, setLink } from "../netlink/route/link.ts";
import { checkMtu, getLinkState, type LinkState, removeLink } from "./links.ts";

/** A veth pair as it shall be. */
export interface VethSpec {
  /** Name of the end in the netns of the connection. */
  readonly hostIfname: string;
  /** Name of the end inside `netns`, from the start. */
  readonly containerIfname: string;
  readonly netns: Pick<Netns, "fd" | "path">;
  /** ifindex of the bridge that the host end becomes a port of. */
  readonly masterIfindex?: number;
  /** Of both ends, in bytes of layer 3. Default: the kernel's, 1500. */
  readonly mtu?: number;
  readonly containerMac?: string;
  readonly hostMac?: string;
  /** Free text on the host end. */
  readonly alias?: string;
  /** What the bridge shall do differently for this port: `hairpin`, `isolated`, `learning`, … */
  readonly port?: BridgePortData;
}

export interface VethPair {
  /** The host end, as it was before `alias` and `port` were set. */
  readonly host: LinkState;
  /** ifindex of the other end, in the container netns. */
  readonly containerIfindex: number;
}

/**
 * Makes a veth pair: one end here, a port of the bridge and up, the other inside `netns` under its final name, still
 * down (the kernel cannot make it up, see netlink/route/link/veth.ts).
 *
 * One round trip, and a second one when `alias` or `port` is given: these can only be set on a link that exists, and
 * asking for them by name in the same breath could change somebody else's link, should the first request fail. When
 * the second is refused, the pair is removed again.
 *
 * @throws FairleadError invalid-config for an impossible MTU; already-exists, with `details.exists` "host" or "container" and the name in the message;
 * NetlinkError.
 */
export function createVethInto(connection: NetlinkConnection, spec: VethSpec): VethPair {
  const { hostIfname, containerIfname } = spec;
  checkMtu(containerIfname, spec.mtu);
  const [made, got] = connection.attempt([newLink(vethLink(spec)), getLinkState(hostIfname)]);
  if (!made.ok) throw isPresent(made.error) ? nameTaken(spec, got.ok ? "host" : "container") : made.error;
  if (!got.ok) throw got.error;
  const [host] = got.replies;
  if (host?.link == null) throw noPeer(hostIfname, containerIfname);
  configureHostEnd(connection, spec, host.ifindex);
  return { host, containerIfindex: host.link };
}

/** `struct ifinfomsg` of a link to be made: the kernel chooses all of it. */
const NEW_LINK_HEADER = { family: 0, linkType: 0, ifindex: 0, flags: 0, changeMask: 0 };

function vethLink(spec: VethSpec): LinkChange & { readonly ifname: string } {
  const { hostIfname, containerIfname, netns, masterIfindex, mtu, hostMac, containerMac } = spec;
  const peer = { ...NEW_LINK_HEADER, ifname: containerIfname, netNsFd: netns.fd, mtu, address: containerMac };
  return {
    ifname: hostIfname,
    ...LINK_UP,
    mtu,
    address: hostMac,
    master: masterIfindex,
    linkInfo: { kind: "veth", data: { peer } },
  };
}

function configureHostEnd(connection: NetlinkConnection, { alias, port }: VethSpec, ifindex: number): void {
  if (alias === undefined && port === undefined) return;
  try {
    const change: LinkChange = {
      ...(alias !== undefined && { alias }),
      ...(port !== undefined && { linkInfo: { slaveKind: "bridge", slaveData: port } }),
    };
    connection.execute([setLink({ ifindex }, change)]);
  } catch (error) {
    removeLink(connection, ifindex);
    throw error;
  }
}

/** Both names may be taken; the host's is then named, because it was left behind by an earlier attachment. */
function nameTaken(spec: VethSpec, exists: "host" | "container"): FairleadError {
  const { hostIfname, containerIfname, netns } = spec;
  const inContainer = exists === "container";
  return new FairleadError({
    code: "already-exists",
    operation: "create interface",
    object: containerIfname,
    reason: inContainer
      ? `${netns.path} has an interface of that name`
      : `its host end ${hostIfname} exists already: this attachment was added before`,
    hint: inContainer
      ? "choose another CNI_IFNAME, or delete the attachment first"
      : "delete the attachment first",
    details: { exists, ifname: inContainer ? containerIfname : hostIfname },
  });
}

function noPeer(hostIfname: string, containerIfname: string): FairleadError {
  return new FairleadError({
    code: "internal",
    operation: "create interface",
    object: containerIfname,
    reason: `the kernel does not tell which link is the peer of ${hostIfname}`,
  });
}
