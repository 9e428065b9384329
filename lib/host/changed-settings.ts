/**
 * Settings of the host that Fairlead changed in this boot, and what they were before, so that they can be put back.
 *
 * One line a change, `KEY OLD NEW` with the key's parts behind slashes, in a file that a reboot empties as it empties the
 * settings. A change is written down before it is made: what was written down and not made does no harm, because only
 * a setting that still has the new value is put back.
 */
import { Attempts } from "../attempts.ts";
import { closeFd } from "../linux/calls/errno.ts";
import {
  makeDirectories,
  O_CREAT,
  O_WRONLY,
  openFile,
  readFileIfExists,
  removeFile,
} from "../linux/files/files.ts";
import { writeAll } from "../linux/files/stdio.ts";
import { readSysctl, type SysctlKey, writeSysctl } from "../linux/files/sysctl.ts";

const DIRECTORY = "/run/fairlead";
const CHANGED_SETTINGS = `${DIRECTORY}/changed-settings`;
/** Source: include/uapi/asm-generic/fcntl.h. One write of one line is not torn by another's. */
const O_APPEND = 0o2000;
const LONGEST_BYTES = 1024 * 1024;

export interface ChangedSetting {
  readonly key: SysctlKey;
  readonly before: string;
  readonly after: string;
}

/**
 * Sets a key of the host's unless it has the value already, and remembers what it was. Returns whether it had to be changed.
 *
 * @throws SyscallError as {@link writeSysctl}
 */
export function changeHostSetting(key: SysctlKey, value: string, file = CHANGED_SETTINGS): boolean {
  const before = readSysctl(key);
  if (before === value) return false;
  if (before !== null) remember({ key, before, after: value }, file);
  writeSysctl(key, value);
  return true;
}

function remember({ key, before, after }: ChangedSetting, file: string): void {
  makeDirectories(DIRECTORY, 0o700);
  const fd = openFile(file, O_WRONLY | O_CREAT | O_APPEND, 0o600);
  try {
    writeAll(fd, new TextEncoder().encode(`${key.join("/")} ${before} ${after}\n`), file);
  } finally {
    closeFd(fd);
  }
}

/** Oldest first; of a key that was changed several times, the first old and the last new value. */
export function changedSettings(file = CHANGED_SETTINGS): ChangedSetting[] {
  const bytes = readFileIfExists(file, { maxBytes: LONGEST_BYTES });
  return bytes === null ? [] : parseChangedSettings(new TextDecoder().decode(bytes));
}

/** A line that cannot be read, as a crash leaves one, is passed over. */
export function parseChangedSettings(text: string): ChangedSetting[] {
  const changes = new Map<string, ChangedSetting>();
  for (const line of text.split("\n")) {
    const [, path = "", before = "", after = ""] = /^(\S+) (\S+) (\S+)$/.exec(line) ?? [];
    const [first, ...rest] = path.split("/");
    if (first === undefined || first === "") continue;
    changes.set(path, { key: [first, ...rest], before: changes.get(path)?.before ?? before, after });
  }
  return [...changes.values()];
}

/**
 * Puts back what still is as it was set, last changed first, and forgets the changes. Goes on past what cannot be put back.
 *
 * @throws FairleadError of all that could not be put back; nothing is forgotten then.
 */
export function restoreSettings(file = CHANGED_SETTINGS): ChangedSetting[] {
  const attempts = new Attempts();
  const due = changedSettings(file).filter(({ key, after }) => readSysctl(key) === after);
  for (const { key, before } of due.reverse()) attempts.run(() => writeSysctl(key, before));
  attempts.throwIfFailed("put back settings", file);
  removeFile(file);
  return due;
}
