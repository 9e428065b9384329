/** Whole reads and writes on descriptors of any kind: pipes, terminals, files, blocking or not. */
import { FairleadError } from "../../errors.ts";
import { EAGAIN, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";

// Source: include/uapi/asm-generic/poll.h.
export const POLLIN = 0x1;
export const POLLOUT = 0x4;

const FIRST_CHUNK_BYTES = 16 * 1024;

export interface ReadAllOptions {
  /** More than this is an error, not a truncation. */
  readonly maxBytes: number;
  /** What is read, for messages. Default "stdin". */
  readonly name?: string;
  /** Longest wait for the end of the stream, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number;
}

/**
 * Reads `fd` up to its end.
 *
 * @throws SyscallError; FairleadError io-failure beyond `maxBytes`, timeout when the end did not come in time.
 */
export function readAll(fd: number, { maxBytes, name = "stdin", timeoutMs }: ReadAllOptions): Uint8Array {
  const deadline = timeoutMs === undefined ? null : performance.now() + timeoutMs;
  let buffer = new Uint8Array(Math.min(FIRST_CHUNK_BYTES, maxBytes + 1));
  let length = 0;
  for (;;) {
    if (deadline !== null) waitReadable(fd, deadline, name);
    const space = buffer.subarray(length);
    const count = invoke((c) => c.read(fd, space, space.length));
    if (count === 0) return buffer.subarray(0, length);
    if (count === -EAGAIN) waitReadable(fd, deadline, name);
    else if (count < 0) throw new SyscallError({ syscall: "read", object: name, errno: -count });
    else length += count;
    if (length > maxBytes) throw tooLong(name, maxBytes);
    if (length === buffer.length) buffer = grow(buffer, maxBytes + 1);
  }
}

function grow(buffer: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(buffer.length * 4, limit));
  larger.set(buffer);
  return larger;
}

function tooLong(name: string, maxBytes: number): FairleadError {
  return new FairleadError({
    code: "io-failure",
    operation: "read",
    object: name,
    reason: `there are more than ${maxBytes} bytes`,
    hint: "nothing that long is meant to be there; check what writes it",
  });
}

function waitReadable(fd: number, deadline: number | null, name: string): void {
  if (pollFd(fd, POLLIN, { deadline, name })) return;
  throw new FairleadError({
    code: "timeout",
    operation: "read",
    object: name,
    reason: "the end did not come in time",
    hint: "whoever writes it must close it",
  });
}

/**
 * Writes all of `bytes`, waiting where a non-blocking pipe is full.
 *
 * @param name what is written to, for messages.
 * @throws SyscallError; EPIPE when the reader is gone.
 */
export function writeAll(fd: number, bytes: Uint8Array, name = fd === 2 ? "stderr" : "stdout"): void {
  let rest = bytes;
  while (rest.length > 0) {
    const chunk = rest;
    const count = invoke((c) => c.write(fd, chunk, chunk.length));
    if (count === -EAGAIN) pollFd(fd, POLLOUT, { deadline: null, name });
    else if (count < 0) throw new SyscallError({ syscall: "write", object: name, errno: -count });
    else rest = rest.subarray(count);
  }
}

interface Wait {
  /** On the clock of `performance.now()`; null waits for ever. */
  readonly deadline: number | null;
  /** What is waited for, for messages. */
  readonly name: string;
}

/** Waits until `fd` has one of `events` or is at its end; false when the deadline came first. */
export function pollFd(fd: number, events: number, { deadline, name }: Wait): boolean {
  const request = new Uint8Array(8);
  const view = new DataView(request.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  const ready = invokeOrThrow("poll", name, (c) => c.poll(request, 1, remainingMs(deadline)));
  return ready > 0;
}

/** Milliseconds left, as poll(2) takes them; -1 waits for ever. */
function remainingMs(deadline: number | null): number {
  return deadline === null ? -1 : Math.max(0, Math.ceil(deadline - performance.now()));
}

/** Blocks the thread. For waits of milliseconds between attempts at something that cannot be waited for. */
export function sleepMs(durationMs: number): void {
  const deadline = performance.now() + durationMs;
  invokeOrThrow("poll", "nothing", (c) => c.poll(null, 0, remainingMs(deadline)));
}
