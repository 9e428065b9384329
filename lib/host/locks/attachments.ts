/**
 * Where the locks are that keep calls for one attachment in order: whoever holds one knows that no ADD or DEL for it is under way
 * on this node.
 *
 * They are bytes of one file, found by a hash of the key: they leave nothing behind, and end with their holder.
 */
import type { RangeLock } from "../../linux/files/range-lock.ts";
import { type AttachmentName, seedOf } from "../attachment/alias.ts";
import { LOCK_DIRECTORY, lockOffset, lockOffsetOfHash, openLockBytes } from "./bytes.ts";

const FILE = "attachments";

/** The attachment's byte of the file. */
export function attachmentLockOffset(key: AttachmentName): bigint {
  return lockOffset(seedOf(key));
}

/** @throws SyscallError where there is no place for it. */
export function openAttachmentLocks(): RangeLock {
  return openLockBytes(LOCK_DIRECTORY, FILE);
}

/** The same, for who knows only the hash of the key, in 16 hexadecimal digits: `hashHex(seedOf(key), 16)`. */
export function attachmentLockOffsetOfHash(hash: string): bigint {
  return lockOffsetOfHash(BigInt(`0x${hash}`));
}
