/**
 * When the write-ahead log is copied back into the database.
 *
 * Left to itself, SQLite does so inside whichever commit finds the log a thousand pages long: every few hundred
 * milliseconds under load some callers wait tens of milliseconds more. Here it happens when nobody has written for a moment;
 * under load that never pauses, once the log has grown large, and after the answers have gone out.
 *
 * The log's file keeps its size when it is begun anew. A commit that lengthens the file makes the file system write its
 * journal as well, behind whatever else is in there: commits over what is there already took a third off the 99th
 * percentile of an acquire under load.
 *
 * Nothing about durability changes: a commit is durable by the sync of the log, and a log of any length is replayed when
 * the database is opened.
 *
 * Source: https://www.sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large WAL Files".
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

const IDLE_MS = 50;
/** A log shorter than this may wait for a later pause: replaying it takes a few milliseconds. */
const WORTH_COPYING_BYTES = 4 * 1024 * 1024;
/** A log this long is copied under load, too: it stays below 64 MiB, and replaying it takes a fraction of a second. */
const LONGEST_BYTES = 32 * 1024 * 1024;
/** The log is measured whenever commits have put about so much into it. They may be wrong by a factor of three. */
const MEASURE_BYTES = 8 * 1024 * 1024;

/** Room for all that commits write between two pauses of a service that is not under load. */
const ROOM_BYTES = WORTH_COPYING_BYTES + 1024 * 1024;

/**
 * Lengthens the log of an open database with zeros, which are no valid frames, so that commits find room. Best effort: where
 * there is no space, the file stays as it was.
 *
 * To be called by the thread that commits, between two commits. Source: https://www.sqlite.org/fileformat2.html#walformat:
 * a frame counts only with the salts and the checksum of its log.
 */
export function lengthenLog(path: string): void {
  const fd = openSync(`${path}-wal`, "r+");
  try {
    const { size } = fstatSync(fd);
    if (size >= ROOM_BYTES) return;
    try {
      const zeros = new Uint8Array(ROOM_BYTES - size);
      if (writeSync(fd, zeros, 0, zeros.length, size) < zeros.length) ftruncateSync(fd, size);
    } catch {
      ftruncateSync(fd, size);
    }
  } finally {
    closeSync(fd);
  }
}

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/**
 * Bytes of the log that count, which its file's size does not tell: a frame belongs to the log when it has the log's salts, and behind the
 * last one that does none does. Some fifteen short reads.
 *
 * Source: https://www.sqlite.org/fileformat2.html#walformat.
 */
export function logLength(path: string): number {
  const fd = openSync(`${path}-wal`, "r");
  try {
    const header = readAt(fd, 0, LOG_HEADER_BYTES);
    const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(8);
    const salts = header.subarray(16, 24);
    const counts = (frame: number): boolean =>
      readAt(fd, LOG_HEADER_BYTES + frame * frameBytes, FRAME_HEADER_BYTES)
        .subarray(8, 16)
        .equals(salts);
    let [low, high] = [0, Math.max(0, Math.floor((fstatSync(fd).size - LOG_HEADER_BYTES) / frameBytes))];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (counts(middle)) low = middle + 1;
      else high = middle;
    }
    return low * frameBytes;
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  return bytes;
}

export interface CheckpointerOptions {
  readonly database: DatabaseSync;
  /** Of the database's file. */
  readonly path: string;
  /** Told when a checkpoint fails. The log then stays as it is, and the next occasion tries again. */
  readonly onError: (error: unknown) => void;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #idleTimer: NodeJS.Timeout | undefined;
  /** What commits have put into the log since it was begun anew, roughly. */
  #logBytes = 0;
  /** Of these, how many there were when it was measured last. */
  #measuredAt = 0;
  #isClosed = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    options.database.exec("PRAGMA wal_autocheckpoint = 0");
  }

  /** To be called after each commit, with about how many bytes it has put into the log. */
  noteCommit(bytes: number): void {
    this.#idleTimer ??= setTimeout(() => this.#checkpointAbove(WORTH_COPYING_BYTES), IDLE_MS).unref();
    this.#idleTimer.refresh();
    this.#logBytes += bytes;
    if (this.#logBytes - this.#measuredAt > MEASURE_BYTES) this.#measure();
  }

  #measure(): void {
    try {
      this.#logBytes = logLength(this.#options.path);
    } catch (error) {
      this.#options.onError(error);
    }
    this.#measuredAt = this.#logBytes;
    if (this.#logBytes > LONGEST_BYTES) setImmediate(() => this.#checkpointAbove(LONGEST_BYTES));
  }

  /** Closing the database makes the last checkpoint by itself. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
  }

  /** The next commit begins the log anew, in the same file. */
  #checkpointAbove(bytes: number): void {
    if (this.#isClosed || this.#logBytes <= bytes) return;
    this.#logBytes = 0;
    this.#measuredAt = 0;
    try {
      this.#options.database.exec("PRAGMA wal_checkpoint(RESTART)");
    } catch (error) {
      this.#options.onError(error);
    }
  }
}
