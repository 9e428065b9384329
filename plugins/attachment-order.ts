/**
 * Calls for one attachment run one after another on a node, whoever makes them: a plugin's process or a worker.
 *
 * A runtime that gave up an ADD goes on with DEL and the next ADD, while the first may still be under way. Each waits for the one
 * before. The locks end with their holder (lib/host/locks/attachments.ts).
 */
import type { Exec } from "../lib/cni/delegate.ts";
import type { AttachmentKey } from "../lib/cni/request.ts";
import { attachmentLockOffset, openAttachmentLocks } from "../lib/host/locks/attachments.ts";
import { SyscallError } from "../lib/linux/calls/errno.ts";
import type { RangeLock } from "../lib/linux/files/range-lock.ts";
import { sleepMs } from "../lib/linux/files/stdio.ts";

/** Longest wait for the call before. It waits for the service as long, by default. */
const LIMIT_MS = 10_000;
/** Of a millisecond each. To start a process takes ten, on a machine that is not busy. */
const MOST_SHORT_WAITS = 50;
/** Tells a delegate, and what that runs, which attachment is held for it: it must not wait for those who wait for it. */
const HELD_VARIABLE = "FAIRLEAD_ATTACHMENT";

/** Held by this process, while it is. */
let held: bigint | null = null;

/** Locks of attachments, for a process that takes one after another. */
export class AttachmentLocks {
  readonly #file: RangeLock;

  /** @throws SyscallError where there is no place for them. */
  constructor() {
    this.#file = openAttachmentLocks();
  }

  /** The function that lets go of it; null when a call for the attachment runs. */
  tryHold(key: AttachmentKey): (() => void) | null {
    const offset = attachmentLockOffset(key);
    return this.#file.tryLock(offset) ? () => this.#file.unlock(offset) : null;
  }

  /** Like {@link tryHold}, but waits a few milliseconds: a call that has just been answered is about to let go. */
  holdSoon(key: AttachmentKey): (() => void) | null {
    for (let wait = 0; ; wait += 1) {
      const letGo = this.tryHold(key);
      if (letGo !== null || wait === MOST_SHORT_WAITS) return letGo;
      sleepMs(1);
    }
  }

  /** @throws FairleadError timeout, with the process that is in the way. */
  hold(key: AttachmentKey): () => void {
    const { containerId, ifname, networkName } = key;
    const object = `${containerId} (${ifname}) of network ${networkName}`;
    const offset = attachmentLockOffset(key);
    this.#file.lock({ offset, object, timeoutMs: LIMIT_MS });
    return () => this.#file.unlock(offset);
  }

  close(): void {
    this.#file.close();
  }
}

/** Keeps other calls for one more attachment away; null where one runs, or there is no place for locks. */
export function tryHoldAttachment(key: AttachmentKey): (() => void) | null {
  const locks = openLocksIfPossible(() => {});
  if (locks?.tryHold(key)) return () => locks.close();
  locks?.close();
  return null;
}

/** What a process of its own needs to run in order. */
export interface OrderContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  log(message: string): void;
}

/**
 * Runs `action` when no other ADD or DEL for `key` runs on this node. Where no lock can be had (a read-only /run), it runs all the
 * same: order is a wish, and to be detached is a right.
 *
 * @throws FairleadError timeout (CNI code 11) when the call before does not end.
 */
export function runInOrder<T>(key: AttachmentKey, { env, log }: OrderContext, action: () => T): T {
  const offset = attachmentLockOffset(key);
  if (env[HELD_VARIABLE] === String(offset)) return action();
  const locks = openLocksIfPossible(log);
  if (locks === null) return action();
  try {
    locks.hold(key);
    held = offset;
    return action();
  } finally {
    held = null;
    locks.close();
  }
}

/** Null, and a line in the log, where there is no place for them. */
export function openLocksIfPossible(log: (message: string) => void): AttachmentLocks | null {
  try {
    return new AttachmentLocks();
  } catch (thrown) {
    if (!(thrown instanceof SyscallError)) throw thrown;
    log(`going on without knowing of other calls for the attachment: ${thrown.message}`);
    return null;
  }
}

/** `exec`, telling those whom it runs what this process holds. */
export function passingOrderOn(exec: Exec): Exec {
  return {
    ...exec,
    execFile: ({ env, ...program }) =>
      exec.execFile({ ...program, env: held === null ? env : { ...env, [HELD_VARIABLE]: String(held) } }),
  };
}
