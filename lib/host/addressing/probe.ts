/**
 * Asks the network of a link whether somebody has an address already, without claiming it: ARP for IPv4, neighbour
 * solicitations for IPv6.
 *
 * RFC 5227 and RFC 4862 wait for seconds, for machines that know nothing of each other. Here a service gives every
 * address out once, and what is looked for is a machine that it does not know, which answers at once.
 *
 * Source: RFC 5227 §2.1; RFC 4862 §5.4.
 */
import type { Address, Family } from "../../addr/address.ts";
import { arpClaim, arpProbe } from "../../frames/arp.ts";
import { ETH_P_ARP, ETH_P_IPV6 } from "../../frames/ethernet.ts";
import { neighbourClaim, neighbourProbe } from "../../frames/neighbour.ts";
import type { Netns } from "../../linux/namespaces/netns.ts";
import { awaitFrames, PacketSocket } from "../../linux/sockets/packet-socket.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import { LINK_DOWN, LINK_UP, setLink } from "../../netlink/route/link.ts";

/** Frames may be lost; one of three is not. */
const PROBES = 3;
const INTERVAL_MS = 80;
/** What we look at is at the beginning: of the longest, 78 bytes. */
const LOOKED_AT_BYTES = 128;

export interface ProbedLink {
  readonly netns: Netns;
  /** To `netns`. */
  readonly connection: NetlinkConnection;
  /** The link, which is down and without addresses. */
  readonly ifindex: number;
  readonly mac: string;
  /** Waits until what the link sends gets to its network, if that is not so as soon as it is up. */
  readonly whenUp?: () => void;
}

/** Who has an address already. */
export interface AddressClaim {
  readonly address: Address;
  /** MAC address that answered. */
  readonly mac: string;
}

interface Protocol {
  readonly ethertype: number;
  readonly probe: (mac: string, address: Address) => Uint8Array;
  readonly claim: (frame: Uint8Array, mac: string, address: Address) => string | null;
}

const PROTOCOLS: Readonly<Record<Family, Protocol>> = {
  4: { ethertype: ETH_P_ARP, probe: arpProbe, claim: arpClaim },
  6: { ethertype: ETH_P_IPV6, probe: neighbourProbe, claim: neighbourClaim },
};

/**
 * The first of `addresses` that somebody on the link's network has; null when nobody answers within 240 ms, or nobody can
 * be asked, because there is no carrier. The link is up for that time, and down afterwards.
 *
 * @throws NetlinkError when the link does not come up; SyscallError.
 */
export function findClaim(link: ProbedLink, addresses: readonly Address[]): AddressClaim | null {
  const { connection, ifindex, whenUp } = link;
  if (addresses.length === 0) return null;
  connection.execute([setLink({ ifindex }, LINK_UP)]);
  try {
    whenUp?.();
    return ask(link, addresses);
  } finally {
    // The kernel announces addresses when a link comes up with them.
    connection.execute([setLink({ ifindex }, LINK_DOWN)]);
  }
}

/** A socket, and the addresses that are asked for through it. */
interface Inquiry {
  readonly protocol: Protocol;
  readonly socket: PacketSocket;
  readonly addresses: readonly Address[];
}

function ask({ netns, ifindex, mac }: ProbedLink, addresses: readonly Address[]): AddressClaim | null {
  const inquiries: Inquiry[] = [];
  try {
    for (const family of [4, 6] as const) {
      const asked = addresses.filter((address) => address.family === family);
      const protocol = PROTOCOLS[family];
      if (asked.length === 0) continue;
      const socket = PacketSocket.open(netns, { ifindex, ethertype: protocol.ethertype });
      inquiries.push({ protocol, socket, addresses: asked });
    }
    return probe(inquiries, mac);
  } finally {
    for (const { socket } of inquiries) socket.close();
  }
}

function probe(inquiries: readonly Inquiry[], mac: string): AddressClaim | null {
  for (let sent = 0; sent < PROBES; sent += 1) {
    for (const { protocol, socket, addresses } of inquiries)
      for (const address of addresses) socket.send(protocol.probe(mac, address));
    const claim = listen(inquiries, mac);
    if (claim !== null) return claim;
  }
  return null;
}

/** Until somebody answers, or the interval is over, whatever else is said on the link. */
function listen(inquiries: readonly Inquiry[], mac: string): AddressClaim | null {
  const sockets = inquiries.map(({ socket }) => socket);
  const end = performance.now() + INTERVAL_MS;
  for (let left = INTERVAL_MS; left > 0 && awaitFrames(sockets, left); left = end - performance.now()) {
    for (const inquiry of inquiries) {
      const claim = readClaim(inquiry, mac);
      if (claim !== null) return claim;
    }
  }
  return null;
}

/** What the next frame says. */
function readClaim({ protocol, socket, addresses }: Inquiry, mac: string): AddressClaim | null {
  const frame = socket.receive(new Uint8Array(LOOKED_AT_BYTES));
  if (frame === null) return null;
  for (const address of addresses) {
    const claimant = protocol.claim(frame, mac, address);
    if (claimant !== null) return { address, mac: claimant };
  }
  return null;
}
