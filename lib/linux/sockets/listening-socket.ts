/**
 * The listening side of unix stream sockets, for a process that serves one connection at a time and blocks.
 *
 * Source: unix(7), accept(2), epoll(7).
 */
import { FairleadError } from "../../errors.ts";
import { cString } from "../calls/c-string.ts";
import { closeFd, EAGAIN, EINTR, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { libc, listenerCalls } from "../calls/ffi.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "./socket.ts";

/** Longest path: `sun_path` has 108 bytes, one of them the NUL. Source: include/uapi/linux/un.h. */
const PATH_BYTES = 107;
const SOCK_NONBLOCK = 0o4000;
const SO_PEERCRED = 17;
const ECONNABORTED = 103;
const ONLY_THE_OWNER = 0o600;

// Source: include/uapi/linux/eventpoll.h.
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 0x1;
const EPOLLEXCLUSIVE = 0x1000_0000;
/** `struct epoll_event` is packed on x86-64 only. */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENT_DATA_AT = EVENT_BYTES - 8;

function failIfNegative(syscall: string, object: string, result: number): number {
  if (result >= 0) return result;
  throw new SyscallError({ syscall, object, errno: libc().errno() });
}

/**
 * Listens at `path`, where there must be nothing. Nobody but the owner can connect, from the first moment on.
 *
 * The descriptor is close-on-exec and non-blocking; the caller closes it, and removes the name.
 *
 * @throws SyscallError; FairleadError invalid-config for a path that is too long.
 */
export function listenAt(path: string, backlog: number): number {
  const name = cString(path);
  if (name.length > PATH_BYTES + 1) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "listen on",
      object: path,
      reason: `the path of a unix socket has at most ${PATH_BYTES} bytes`,
      hint: "use a shorter path",
    });
  }
  const address = new Uint8Array(name.length + 2);
  address[0] = AF_UNIX;
  address.set(name, 2);
  const fd = invokeOrThrow("socket", path, (c) =>
    c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
  );
  try {
    invokeOrThrow("bind", path, (c) => c.bind(fd, address, address.length));
    // Before it listens: until then connecting is refused.
    failIfNegative("chmod", path, listenerCalls().chmod(name, ONLY_THE_OWNER));
    failIfNegative("listen", path, listenerCalls().listen(fd, backlog));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/**
 * The next connection, non-blocking and close-on-exec; the caller closes it. Null when none waits, which happens where several
 * processes share the socket.
 */
export function acceptConnection(listening: number): number | null {
  for (;;) {
    const fd = listenerCalls().accept4(listening, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) return fd;
    const errno = libc().errno();
    if (errno === EAGAIN) return null;
    if (errno === EINTR || errno === ECONNABORTED) continue;
    throw new SyscallError({ syscall: "accept4", object: "listening socket", errno });
  }
}

/** Who connected, as it was at that time. */
export interface Peer {
  /** In our PID namespace; 0: the process is not in it. */
  readonly pid: number;
  /** In our user namespace. */
  readonly uid: number;
}

/** Source: unix(7), SO_PEERCRED; `struct ucred`. */
export function peerOf(connection: number): Peer {
  const ucred = new Uint8Array(12);
  const length = new Uint8Array(4);
  length[0] = ucred.length;
  const result = listenerCalls().getsockopt(connection, SOL_SOCKET, SO_PEERCRED, ucred, length);
  failIfNegative("getsockopt", "SO_PEERCRED", result);
  const view = new DataView(ucred.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) };
}

/**
 * Waits until one of several descriptors can be read.
 *
 * Of several processes that wait for one socket, the kernel wakes one for each connection, and always the first in line that
 * is idle: as many stay awake as there is work for.
 */
export class Readiness {
  readonly #epoll: number;
  readonly #events = new Uint8Array(EVENT_BYTES * 2);

  /** @throws SyscallError */
  constructor(fds: readonly number[]) {
    this.#epoll = failIfNegative("epoll_create1", "epoll", listenerCalls().epoll_create1(SOCK_CLOEXEC));
    for (const fd of fds) this.#add(fd);
  }

  #add(fd: number): void {
    const event = new Uint8Array(EVENT_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN | EPOLLEXCLUSIVE, true);
    view.setInt32(EVENT_DATA_AT, fd, true);
    failIfNegative(
      "epoll_ctl",
      `descriptor ${fd}`,
      listenerCalls().epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event),
    );
  }

  /** Those that can be read, or are at their end; none when the time is up, or a signal came. */
  wait(timeoutMs: number): number[] {
    const count = listenerCalls().epoll_wait(this.#epoll, this.#events, 2, timeoutMs);
    if (count < 0 && libc().errno() === EINTR) return [];
    failIfNegative("epoll_wait", "epoll", count);
    const view = new DataView(this.#events.buffer);
    const ready: number[] = [];
    for (let at = 0; at < count; at += 1) ready.push(view.getInt32(at * EVENT_BYTES + EVENT_DATA_AT, true));
    return ready;
  }

  close(): void {
    closeFd(this.#epoll);
  }
}

/** What waits to be read of a connection that does not block: bytes; "end"; or null when nothing is there yet. */
export function receiveNow(connection: number, buffer: Uint8Array): number | "end" | null {
  const count = invoke((c) => c.recv(connection, buffer, buffer.length, 0));
  if (count > 0) return count;
  return count === -EAGAIN ? null : "end";
}
