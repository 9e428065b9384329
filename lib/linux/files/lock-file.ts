/**
 * Locks between processes, on a file. They end with the process that holds them, however it ends.
 *
 * Source: flock(2).
 */
import { FairleadError } from "../../errors.ts";
import { closeFd, EAGAIN, invoke, SyscallError } from "../calls/errno.ts";
import { O_CREAT, O_RDWR, openFile } from "./files.ts";
import { sleepMs } from "./stdio.ts";

// Source: include/uapi/asm-generic/fcntl.h.
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

const LONGEST_PAUSE_MS = 8;

/** Many hold a shared lock at once; an exclusive one is held alone. */
export type LockMode = "shared" | "exclusive";

/**
 * An open lock file. It stays on the disk for ever: a lock file that is removed can be locked twice, once by its
 * old inode and once by its new one.
 *
 * Two `LockFile`s of one process exclude each other as those of two processes do.
 */
export class LockFile {
  readonly path: string;
  #fd: number;

  /** Opens `path`, making it when it is missing. Takes no lock. @throws SyscallError */
  constructor(path: string) {
    this.path = path;
    this.#fd = openFile(path, O_RDWR | O_CREAT, 0o600);
  }

  /**
   * Takes the lock, or changes the mode of the one that is held. A change is not atomic: the old lock is let
   * go first, so what it protected must be looked at again.
   *
   * flock cannot wait with a limit, so this asks again and again, at most 8 ms apart.
   *
   * @throws FairleadError timeout after `timeoutMs`; no lock is held then.
   */
  lock(mode: LockMode, timeoutMs: number): void {
    const deadline = performance.now() + timeoutMs;
    for (let pauseMs = 1; !this.tryLock(mode); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (performance.now() >= deadline) throw lockTimeout(this.path, mode, timeoutMs);
      sleepMs(pauseMs);
    }
  }

  /** Takes the lock if that needs no waiting; false, with no lock held, otherwise. */
  tryLock(mode: LockMode): boolean {
    const operation = (mode === "shared" ? LOCK_SH : LOCK_EX) | LOCK_NB;
    const result = invoke((c) => c.flock(this.#fd, operation));
    if (result === -EAGAIN) return false;
    if (result < 0) throw new SyscallError({ syscall: "flock", object: this.path, errno: -result });
    return true;
  }

  /** Lets go of the lock and closes the file. Doing so twice is harmless. */
  close(): void {
    if (this.#fd >= 0) closeFd(this.#fd);
    this.#fd = -1;
  }
}

function lockTimeout(path: string, mode: LockMode, timeoutMs: number): FairleadError {
  return new FairleadError({
    code: "timeout",
    operation: `take ${mode} lock`,
    object: path,
    reason: `another process has held it for ${timeoutMs} ms`,
    hint: `see who does with: fuser -v ${path}`,
  });
}
