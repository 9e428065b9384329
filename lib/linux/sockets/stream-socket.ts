/** One exchange over a unix stream socket: connect, send, receive, close, all within one time limit. */
import { FairleadError } from "../../errors.ts";
import {
  closeFd,
  EAGAIN,
  ECONNREFUSED,
  ENOENT,
  ENOTDIR,
  EPIPE,
  invoke,
  invokeOrThrow,
  SyscallError,
} from "../calls/errno.ts";
import { POLLIN, pollFd } from "../files/stdio.ts";
import { AF_UNIX, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_CLOEXEC, SOCK_STREAM, setTimeoutOption } from "./socket.ts";

/** Longest path: `sun_path` has 108 bytes, one of them the NUL. Source: include/uapi/linux/un.h. */
const PATH_BYTES = 107;
const MSG_NOSIGNAL = 0x4000;
const FIRST_CHUNK_BYTES = 16 * 1024;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

export interface ExchangeOptions {
  /** Limit on the whole exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** True once `received` is the whole answer. Otherwise the answer ends where the peer closes. */
  readonly isComplete: (received: Uint8Array) => boolean;
  /** Longest answer. Default 16 MiB. */
  readonly maxBytes?: number;
}

/** What the steps of one exchange share. */
interface Conversation extends ExchangeOptions {
  readonly path: string;
  readonly fd: number;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
}

/** A request that was sent, and whose answer is still to come. */
export interface PendingExchange {
  /** Waits for the first of the answer, at most so long; true when there is something. Closes nothing. */
  isAnswered(withinMs: number): boolean;
  /**
   * Waits for the answer, blocking the thread, and closes the connection. To be called once.
   *
   * @throws FairleadError `unavailable` when the peer hangs up before it answered; `timeout` when the limit passed, in which
   * case the request may or may not have been carried out.
   */
  finish(): Uint8Array;
}

/**
 * Sends `request` to the socket at `path`, without waiting for the answer. The time limit begins here.
 *
 * @throws FairleadError `unavailable` when nobody listens there or the peer hangs up, `timeout` when the limit passed; then
 * nothing is left open.
 */
export function beginExchange(path: string, request: Uint8Array, options: ExchangeOptions): PendingExchange {
  const address = unixAddress(path);
  const fd = invokeOrThrow("socket", path, (c) => c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const conversation = { ...options, path, fd, deadline: performance.now() + options.timeoutMs };
  try {
    connect(conversation, address);
    sendAll(conversation, request);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return {
    isAnswered: (withinMs) => pollFd(fd, POLLIN, { deadline: performance.now() + withinMs, name: path }),
    finish: () => receiveAndClose(conversation),
  };
}

function receiveAndClose(conversation: Conversation): Uint8Array {
  try {
    return receive(conversation);
  } finally {
    closeFd(conversation.fd);
  }
}

function unixAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length > PATH_BYTES || name.includes(0)) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "connect to",
      object: JSON.stringify(path),
      reason: `the path of a unix socket has 1 to ${PATH_BYTES} bytes, and no NUL`,
      hint: "use a shorter path",
    });
  }
  const address = new Uint8Array(name.length + 3);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  return address;
}

/** A full backlog makes connect wait; it obeys the *send* time limit. Source: net/unix/af_unix.c. */
function connect(conversation: Conversation, address: Uint8Array): void {
  const { fd, path } = conversation;
  limitNextCall(conversation, SO_SNDTIMEO);
  const result = invoke((c) => c.connect(fd, address, address.length));
  if (result === -EAGAIN) throw timeout(conversation, "its queue of connections is full");
  if (result < 0) throw unreachable(path, -result);
}

function unreachable(path: string, errno: number): SyscallError {
  const absent = errno === ENOENT || errno === ENOTDIR;
  const dead = absent || errno === ECONNREFUSED;
  return new SyscallError({
    syscall: "connect",
    object: path,
    errno,
    operation: "connect to",
    ...(dead && { code: "unavailable" as const }),
    ...(dead && {
      hint: absent ? "start the service that makes this socket" : "nobody listens: start the service",
    }),
  });
}

function sendAll(conversation: Conversation, request: Uint8Array): void {
  const { fd } = conversation;
  for (let sent = 0; sent < request.length; ) {
    limitNextCall(conversation, SO_SNDTIMEO);
    const rest = request.subarray(sent);
    const count = invoke((c) => c.send(fd, rest, rest.length, MSG_NOSIGNAL));
    if (count === -EAGAIN) throw timeout(conversation, "it does not read the request");
    // It closed before it read everything: most likely it has answered already, with an error.
    if (count === -EPIPE) return;
    if (count < 0) throw hungUp(conversation, "send", -count);
    sent += count;
  }
}

function receive(conversation: Conversation): Uint8Array {
  const { fd, isComplete, maxBytes = DEFAULT_MAX_BYTES } = conversation;
  let buffer = new Uint8Array(FIRST_CHUNK_BYTES);
  for (let length = 0; ; ) {
    limitNextCall(conversation, SO_RCVTIMEO);
    const space = buffer.subarray(length);
    const count = invoke((c) => c.recv(fd, space, space.length, 0));
    if (count === -EAGAIN) throw timeout(conversation, `it sent ${length} bytes of its answer`);
    if (count < 0) throw hungUp(conversation, "recv", -count);
    length += count;
    if (length > maxBytes) throw tooLong(conversation, maxBytes);
    const received = buffer.subarray(0, length);
    if (count === 0 && length === 0) throw emptyAnswer(conversation);
    if (count === 0 || isComplete(received)) return received;
    if (length === buffer.length) buffer = doubled(buffer);
  }
}

function doubled(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * buffer.length);
  larger.set(buffer);
  return larger;
}

/**
 * Gives the next call the time that is left. A limit in the kernel counts from the start of each call, and a
 * signal starts a call anew, so the sum is bounded by setting it every time; a storm of signals could stretch
 * it, which is why an overdue deadline ends the exchange here.
 */
function limitNextCall(conversation: Conversation, option: number): void {
  const leftMs = conversation.deadline - performance.now();
  if (leftMs <= 0) throw timeout(conversation, "the time ran out");
  setTimeoutOption(conversation.fd, option, leftMs);
}

function timeout({ path, timeoutMs }: Conversation, reason: string): FairleadError {
  return new FairleadError({
    code: "timeout",
    operation: "talk to",
    object: path,
    reason: `no whole answer within ${timeoutMs} ms: ${reason}`,
    hint: "the service is stuck or overloaded; the same call may be repeated",
  });
}

function hungUp({ path }: Conversation, syscall: string, errno: number): SyscallError {
  return new SyscallError({
    syscall,
    object: path,
    errno,
    operation: "talk to",
    code: "unavailable",
    hint: "the service went away; repeat the call",
  });
}

function emptyAnswer({ path }: Conversation): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: "talk to",
    object: path,
    reason: "it closed the connection without an answer",
    hint: "the service went away; repeat the call",
  });
}

function tooLong({ path }: Conversation, maxBytes: number): FairleadError {
  return new FairleadError({
    code: "io-failure",
    operation: "talk to",
    object: path,
    reason: `the answer has more than ${maxBytes} bytes`,
    hint: "check that the socket is the right one",
  });
}
