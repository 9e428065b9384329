/**
 * The locks of attachments, held by a command that judges who is gone: no ADD or DEL runs on this node for what it holds, so
 * that an ADD which has its lease and not yet its link is not taken for one that is gone.
 */
import { attachmentLockOffset, openAttachmentLocks } from "../../lib/host/locks/attachments.ts";
import type { AttachmentKey } from "../../lib/ipam/api.ts";
import type { RangeLock } from "../../lib/linux/files/range-lock.ts";
import { sleepMs } from "../../lib/linux/files/stdio.ts";

/** A call that has just been answered is about to let go of its attachment. All of them together are waited for so long. */
const PATIENCE_MS = 100;

export class HeldAttachments {
  readonly #locks: RangeLock;

  /** Holds none yet. @throws SyscallError where there is no place for locks: whether a call is under way cannot be told then. */
  constructor() {
    this.#locks = openAttachmentLocks();
  }

  /** Holds those of `keys` for which no call is under way, and returns them. */
  holdAll<Key extends AttachmentKey>(keys: readonly Key[]): Key[] {
    const giveUpAt = performance.now() + PATIENCE_MS;
    return keys.filter((key) => this.#hold(attachmentLockOffset(key), giveUpAt));
  }

  #hold(offset: bigint, giveUpAt: number): boolean {
    while (!this.#locks.tryLock(offset)) {
      if (performance.now() > giveUpAt) return false;
      sleepMs(1);
    }
    return true;
  }

  letGo(key: AttachmentKey): void {
    this.#locks.unlock(attachmentLockOffset(key));
  }

  /** Lets go of all. Doing so twice is harmless. */
  close(): void {
    this.#locks.close();
  }
}
