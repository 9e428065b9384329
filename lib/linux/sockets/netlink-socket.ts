/**
 * Netlink sockets to the kernel.
 *
 * Source: netlink(7); include/uapi/linux/netlink.h; net/netlink/af_netlink.c.
 */
import { FairleadError } from "../../errors.ts";
import type { NetlinkTransport } from "../../netlink/connection.ts";
import {
  closeFd,
  EAGAIN,
  ENOBUFS,
  ENOPROTOOPT,
  EPERM,
  invoke,
  invokeOrThrow,
  SyscallError,
} from "../calls/errno.ts";
import { type Netns, withNetns } from "../namespaces/netns.ts";
import {
  AF_NETLINK,
  intBytes,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVTIMEO,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
  setTimeoutOption,
} from "./socket.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
/** Answers quote the request by its header alone. Linux 4.3. */
const NETLINK_CAP_ACK = 10;
/** Answers say in words what is wrong. Linux 4.12. */
const NETLINK_EXT_ACK = 11;
/** Requests for a list are checked strictly, and filtered by the kernel. Linux 4.20. */
const NETLINK_GET_STRICT_CHK = 12;
const NETLINK_OPTIONS = [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK];

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
/** A dump that was given up goes on while it is read: one of a thousand links has fewer parts than this. */
const MOST_STALE_DATAGRAMS = 256;

/** The kernel makes the parts of a list as long as the reader's buffer, up to 32 KiB. */
const RECEIVE_BYTES = 64 * 1024;
/** Room for answers that wait to be read. Only what waits takes memory. */
const QUEUE_BYTES = 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 10_000;

export interface NetlinkSocketOptions {
  /** Longest wait for one datagram, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Room for what is sent at once, in bytes. Default: the system's, some 200 KiB. */
  readonly sendBufferBytes?: number;
  /** Groups whose notices the socket receives: RTNLGRP_*. */
  readonly groups?: readonly number[];
}

export interface DrainableNetlinkTransport extends NetlinkTransport {
  /** Throws away what nobody read, without waiting. False when it does not come to an end, or the socket fails. */
  drain(): boolean;
  /** Throws away what nobody read, without waiting. True when there was something, or so much that some was lost. */
  heard(): boolean;
}

/**
 * Opens a netlink socket in the netns of this thread, where it stays.
 *
 * It is connected to the kernel, so no other process can slip in an answer. Close-on-exec.
 *
 * @param protocol NETLINK_ROUTE or NETLINK_NETFILTER.
 * @throws SyscallError
 */
export function openNetlinkSocket(
  protocol: number,
  options: NetlinkSocketOptions = {},
): DrainableNetlinkTransport {
  const fd = invokeOrThrow("socket", `netlink protocol ${protocol}`, (c) =>
    c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol),
  );
  const socket = new NetlinkSocket(fd, protocol, options);
  try {
    socket.configure();
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Opens a netlink socket inside `netns` and comes back; needs CAP_SYS_ADMIN. What is sent over it later acts in
 * that netns, from wherever it is sent.
 *
 * @throws SyscallError
 */
export function openNetlinkSocketIn(
  netns: Netns,
  protocol: number,
  options: NetlinkSocketOptions = {},
): NetlinkTransport {
  return withNetns<NetlinkTransport>(netns, () => openNetlinkSocket(protocol, options));
}

/** Of closed sockets. A process that serves many requests would otherwise leave 64 KiB to the collector for each. */
const spareBuffers: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARE_BUFFERS = 4;

class NetlinkSocket implements DrainableNetlinkTransport {
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #sendBufferBytes: number | undefined;
  readonly #groups: readonly number[];
  #fd: number;
  readonly #buffer = spareBuffers.pop() ?? new Uint8Array(RECEIVE_BYTES);

  constructor(
    fd: number,
    protocol: number,
    { timeoutMs, sendBufferBytes, groups = [] }: NetlinkSocketOptions,
  ) {
    this.#fd = fd;
    this.#name = `netlink protocol ${protocol}`;
    this.#timeoutMs = timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#sendBufferBytes = sendBufferBytes;
    this.#groups = groups;
  }

  configure(): void {
    for (const option of NETLINK_OPTIONS)
      this.#setOption(SOL_NETLINK, option, { value: 1, tolerated: ENOPROTOOPT });
    setTimeoutOption(this.#fd, SO_RCVTIMEO, this.#timeoutMs);
    // Beyond the administrator's limit with CAP_NET_ADMIN, up to it without.
    if (!this.#setOption(SOL_SOCKET, SO_RCVBUFFORCE, { value: QUEUE_BYTES, tolerated: EPERM })) {
      this.#setOption(SOL_SOCKET, SO_RCVBUF, { value: QUEUE_BYTES });
    }
    if (this.#sendBufferBytes !== undefined) {
      this.#setOption(SOL_SOCKET, SO_SNDBUFFORCE, { value: this.#sendBufferBytes, tolerated: EPERM });
    }
    const kernel = new Uint8Array(12); // struct sockaddr_nl with port ID 0; connecting binds, too
    new DataView(kernel.buffer).setUint16(0, AF_NETLINK, true);
    invokeOrThrow("connect", this.#name, (c) => c.connect(this.#fd, kernel, kernel.length));
    for (const group of this.#groups) this.#setOption(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, { value: group });
  }

  /** False when the kernel answers `tolerated`, which means that it does not have the option. */
  #setOption(
    level: number,
    option: number,
    { value, tolerated = 0 }: { readonly value: number; readonly tolerated?: number },
  ): boolean {
    const bytes = intBytes(value);
    const result = invoke((c) => c.setsockopt(this.#fd, level, option, bytes, bytes.length));
    if (result < 0 && result !== -tolerated) throw this.#failure("setsockopt", -result);
    return result === 0;
  }

  send(datagram: Uint8Array): void {
    const result = invoke((c) => c.send(this.#fd, datagram, datagram.length, 0));
    if (result < 0) throw this.#failure("send", -result);
  }

  /**
   * One system call a datagram. With MSG_TRUNC the kernel tells a datagram's whole length, so one that was cut off is
   * an error, never mistaken for a short one.
   */
  receive(): Uint8Array {
    const length = invoke((c) => c.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_TRUNC));
    if (length === -EAGAIN) throw this.#timeout();
    if (length === -ENOBUFS) throw this.#overrun();
    if (length < 0) throw this.#failure("recv", -length);
    if (length > this.#buffer.length) throw this.#tooLong(length);
    return this.#buffer.subarray(0, length);
  }

  drain(): boolean {
    for (let reads = 0; reads < MOST_STALE_DATAGRAMS; reads += 1) {
      const length = invoke((c) => c.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT));
      if (length < 0) return length === -EAGAIN;
    }
    return false;
  }

  heard(): boolean {
    for (let reads = 0; ; reads += 1) {
      const length = invoke((c) => c.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT));
      if (length === -EAGAIN) return reads > 0;
      if (length === -ENOBUFS || reads === MOST_STALE_DATAGRAMS) return true;
      if (length < 0) throw this.#failure("recv", -length);
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    closeFd(this.#fd);
    this.#fd = -1;
    if (spareBuffers.length < MOST_SPARE_BUFFERS) spareBuffers.push(this.#buffer);
  }

  #failure(syscall: string, errno: number): SyscallError {
    return new SyscallError({ syscall, object: this.#name, errno });
  }

  #timeout(): FairleadError {
    return new FairleadError({
      code: "timeout",
      operation: "wait for the kernel",
      object: this.#name,
      reason: `no answer within ${this.#timeoutMs} ms`,
      hint: "the kernel's network lock may be held by something that hangs: see the kernel log",
    });
  }

  #tooLong(length: number): FairleadError {
    return new FairleadError({
      code: "io-failure",
      operation: "receive from the kernel",
      object: this.#name,
      reason: `a datagram of ${length} bytes does not fit the buffer of ${this.#buffer.length}`,
      hint: "this is larger than any answer known; report it with the output of: ip -d link",
    });
  }

  #overrun(): FairleadError {
    return new FairleadError({
      code: "io-failure",
      operation: "receive from the kernel",
      object: this.#name,
      reason: "answers were dropped, because they did not fit the socket's receive buffer (ENOBUFS)",
      hint: "read the state again",
    });
  }
}
