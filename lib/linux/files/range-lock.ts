/**
 * Many locks between processes in one file: each is a byte of it, which need not be there. They end with the process that
 * holds them, however it ends.
 *
 * Source: fcntl_locking(2), "Open file description locks".
 */
import { FairleadError } from "../../errors.ts";
import { closeFd, EAGAIN, invoke, SyscallError } from "../calls/errno.ts";
import { listDirectory, O_CREAT, O_RDWR, openFile, readTextFile } from "./files.ts";
import type { LockMode } from "./lock-file.ts";
import { sleepMs } from "./stdio.ts";

// Source: include/uapi/asm-generic/fcntl.h.
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** `struct flock` of 64-bit machines: l_type, l_whence (SEEK_SET), l_start, l_len, l_pid. */
const FLOCK = { bytes: 32, startAt: 8, lengthAt: 16 };

const LONGEST_PAUSE_MS = 8;

/** What is locked, for the error of who waits in vain. */
export interface RangeWait {
  readonly offset: bigint;
  /** "c1 (eth0) of network web" */
  readonly object: string;
  readonly timeoutMs: number;
  /** Default: "exclusive". */
  readonly mode?: LockMode;
  /** Of the error. Default: "wait for an earlier call for". */
  readonly operation?: string;
}

/** An open file of locks. It stays on the disk for ever. Two of one process exclude each other as those of two processes do. */
export class RangeLock {
  readonly path: string;
  #fd: number;

  /** Opens `path`, making it when it is missing. Takes no lock. @throws SyscallError */
  constructor(path: string) {
    this.path = path;
    this.#fd = openFile(path, O_RDWR | O_CREAT, 0o600);
  }

  /** Takes the lock at `offset` (0 to 2^63 - 2) if that needs no waiting; false otherwise. */
  tryLock(offset: bigint, mode: LockMode = "exclusive"): boolean {
    const result = this.#set(mode === "shared" ? F_RDLCK : F_WRLCK, offset);
    if (result === -EAGAIN) return false;
    if (result < 0) throw new SyscallError({ syscall: "fcntl", object: this.path, errno: -result });
    return true;
  }

  /**
   * Takes the lock. The kernel cannot wait with a limit, so this asks again and again, at most 8 ms apart.
   * @throws FairleadError timeout, naming who holds it.
   */
  lock(wait: RangeWait): void {
    const deadline = performance.now() + wait.timeoutMs;
    for (
      let pauseMs = 1;
      !this.tryLock(wait.offset, wait.mode);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    ) {
      if (performance.now() >= deadline) throw this.#timeout(wait);
      sleepMs(pauseMs);
    }
  }

  unlock(offset: bigint): void {
    this.#set(F_UNLCK, offset);
  }

  /** Lets go of every lock that was taken through it. Doing so twice is harmless. */
  close(): void {
    if (this.#fd >= 0) closeFd(this.#fd);
    this.#fd = -1;
  }

  #set(type: number, offset: bigint): number {
    const flock = new Uint8Array(FLOCK.bytes);
    const view = new DataView(flock.buffer);
    view.setInt16(0, type, true);
    view.setBigInt64(FLOCK.startAt, offset, true);
    view.setBigInt64(FLOCK.lengthAt, 1n, true);
    return invoke((c) => c.fcntl(this.#fd, F_OFD_SETLK, flock));
  }

  #timeout({
    offset,
    object,
    timeoutMs,
    operation = "wait for an earlier call for",
  }: RangeWait): FairleadError {
    const holder = findHolder(this.#fd, offset);
    return new FairleadError({
      code: "timeout",
      operation,
      object,
      reason: `${holder === null ? "somebody" : `process ${holder}`} has worked on it for ${timeoutMs} ms`,
      hint: holder === null ? "try again" : `try again; if the process hangs, end it: kill -9 ${holder}`,
      ...(holder !== null && { details: { pid: holder } }),
    });
  }
}

/**
 * Whose lock it is. The kernel counts them to files, not to processes, so every open file is looked at; null when it was let go
 * meanwhile, or belongs to somebody whom one may not see.
 *
 * Source: fs/locks.c, show_fd_locks; proc_pid_fdinfo(5).
 */
function findHolder(fd: number, offset: bigint): number | null {
  const inode = /^ino:\s*(\d+)$/m.exec(readInfo("self", String(fd)))?.[1];
  if (inode === undefined) return null;
  const line = new RegExp(`^lock:.*:${inode} ${offset} ${offset}$`, "m");
  for (const pid of listDirectory("/proc").filter((name) => /^\d+$/.test(name))) {
    if (filesOf(pid).some((file) => line.test(readInfo(pid, file)))) return Number(pid);
  }
  return null;
}

function filesOf(pid: string): string[] {
  try {
    return listDirectory(`/proc/${pid}/fdinfo`);
  } catch {
    // It has ended.
    return [];
  }
}

function readInfo(pid: string, file: string): string {
  try {
    return readTextFile(`/proc/${pid}/fdinfo/${file}`);
  } catch {
    return "";
  }
}
