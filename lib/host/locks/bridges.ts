/**
 * The lock that keeps a bridge in place while somebody attaches to it.
 *
 * The locks of all bridges are bytes of one file, found by a hash of the name, so that bridges that come and go leave no files.
 */
import type { LockMode } from "../../linux/files/lock-file.ts";
import { lockOffset, openLockBytes } from "./bytes.ts";

const FILE = "bridges";

export interface BridgeLockSpec {
  /** Directory of the lock file; made when it is missing. On a file system that a reboot empties. */
  readonly directory: string;
  readonly bridgeName: string;
  /**
   * "shared" from before {@link ensureBridge} until the port is made: any number may attach at once.
   * "exclusive" to remove the bridge, or to change what its ports rely on.
   */
  readonly mode: LockMode;
  /** Longest wait, in milliseconds. */
  readonly timeoutMs: number;
}

/** A lock that is held until it is closed. Closing it twice is harmless. */
export interface HeldLock {
  close(): void;
}

/**
 * Takes the lock of one bridge. Close it when done; the end of the process does the same.
 *
 * @throws FairleadError timeout, naming the process that holds it
 */
export function lockBridge({ directory, bridgeName, mode, timeoutMs }: BridgeLockSpec): HeldLock {
  const lock = openLockBytes(directory, FILE);
  try {
    const offset = lockOffset(bridgeName);
    lock.lock({ offset, mode, timeoutMs, operation: "lock bridge", object: bridgeName });
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Does what relies on a lock, and lets it go. */
export function whileHeld<T>(lock: HeldLock, action: () => T): T {
  try {
    return action();
  } finally {
    lock.close();
  }
}

/** Takes the lock, by default exclusively, if nobody's stands in the way; null otherwise, without waiting. */
export function tryLockBridge(
  { directory, bridgeName }: Pick<BridgeLockSpec, "directory" | "bridgeName">,
  mode: LockMode = "exclusive",
): HeldLock | null {
  const lock = openLockBytes(directory, FILE);
  if (lock.tryLock(lockOffset(bridgeName), mode)) return lock;
  lock.close();
  return null;
}
