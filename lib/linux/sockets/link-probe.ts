/**
 * Whether a network namespace has a link of a given name, without netlink: one socket and one call for each name.
 *
 * Source: netdevice(7), SIOCGIFINDEX; include/uapi/linux/if.h struct ifreq: 16 bytes of name, then a union of 24.
 */
import { closeFd, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { type Netns, withNetns } from "../namespaces/netns.ts";
import { SOCK_CLOEXEC } from "./socket.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** Source: include/uapi/linux/sockios.h. */
const SIOCGIFINDEX = 0x8933;
const ENODEV = 19;
const IFREQ_BYTES = 40;
const IFNAME_BYTES = 15;

/** Asks in one netns, for as long as it is open. Any socket will do: what counts is where it was opened. */
export class LinkProbe {
  readonly #fd: number;

  /** @throws SyscallError when the netns cannot be entered. */
  constructor(netns: Netns) {
    this.#fd = withNetns<number>(netns, () =>
      invokeOrThrow("socket", netns.path, (c) => c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
    );
  }

  /** @throws SyscallError */
  has(ifname: string): boolean {
    const name = new TextEncoder().encode(ifname);
    if (name.length === 0 || name.length > IFNAME_BYTES) return false;
    const request = new Uint8Array(IFREQ_BYTES);
    request.set(name);
    const result = invoke((c) => c.ioctl(this.#fd, SIOCGIFINDEX, request));
    if (result === -ENODEV) return false;
    if (result < 0) throw new SyscallError({ syscall: "ioctl", object: ifname, errno: -result });
    return true;
  }

  close(): void {
    closeFd(this.#fd);
  }
}
