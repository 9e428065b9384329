/**
 * What this boot of the machine has seen of the store: which log, and how far it had got.
 *
 * Attachments live no longer than the boot, and neither does a file in the runtime directory (tmpfs). So a store that is
 * another than this file tells of, or older, was put there while containers live on of which it knows nothing. A store
 * that is newer is one whose server was killed between a commit and the note of it.
 *
 * The file is rewritten in place after each commit, before it is answered: one system call of some microseconds. It is
 * never synced: what a power cut takes of it is of a boot that is over.
 */
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** What was seen last. */
export interface Seen {
  readonly logId: string;
  readonly revision: number;
  /** True while the service waits to be told what is attached. */
  readonly recovering: boolean;
}

/** Keeps what was seen. */
export interface BootMemory {
  /** Null: nothing in this boot. */
  read(): Seen | null;
  /** Must not throw. */
  write(seen: Seen): void;
  close(): void;
}

export interface BootFileOptions {
  readonly path: string;
  /** Of the present boot: what another boot wrote counts as nothing. */
  readonly bootId: string;
  /** Told once, when the file cannot be kept. */
  readonly onError: (error: unknown) => void;
}

/** Every text has this length, so that each covers the one before. */
const BYTES = 256;

/** @throws what keeps the file from being read or made */
export function openBootFile({ path, bootId, onError }: BootFileOptions): BootMemory {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const seen = readSeen(path, bootId);
  let fd: number | null = null;
  let hasFailed = false;
  return {
    read: () => seen,
    write: (now) => {
      const bytes = Buffer.from(`${JSON.stringify({ bootId, ...now }).padEnd(BYTES - 1)}\n`);
      try {
        if (fd === null) fd = create(path, bytes);
        else writeSync(fd, bytes, 0, bytes.length, 0);
      } catch (error) {
        if (!hasFailed) onError(error);
        hasFailed = true;
      }
    },
    close: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}

/** Under another name first: whoever is killed here leaves the old file or the new one. */
function create(path: string, bytes: Uint8Array): number {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, "w", 0o600);
  writeSync(fd, bytes, 0, bytes.length, 0);
  renameSync(temporary, path);
  return fd;
}

/** What cannot be read was seen of no store that is known here: better to ask what is attached once too often. */
const UNKNOWN: Seen = { logId: "", revision: 0, recovering: true };

function readSeen(path: string, bootId: string): Seen | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const read = JSON.parse(text) as Partial<Seen & { readonly bootId: string }>;
    if (read.bootId !== bootId) return null;
    const { logId, revision, recovering } = read;
    if (typeof logId !== "string" || typeof revision !== "number" || typeof recovering !== "boolean")
      return UNKNOWN;
    return { logId, revision, recovering };
  } catch {
    return UNKNOWN;
  }
}
