/**
 * Who holds a published port, in the words that the elements of nftables carry.
 *
 * Every element has `NETWORK/CONTAINER/IFNAME` as its comment. The set `portmap-attachments` has one element for each
 * attachment, found by a hash of the same, whose comment goes on with all that the attachment holds:
 *
 *     "3f9c0d21b7a4e58" comment "web/4be1…/eth0 link/veth0a1b tcp/0.0.0.0:8080 tcp/[::]:8080 udp/127.0.0.1:5000-5009"
 *
 * So DEL finds everything by the key alone, whatever else the runtime remembers. What does not fit ends in `…`; then
 * the maps are looked through.
 */
import { type Address, formatAddress, tryParseAddress } from "../../../addr/address.ts";
import { hashHex } from "../../../hash.ts";
import { ifnameKey } from "../../../netlink/nftables/datatype.ts";
import { COMMENT_MAXIMUM_BYTES } from "../../../netlink/nftables/userdata.ts";

/** An attachment, as CNI names it. */
export interface PortHolder {
  readonly networkName: string;
  readonly containerId: string;
  readonly ifname: string;
}

export const PORT_PROTOCOLS = ["tcp", "udp", "sctp"] as const;
export type PortProtocol = (typeof PORT_PROTOCOLS)[number];

/** One port of this host. */
export interface HostPort {
  readonly protocol: PortProtocol;
  /** 0.0.0.0 or ::, every address of its family; or one of them. */
  readonly hostAddress: Address;
  readonly hostPort: number;
}

/** Leaves room for some ports in the comment of an attachment. */
const LONGEST_HOLDER_BYTES = 150;
/** Digits of the hash that an attachment is found by: as many as a link's name has bytes. */
const TAG_DIGITS = 15;

const TRUNCATED = "…";
const LINK = "link/";
const encoder = new TextEncoder();

/** `NETWORK/CONTAINER/IFNAME`; no part can hold a slash. One that is too long is there as a hash, after its network. */
export function holderText({ networkName, containerId, ifname }: PortHolder): string {
  const full = `${networkName}/${containerId}/${ifname}`;
  if (encoder.encode(full).length <= LONGEST_HOLDER_BYTES) return full;
  return `${networkText(networkName)}/#${hashHex(JSON.stringify([networkName, containerId, ifname]), 16)}`;
}

/** How texts of a network's holders begin, up to the slash. */
function networkText(networkName: string): string {
  const fits = encoder.encode(networkName).length <= LONGEST_HOLDER_BYTES - 18;
  return fits ? networkName : `#${hashHex(networkName, 16)}`;
}

/** Whether the text is of some attachment to the network. */
export function isHolderOn(networkName: string, text: string): boolean {
  return text.startsWith(`${networkText(networkName)}/`);
}

/** The parts of a holder's text; null for one that is a hash. */
export function parseHolder(text: string): PortHolder | null {
  const [networkName = "", containerId, ifname] = text.split("/");
  return containerId === undefined || ifname === undefined ? null : { networkName, containerId, ifname };
}

/** Key of the attachment in set `portmap-attachments`. */
export function attachmentKey({ networkName, containerId, ifname }: PortHolder): Uint8Array {
  return ifnameKey(hashHex(JSON.stringify([networkName, containerId, ifname]), TAG_DIGITS));
}

/** Key of the container in set `portmap-shared`. */
export function containerKey(containerId: string): Uint8Array {
  return ifnameKey(hashHex(JSON.stringify([containerId]), TAG_DIGITS));
}

/** `tcp/127.0.0.1:8080`, `udp/[::]:53`. */
export function formatHostPort({ protocol, hostAddress, hostPort }: HostPort): string {
  return `${protocol}/${formatAuthority(hostAddress)}:${hostPort}`;
}

function formatAuthority(address: Address): string {
  return address.family === 4 ? formatAddress(address) : `[${formatAddress(address)}]`;
}

/**
 * The comment of an attachment's element: its text, the host's link that it has if it is known, then its ports, ports in a row as a
 * range.
 */
export function formatAttachment(holder: string, ports: readonly HostPort[], link = ""): string {
  let comment = link === "" ? holder : `${holder} ${LINK}${link}`;
  for (const token of rangesOf(ports)) {
    const longer = `${comment} ${token}`;
    if (encoder.encode(longer).length > COMMENT_MAXIMUM_BYTES - 4) return `${comment} ${TRUNCATED}`;
    comment = longer;
  }
  return comment;
}

function rangesOf(ports: readonly HostPort[]): string[] {
  const runs: { first: HostPort; last: number }[] = [];
  for (const port of ports) {
    const run = runs.at(-1);
    if (run && run.last + 1 === port.hostPort && isSameAuthority(run.first, port)) run.last = port.hostPort;
    else runs.push({ first: port, last: port.hostPort });
  }
  return runs.map(({ first, last }) => formatHostPort(first) + (last > first.hostPort ? `-${last}` : ""));
}

function isSameAuthority(a: HostPort, b: HostPort): boolean {
  const sameAddress =
    a.hostAddress.family === b.hostAddress.family && a.hostAddress.value === b.hostAddress.value;
  return a.protocol === b.protocol && sameAddress;
}

/** What the comment of an attachment's element says. */
export interface AttachmentRecord {
  readonly holder: string;
  /** Null: not all of them are written down, or they cannot be read. */
  readonly ports: readonly HostPort[] | null;
  /** The attachment's own link on the host, which was there when it published: it lives as long as the attachment. */
  readonly link?: string;
}

export function parseAttachment(comment: string): AttachmentRecord {
  const [holder = "", ...words] = comment.split(" ");
  const [first = ""] = words;
  const known = first.startsWith(LINK) ? { link: first.slice(LINK.length) } : {};
  const ports: HostPort[] = [];
  for (const token of first.startsWith(LINK) ? words.slice(1) : words) {
    const run = parseRange(token);
    if (run === null) return { holder, ...known, ports: null };
    ports.push(...run);
  }
  return { holder, ...known, ports };
}

const TOKEN = /^(tcp|udp|sctp)\/(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})(?:-([0-9]{1,5}))?$/;

function parseRange(token: string): HostPort[] | null {
  const [, protocol, v6, v4, first, last = first] = TOKEN.exec(token) ?? [];
  const hostAddress = tryParseAddress(v6 ?? v4 ?? "");
  if (hostAddress === null) return null;
  const ports: HostPort[] = [];
  for (let hostPort = Number(first); hostPort <= Math.min(Number(last), 65535); hostPort++) {
    ports.push({ protocol: protocol as PortProtocol, hostAddress, hostPort });
  }
  return ports;
}

/** Whether the port is one of every address. */
export function isOfEveryAddress({ hostAddress }: HostPort): boolean {
  return hostAddress.value === 0n;
}

/** What two ports have in common that could be meant by one packet. */
export function portNumbers({ protocol, hostAddress, hostPort }: HostPort): string {
  return `${protocol}/${hostAddress.family}/${hostPort}`;
}

/** Whether a packet could be meant by both. */
export function overlaps(a: HostPort, b: HostPort): boolean {
  if (portNumbers(a) !== portNumbers(b)) return false;
  return isOfEveryAddress(a) || isOfEveryAddress(b) || a.hostAddress.value === b.hostAddress.value;
}
