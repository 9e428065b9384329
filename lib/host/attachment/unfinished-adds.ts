/**
 * Word that an ADD leaves of itself until it ends: a file in a folder that a reboot empties.
 *
 * It is written, under the attachment's lock, before anything is made, and only when no link of the attachment is there; it goes
 * before the result is told, or when all that was made has been taken back. So a file whose lock is free is of an ADD that
 * was killed on its way, and whatever is there of its attachment nobody was ever told of.
 */

import { hashHex } from "../../hash.ts";
import { closeFd, EEXIST, SyscallError } from "../../linux/calls/errno.ts";
import {
  listDirectory,
  makeDirectories,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_WRONLY,
  openFile,
  readFileIfExists,
  removeFile,
} from "../../linux/files/files.ts";
import { statPath } from "../../linux/files/stat.ts";
import { writeAll } from "../../linux/files/stdio.ts";
import { type AttachmentName, seedOf } from "./alias.ts";

const DIRECTORY = "/run/fairlead/unfinished-adds";
const NAME_DIGITS = 16;
const LONGEST_WORD_BYTES = 8 * 1024 * 1024;

/** What it takes to run the DEL that did not come. */
export interface UnfinishedAdd {
  readonly plugin: string;
  readonly key: AttachmentName;
  /** CNI variables of the ADD. */
  readonly env: Readonly<Record<string, string>>;
  /** The plugin's configuration, as JSON. */
  readonly config: unknown;
  /** The network namespace that its link on the host is in: elsewhere nobody can tell what is there. */
  readonly hostNetns: string;
}

/** As {@link UnfinishedAdd.hostNetns} has it. */
export function ownNetns(): string {
  return statPath("/proc/self/ns/net")?.identity ?? "";
}

/**
 * Leaves word. What an earlier ADD left stays: it is of the same attachment. Returns whether this one is the first.
 * @throws SyscallError where there is no place for it
 */
export function leaveWord(add: UnfinishedAdd): boolean {
  const path = pathOf(nameOf(add.key));
  const fd =
    createIn(path) ?? (readWord(nameOf(add.key)) === null ? openFile(path, O_WRONLY | O_TRUNC) : null);
  if (fd === null) return false;
  try {
    writeAll(fd, new TextEncoder().encode(JSON.stringify(add)), path);
  } finally {
    closeFd(fd);
  }
  return true;
}

/** Null: it is there. */
function createIn(path: string): number | null {
  const create = (): number => openFile(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
  try {
    return create();
  } catch (thrown) {
    if (!(thrown instanceof SyscallError)) throw thrown;
    if (thrown.errno === EEXIST) return null;
    makeDirectories(DIRECTORY, 0o700);
    return create();
  }
}

/** Idempotent. @throws SyscallError */
export function takeWordBack(key: AttachmentName): void {
  removeWord(nameOf(key));
}

export function removeWord(name: string): void {
  removeFile(pathOf(name));
}

/** Names for {@link readWord}, of ADDs that run and of those that were killed. */
export function listWords(): string[] {
  return listDirectory(DIRECTORY);
}

/** Null for one that is gone, or that its ADD did not live to write. */
export function readWord(name: string): UnfinishedAdd | null {
  const bytes = readFileIfExists(pathOf(name), { maxBytes: LONGEST_WORD_BYTES });
  return bytes === null ? null : parse(new TextDecoder().decode(bytes));
}

function parse(text: string): UnfinishedAdd | null {
  try {
    const add = JSON.parse(text) as UnfinishedAdd;
    return typeof add.key.networkName === "string" ? add : null;
  } catch {
    return null;
  }
}

function nameOf(key: AttachmentName): string {
  return hashHex(seedOf(key), NAME_DIGITS);
}

function pathOf(name: string): string {
  return `${DIRECTORY}/${name}`;
}
