/**
 * When the write-ahead log is copied back into the database.
 *
 * Left to itself, SQLite does so inside whichever commit finds the log a thousand pages long: every few hundred
 * milliseconds under load some callers wait tens of milliseconds more. Here it happens when nobody has written for a moment;
 * under load that never pauses, once the log has grown large, and after the answers have gone out.
 *
 * Nothing about durability changes: a commit is durable by the sync of the log, and a log of any length is replayed when
 * the database is opened.
 *
 * Source: https://www.sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large WAL Files".
 */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

const IDLE_MS = 50;
/** A log shorter than this may wait for the next pause: replaying it takes a few milliseconds. */
const WORTH_COPYING_BYTES = 4 * 1024 * 1024;
/** A log this long is copied under load, too. Replaying it takes less than a second. */
const LONGEST_BYTES = 128 * 1024 * 1024;
/** Looking at the size costs a system call, so not every commit does. */
const COMMITS_BETWEEN_LOOKS = 64;

export interface CheckpointerOptions {
  readonly database: DatabaseSync;
  readonly path: string;
  /** Told when a checkpoint fails. The log then stays as it is, and the next occasion tries again. */
  readonly onError: (error: unknown) => void;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #idleTimer: NodeJS.Timeout | undefined;
  #commits = 0;
  #isClosed = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    options.database.exec("PRAGMA wal_autocheckpoint = 0");
  }

  /** To be called after each commit. */
  noteCommit(): void {
    this.#idleTimer ??= setTimeout(() => this.#checkpointAbove(WORTH_COPYING_BYTES), IDLE_MS).unref();
    this.#idleTimer.refresh();
    this.#commits += 1;
    if (this.#commits % COMMITS_BETWEEN_LOOKS === 0 && this.#logBytes() > LONGEST_BYTES) {
      setImmediate(() => this.#checkpointAbove(LONGEST_BYTES));
    }
  }

  /** Closing the database makes the last checkpoint by itself. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
  }

  #logBytes(): number {
    return statSync(`${this.#options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Truncates the log as well, so that its size says how much there is to copy. */
  #checkpointAbove(bytes: number): void {
    if (this.#isClosed) return;
    try {
      if (this.#logBytes() > bytes) this.#options.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      this.#options.onError(error);
    }
  }
}
