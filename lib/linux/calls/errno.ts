/** System calls that fail: numbers, and the error that says which call failed on what. */
import { errnoOf } from "../../errno.ts";
import { type ErrorCode, FairleadError } from "../../errors.ts";
import { type Libc, libc } from "./ffi.ts";

// Source: include/uapi/asm-generic/errno-base.h and errno.h, which x86-64 and arm64 share.
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const EACCES = 13;
export const EEXIST = 17;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const EROFS = 30;
export const EPIPE = 32;
export const ENOPROTOOPT = 92;
export const ENOBUFS = 105;
export const ECONNREFUSED = 111;

/** The parts of a {@link SyscallError}. */
export interface SyscallFailure {
  /** Name of the system call: "open". */
  readonly syscall: string;
  /** What it was called on: a path, "netlink route socket", … */
  readonly object: string;
  /** Positive error number. */
  readonly errno: number;
  /** What was being done, where that says more than the call's name. */
  readonly operation?: string;
  /** Default: `permission-denied` for EPERM and EACCES, else `io-failure`. */
  readonly code?: ErrorCode;
  readonly hint?: string;
}

/** A system call failed. Reads `open /run/x.lock: No such file or directory (ENOENT)`. */
export class SyscallError extends FairleadError {
  readonly syscall: string;
  readonly errno: number;
  /** "ENOENT". */
  readonly errnoName: string;

  constructor({ syscall, object, errno, operation, code, hint }: SyscallFailure) {
    const { name, text } = errnoOf(errno);
    super({
      code: code ?? defaultCode(errno),
      operation: operation ?? syscall,
      object,
      reason: operation === undefined ? `${text} (${name})` : `${syscall}: ${text} (${name})`,
      ...(hint !== undefined && { hint }),
      details: { syscall, errno, errnoName: name },
    });
    this.name = "SyscallError";
    this.syscall = syscall;
    this.errno = errno;
    this.errnoName = name;
  }
}

function defaultCode(errno: number): ErrorCode {
  return errno === EPERM || errno === EACCES ? "permission-denied" : "io-failure";
}

/**
 * Makes a system call, again when a signal interrupted it, and returns its result: zero or more on success,
 * the negative error number on failure, as inside the kernel.
 *
 * Interruptions are no rarity here: the runtime stops its threads for garbage collection with signals.
 */
export function invoke(call: (libc: Libc) => number): number {
  const c = libc();
  for (;;) {
    const result = call(c);
    if (result >= 0) return result;
    const errno = c.errno();
    if (errno !== EINTR) return -errno;
  }
}

/**
 * Like {@link invoke}, for calls that must succeed.
 *
 * @throws SyscallError naming `syscall` and `object`.
 */
export function invokeOrThrow(syscall: string, object: string, call: (libc: Libc) => number): number {
  const result = invoke(call);
  if (result < 0) throw new SyscallError({ syscall, object, errno: -result });
  return result;
}

/**
 * Closes `fd`. An error is not reported: Linux frees the number in any case, and data that must reach the disk
 * is fsynced before. So a close is never repeated, not even after EINTR, when the number may be someone else's.
 *
 * Source: close(2), "Dealing with error returns from close()".
 */
export function closeFd(fd: number): void {
  libc().close(fd);
}
