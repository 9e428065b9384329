/** The lock that keeps a bridge in place while somebody attaches to it. */
import { makeDirectories } from "../linux/files.ts";
import { LockFile, type LockMode } from "../linux/lock-file.ts";

/** Where plugins and the agent keep them. A reboot empties it. */
export const LOCK_DIRECTORY = "/run/fairlead/locks";

export interface BridgeLockSpec {
  /** Directory of the lock files; made when it is missing. On a file system that a reboot empties. */
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

/**
 * Takes the lock of one bridge. Close it when done; the end of the process does the same.
 *
 * @throws FairleadError timeout
 */
export function lockBridge({ directory, bridgeName, mode, timeoutMs }: BridgeLockSpec): LockFile {
  const lock = openLock(directory, bridgeName);
  try {
    lock.lock(mode, timeoutMs);
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Takes the lock, by default exclusively, if nobody's stands in the way; null otherwise, without waiting. */
export function tryLockBridge(
  spec: Pick<BridgeLockSpec, "directory" | "bridgeName">,
  mode: LockMode = "exclusive",
): LockFile | null {
  const lock = openLock(spec.directory, spec.bridgeName);
  if (lock.tryLock(mode)) return lock;
  lock.close();
  return null;
}

/** A link name holds no slash, so it is a file name as it stands. */
function openLock(directory: string, bridgeName: string): LockFile {
  makeDirectories(directory, 0o700);
  return new LockFile(`${directory}/bridge-${bridgeName}.lock`);
}
