/** Constants and options that sockets of several families share. */
import { invokeOrThrow } from "../calls/errno.ts";

// Source: include/linux/socket.h, include/linux/net.h, include/uapi/asm-generic/socket.h (x86-64 and arm64).
export const AF_UNIX = 1;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;

/** A C int, for options. */
export function intBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

/** Sets {@link SO_RCVTIMEO} or {@link SO_SNDTIMEO}. The kernel rounds up to a tick, 1 to 10 ms. */
export function setTimeoutOption(fd: number, option: number, timeoutMs: number): void {
  const microseconds = Math.max(1, Math.ceil(timeoutMs * 1000)); // zero would mean no limit
  const timeval = new Uint8Array(16);
  const view = new DataView(timeval.buffer);
  view.setBigInt64(0, BigInt(Math.floor(microseconds / 1_000_000)), true);
  view.setBigInt64(8, BigInt(microseconds % 1_000_000), true);
  invokeOrThrow("setsockopt", `option ${SOL_SOCKET}/${option}`, (c) =>
    c.setsockopt(fd, SOL_SOCKET, option, timeval, timeval.length),
  );
}
