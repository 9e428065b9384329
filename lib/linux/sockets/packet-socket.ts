/**
 * Whole frames, sent and received on one link.
 *
 * Source: packet(7); include/uapi/linux/if_packet.h struct sockaddr_ll.
 */
import { closeFd, EAGAIN, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { type Netns, withNetns } from "../namespaces/netns.ts";
import { SOCK_CLOEXEC, SOCK_RAW } from "./socket.ts";

const AF_PACKET = 17;
const SOCK_NONBLOCK = 0o4000;
const SOCKADDR_LL_BYTES = 20;
const ENETDOWN = 100;
const ENOBUFS = 105;
const POLLIN = 1;
const POLLFD_BYTES = 8;

export interface PacketSpec {
  readonly ifindex: number;
  /** Frames of this type are received, and no others. */
  readonly ethertype: number;
}

/** A socket for frames of one type on one link. It never waits: that is {@link awaitFrames}. */
export class PacketSocket {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Needs CAP_NET_RAW in `netns`, where the link is. @throws SyscallError */
  static open(netns: Netns, { ifindex, ethertype }: PacketSpec): PacketSocket {
    // Of no protocol until it is bound: nothing of other links is received in between.
    const fd = withNetns<number>(netns, () =>
      invokeOrThrow("socket", "packet", (c) =>
        c.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
      ),
    );
    const name = new Uint8Array(SOCKADDR_LL_BYTES);
    const view = new DataView(name.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ethertype);
    view.setInt32(4, ifindex, true);
    const result = invoke((c) => c.bind(fd, name, name.length));
    if (result === 0) return new PacketSocket(fd);
    closeFd(fd);
    throw new SyscallError({ syscall: "bind", object: `packet socket on link ${ifindex}`, errno: -result });
  }

  /** Returns false when the link takes nothing at the moment: it is down, or full. @throws SyscallError */
  send(frame: Uint8Array): boolean {
    const sent = invoke((c) => c.send(this.fd, frame, frame.length, 0));
    if (sent >= 0) return true;
    if ([ENETDOWN, ENOBUFS, EAGAIN].includes(-sent)) return false;
    throw new SyscallError({ syscall: "send", object: "frame", errno: -sent });
  }

  /**
   * The next frame, cut to the length of `buffer`, in which it is; null when there is none.
   *
   * @throws SyscallError
   */
  receive(buffer: Uint8Array): Uint8Array | null {
    const length = invoke((c) => c.recv(this.fd, buffer, buffer.length, 0));
    if (length >= 0) return buffer.subarray(0, length);
    // That the link went down is told once, here.
    if (-length === EAGAIN || -length === ENETDOWN) return null;
    throw new SyscallError({ syscall: "recv", object: "frame", errno: -length });
  }

  close(): void {
    closeFd(this.fd);
  }
}

/** Waits until one of the sockets has a frame, at most for `waitMs`. Returns whether one has. @throws SyscallError */
export function awaitFrames(sockets: readonly PacketSocket[], waitMs: number): boolean {
  const request = new Uint8Array(POLLFD_BYTES * sockets.length);
  const view = new DataView(request.buffer);
  for (const [at, { fd }] of sockets.entries()) {
    view.setInt32(POLLFD_BYTES * at, fd, true);
    view.setInt16(POLLFD_BYTES * at + 4, POLLIN, true);
  }
  const limit = Math.max(0, Math.ceil(waitMs));
  return invokeOrThrow("poll", "frames", (c) => c.poll(request, sockets.length, limit)) > 0;
}
