/** Files of locks in a folder that a reboot empties: each lock is a byte, found by a hash of what it is for. */
import { hash64 } from "../../hash.ts";
import { ENOENT, SyscallError } from "../../linux/calls/errno.ts";
import { makeDirectories } from "../../linux/files/files.ts";
import { RangeLock } from "../../linux/files/range-lock.ts";

/** Where plugins, the agent and the command line keep them. A reboot empties it. */
export const LOCK_DIRECTORY = "/run/fairlead/locks";

/** An offset is not negative, and its byte does not end beyond the largest: 62 bits are. */
const SPARE_BITS = 2n;

/** The byte of the lock for `subject`. */
export function lockOffset(subject: string): bigint {
  return lockOffsetOfHash(hash64(subject));
}

export function lockOffsetOfHash(hash: bigint): bigint {
  return hash >> SPARE_BITS;
}

/** The folder is there but for the first time after a boot. @throws SyscallError where there is no place for it. */
export function openLockBytes(directory: string, file: string): RangeLock {
  const path = `${directory}/${file}`;
  try {
    return new RangeLock(path);
  } catch (thrown) {
    if (!(thrown instanceof SyscallError) || thrown.errno !== ENOENT) throw thrown;
    makeDirectories(directory, 0o700);
    return new RangeLock(path);
  }
}
