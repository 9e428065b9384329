/**
 * Where the locks are that keep calls for one attachment in order: whoever holds one knows that no ADD or DEL for it is under way
 * on this node.
 *
 * They are bytes of one file, found by a hash of the key: they leave nothing behind, and end with their holder.
 */
import { hash64 } from "../hash.ts";
import { ENOENT, SyscallError } from "../linux/errno.ts";
import { makeDirectories } from "../linux/files.ts";
import { RangeLock } from "../linux/range-lock.ts";
import { type AttachmentName, seedOf } from "./attachment-alias.ts";
import { LOCK_DIRECTORY } from "./bridge-lock.ts";

const LOCK_FILE = `${LOCK_DIRECTORY}/attachments`;
/** An offset is not negative, and its byte does not end beyond the largest: 62 bits are. */
const SPARE_BITS = 2n;

/** The attachment's byte of the file. */
export function attachmentLockOffset(key: AttachmentName): bigint {
  return hash64(seedOf(key)) >> SPARE_BITS;
}

/** The folder is there but for the first time after a boot. @throws SyscallError where there is no place for it. */
export function openAttachmentLocks(): RangeLock {
  try {
    return new RangeLock(LOCK_FILE);
  } catch (thrown) {
    if (!(thrown instanceof SyscallError) || thrown.errno !== ENOENT) throw thrown;
    makeDirectories(LOCK_DIRECTORY, 0o700);
    return new RangeLock(LOCK_FILE);
  }
}
