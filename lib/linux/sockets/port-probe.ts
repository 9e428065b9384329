/**
 * May a port of this netns be bound? The kernel's own answer, with all its rules about addresses and families.
 *
 * Source: bind(2), ip(7), ipv6(7); include/uapi/linux/in.h, in6.h.
 */
import { type Address, addressToBytes } from "../../addr/address.ts";
import { closeFd, invoke } from "../calls/errno.ts";
import { intBytes, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "./socket.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;

/** Protocol numbers, and the socket type that each has. */
const PROTOCOLS = {
  tcp: { number: 6, type: SOCK_STREAM },
  udp: { number: 17, type: SOCK_DGRAM },
  sctp: { number: 132, type: SOCK_STREAM },
} as const;

export interface PortToProbe {
  readonly protocol: keyof typeof PROTOCOLS;
  /** 0.0.0.0 and :: mean every address of their family. */
  readonly address: Address;
  readonly port: number;
}

/** What the kernel says to binding a port; "elsewhere": this host does not have the address. */
export type PortState = "free" | "taken" | "elsewhere";

/** True when a socket of some program is in the way of binding the port. */
export function isPortTaken(port: PortToProbe): boolean {
  return probePort(port) === "taken";
}

/**
 * Binds the port for a moment.
 *
 * What else makes binding fail (a protocol or family that the kernel lacks) says nothing about others, and counts as free. With
 * `net.ipv4.ip_nonlocal_bind` no address is elsewhere: who sets it publishes on addresses that come later.
 */
export function probePort({ protocol, address, port }: PortToProbe): PortState {
  const { number, type } = PROTOCOLS[protocol];
  const fd = invoke((c) => c.socket(address.family === 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, number));
  if (fd < 0) return "free";
  try {
    // What a server that ended left behind does not keep its successor from binding.
    if (protocol === "tcp") setOption(fd, SOL_SOCKET, SO_REUSEADDR);
    if (address.family === 6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    const name = socketAddress(address, port);
    return STATES.get(invoke((c) => c.bind(fd, name, name.length))) ?? "free";
  } finally {
    closeFd(fd);
  }
}

const STATES: ReadonlyMap<number, PortState> = new Map([
  [-EADDRINUSE, "taken"],
  [-EADDRNOTAVAIL, "elsewhere"],
]);

function setOption(fd: number, level: number, option: number): void {
  const on = intBytes(1);
  invoke((c) => c.setsockopt(fd, level, option, on, on.length));
}

/** struct sockaddr_in, or sockaddr_in6 with neither flow label nor scope. */
export function socketAddress(address: Address, port: number): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, address.family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  bytes.set(addressToBytes(address), address.family === 4 ? 4 : 8);
  return bytes;
}
